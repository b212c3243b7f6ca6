"""Predictions for pairs: columns, probabilities, ids, what must be given and what need not."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from tests.inference import programs
from tests.inference.test_fit import frame, impressions
from tests.inference.worlds import ZOO
from tests.query.worlds import hourly_fit, zoo_fit

import counterlog as cl
from counterlog.errors import InputError, UnknownNameError
from counterlog.inference.population import pieces

SUMMARY = ["mean", "sd", "q05", "q50", "q95"]


def some_pairs(fit: Any, n: int = 40) -> pa.Table:
    return fit.log.table.select(["user", "item"]).slice(0, n)


@pytest.mark.parametrize("name", ZOO)
def test_every_zoo_model_predicts(name: str) -> None:
    fit = zoo_fit(name)
    pairs = some_pairs(fit)
    table = cl.predict(fit, pairs, draws=8)
    levels = [f"p_{k}" for k in range(1, 6)] if name == "self_selection" else []
    assert table.column_names == ["user", "item", *SUMMARY, *levels, "propensity"]
    assert table["user"].equals(pairs["user"])
    found = table.to_pandas()
    assert np.isfinite(found.drop(columns=["user", "item"]).to_numpy(float)).all()
    assert (found.q05 <= found.q50).all()
    assert (found.q50 <= found.q95).all()
    assert found.propensity.between(0, 1).all()
    assert (found.sd >= 0).all()
    if levels:
        np.testing.assert_allclose(found[levels].sum(axis=1), 1.0, atol=1e-5)
        np.testing.assert_allclose(found[levels] @ np.arange(1, 6), found["mean"], atol=1e-5)
        variance = found[levels] @ np.arange(1, 6) ** 2 - found["mean"] ** 2
        np.testing.assert_allclose(found.sd**2, variance, atol=1e-4)
        assert set(found.q50) <= {1, 2, 3, 4, 5}
    else:
        np.testing.assert_allclose(found.sd**2, found["mean"] * (1 - found["mean"]), atol=1e-5)  # a coin


def test_the_mean_is_that_of_the_effect_and_pieces_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    fit = zoo_fit("popularity_exposure")
    rows = fit.log.table.select(["user", "item"])
    table = cl.predict(fit, rows, draws=20)
    answer = cl.effect(fit, "click", cl.fix(exposure=1), draws=20)
    assert np.mean(table["mean"]) == pytest.approx(answer.estimate, abs=1e-6)
    monkeypatch.setattr(
        sys.modules["counterlog.query.predict"], "pieces", lambda cells, whole: pieces(cells, whole, 31)
    )
    few, whole = cl.predict(fit, rows.slice(0, 100), draws=20), table.slice(0, 100)
    np.testing.assert_allclose(few["mean"], whole["mean"], rtol=1e-5)
    np.testing.assert_allclose(few["propensity"], whole["propensity"], rtol=1e-5)
    assert cl.predict(fit, rows.slice(0, 100), draws=20).equals(few)


def test_any_kind_of_frame_and_the_order_and_repeats_of_its_rows() -> None:
    fit = zoo_fit("popularity_exposure")
    pairs = pd.DataFrame({"item": ["i3", "i1", "i3"], "user": ["u2", "u0", "u2"], "note": [1, 2, 3]})
    by_pandas = cl.predict(fit, pairs, draws=5)
    assert by_pandas["user"].to_pylist() == ["u2", "u0", "u2"]
    for other in (pl.DataFrame(pairs), pa.Table.from_pandas(pairs)):
        assert cl.predict(fit, other, draws=5)["mean"].equals(by_pandas["mean"])
    means = by_pandas["mean"].to_pylist()
    assert means[0] == means[2] != means[1]
    with pytest.raises(InputError, match="must be a pandas, Polars or Arrow table; given list"):
        cl.predict(fit, [("u1", "i1")])


def test_whole_numbers_and_texts_name_the_same_users() -> None:
    table = frame(user=[10, 10, 7], item=[1, 2, 1], exposure=[1, 1, 0], click=[1, 0, 0])
    fit = cl.fit(programs.quick, cl.from_frame(table, outcome="click", exposure="exposure"), steps=5)
    as_numbers = cl.predict(fit, frame(user=[7, 10], item=[2, 1]), draws=4)
    as_texts = cl.predict(fit, frame(user=["7", "10"], item=["2", "1"]), draws=4)
    assert as_numbers["mean"].equals(as_texts["mean"])
    assert as_numbers["user"].to_pylist() == [7, 10]


@pytest.mark.parametrize(
    ("pairs", "error", "said"),
    [
        (frame(user=["u1", "u999"], item=["i1", "i1"]), UnknownNameError, "1 rows with an unknown user: u999"),
        (frame(user=["u1"], item=["i77"]), UnknownNameError, "unknown item: i77"),
        (frame(user=pa.array([None, "u1"]), item=["i1", "i1"]), UnknownNameError, "unknown user"),
        (frame(person=["u1"], item=["i1"]), InputError, "no column 'user' for the user; its columns: person, item"),
        (frame(user=["u1"], thing=["i1"]), InputError, "no column 'item' for the item"),
        (frame(user=pa.array([], pa.string()), item=pa.array([], pa.string())), InputError, "has no rows"),
    ],
)
def test_pairs_that_cannot_be_predicted(pairs: pa.Table, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        cl.predict(zoo_fit("popularity_exposure"), pairs, draws=3)


def test_draws_must_be_positive() -> None:
    with pytest.raises(InputError, match="at least 1; given 0"):
        cl.predict(zoo_fit("popularity_exposure"), frame(user=["u1"], item=["i1"]), draws=0)


def test_a_site_before_exposure_need_not_be_given_and_is_drawn() -> None:
    fit = zoo_fit("position_examination")
    pairs = some_pairs(fit, 200)
    without = cl.predict(fit, pairs, draws=30).to_pandas()
    rows = pairs.append_column("position", fit.log.table["position"].slice(0, 200))
    given = cl.predict(fit, rows, draws=30).to_pandas()
    np.testing.assert_allclose(without["mean"], given["mean"], atol=1e-6)  # exposed is exposed, at any position
    first = given.propensity[rows["position"].to_numpy() == 1]
    assert first.min() > 0.999  # the first place is always looked at
    assert without.propensity.max() < 0.999  # nobody said which place
    assert without.propensity.std() < given.propensity.std()


def test_what_the_outcome_depends_on_must_be_given() -> None:
    fit = hourly_fit()
    pairs = some_pairs(fit, 5)
    with pytest.raises(InputError, match="no column 'hour', on which 'click' depends in hourly"):
        cl.predict(fit, pairs, draws=3)
    given = cl.predict(fit, pairs.append_column("hour", pa.array([-1.0, 0.0, 1.0, 2.0, 3.0])), draws=5)  # no device
    assert (np.diff(given["mean"]) > 0).all()
    nulls = pairs.append_column("hour", pa.array([None, 0.0, 1.0, 2.0, 3.0]))
    with pytest.raises(InputError, match="1 pairs have no 'hour'"):
        cl.predict(fit, nulls, draws=3)
    with pytest.raises(InputError, match="column 'hour' of the pairs"):
        cl.predict(fit, pairs.append_column("hour", pa.array(["late"] * 5)), draws=3)


def test_text_context_is_coded_as_in_the_log() -> None:
    log = impressions(more=("device",))
    fit = cl.fit(programs.by_device, log, steps=60)
    pairs = frame(user=["u0", "u1"], item=["i0", "i0"], device=["phone", "desk"])
    phone, desk = cl.predict(fit, pairs, draws=10)["mean"].to_pylist()
    swapped = pairs.set_column(2, "device", pa.array(["desk", "phone"]))
    assert cl.predict(fit, swapped, draws=10)["mean"].to_pylist() == [desk, phone]
    assert desk == pytest.approx(0.5)  # its code is 0, so that the program says sigmoid(0)
    with pytest.raises(UnknownNameError, match="no value of 'device' 'phon'; known: desk, phone; did you mean 'phone'"):
        cl.predict(fit, pairs.set_column(2, "device", pa.array(["phon", "desk"])), draws=3)
    with pytest.raises(InputError, match="no column 'device'"):
        cl.predict(fit, pairs.select(["user", "item"]), draws=3)


@pytest.mark.parametrize(
    ("program", "outcome", "values"),
    [(programs.counting, "count", [0, 3, 0, 1, 2]), (programs.dwelling, "dwell", [1.5, 3.0, None, 1.0, 2.0])],
)
def test_counts_and_times(program: Any, outcome: str, values: list) -> None:
    table = frame(user=list("aabbc"), item=list("xyxyx"), exposure=[1, 1, 0, 1, 1], **{outcome: values})
    fit = cl.fit(program, cl.from_frame(table, outcome=outcome, exposure="exposure"), steps=150)
    found = cl.predict(fit, table.select(["user", "item"]), draws=400).to_pandas()
    assert found["mean"].iloc[0] == pytest.approx(2.0, abs=1.2)
    assert (found.q05 <= found.q50).all()
    assert (found.q50 <= found.q95).all()
    assert (found.sd > 0.3).all()


def test_ratings_of_another_distribution_have_their_probabilities_too() -> None:
    import pyro
    import pyro.distributions as dist

    @cl.scm(exposure="exposure", outcome="rating")
    def binomial(view):
        lean = pyro.sample("lean", dist.Normal(0.0, 1.0))
        with view.opportunities():
            rating = pyro.sample("rating", dist.Binomial(view.n_levels - 1, logits=lean))
            pyro.sample("exposure", dist.Bernoulli(logits=rating - 1.0))

    table = frame(user=list("aabb"), item=list("xyxy"), rating=[1, 2, 3, 2])
    fit = cl.fit(binomial, cl.from_frame(table, outcome="rating"), steps=20)
    found = cl.predict(fit, table.select(["user", "item"]).slice(0, 3), draws=5).to_pandas()
    np.testing.assert_allclose(found[["p_1", "p_2", "p_3"]].sum(axis=1), 1.0, atol=1e-5)
