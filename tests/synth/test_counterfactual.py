"""Counterfactual logs: the laws they must keep, truth in worlds whose noise was kept, and what is refused."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyro
import pyro.distributions as dist
import pytest
import torch
from tests.synth.small_fits import KINDS, fitted, world

import counterlog as cl
from counterlog.errors import InputError, RefusedError, UnknownNameError
from counterlog.inference import Fit
from counterlog.model.mechanisms import OrdinalRating, pick
from counterlog.model.twins import twins
from counterlog.query.evidence import events
from counterlog.query.unitwise import Question, answer
from counterlog.testing import at_truth

ZOO = list(KINDS)
STARS = (1.0, 2.0, 3.0, 4.0, 5.0)


def frame(fit: Fit, do: Any, log: Any = None, **options: Any) -> Any:
    return cl.counterfactual(fit, fit.log if log is None else log, do, **{"draws": 10, **options}).table.to_pandas()


# programs of every kind of outcome, with an observed cause that can be acted on


def _program(kind: str) -> Any:
    def program(view, base=0.0):
        level = pyro.sample("level", dist.Normal(base, 1.0))
        lift = pyro.sample("lift", dist.Normal(0.0, 1.0))
        with view.users():
            taste = pyro.sample("taste", dist.Normal(0.0, 1.0))
        with view.opportunities() as o:
            hour = pyro.sample("hour", dist.Normal(0.0, 1.0))
            pyro.sample("exposure", dist.Bernoulli(logits=hour))
            x = level + lift * hour + pick(taste, o.user)
            pyro.sample("outcome", MECHANISM[kind](x))

    return cl.scm(exposure="exposure", outcome="outcome", latent=("taste",), truth={"level": 0.3, "lift": 0.8})(program)


MECHANISM = {
    "click": lambda x: dist.Bernoulli(logits=x),
    "rating": lambda x: OrdinalRating(x, torch.tensor([-1.5, -0.5, 0.5, 1.5])),
    "count": lambda x: dist.Poisson(torch.exp(0.5 * x)),
    "positive": lambda x: dist.LogNormal(x, 0.5),
}


@cache
def known(kind: str, seed: int = 0) -> tuple[Fit, Any]:
    """A fit whose posterior is a point at the truth, and the twins of its world under hour - 1."""
    scm = _program(kind)
    pair = twins(scm.world(60, 40, rng=seed), cl.shift(hour=-1.0), rng=seed)
    values = pair.before.values
    n = len(values["hour"])
    rows = pair.before.view.rows
    outcome = values["outcome"].numpy().astype(float) + (1.0 if kind == "rating" else 0.0)
    table = pa.table(
        {
            "user": [f"u{k:02d}" for k in rows.user.tolist()],
            "item": [f"i{k:02d}" for k in rows.item.tolist()],
            "hour": values["hour"].numpy(),
            "exposure": np.ones(n, np.int8),
            "outcome": outcome,
        }
    )
    log = cl.from_frame(table, exposure="exposure", outcome="outcome", outcome_kind=kind, context=["hour"])
    return at_truth(cl.fit(scm, log, steps=2), pair.before), pair


# laws


@pytest.mark.parametrize("name", ZOO)
def test_doing_what_was_done_changes_no_row(name: str) -> None:
    fit = fitted(name)
    outcome = fit.log.roles.outcome
    for do in (cl.shift(popularity=0.0), *_as_it_was(fit)):
        got = frame(fit, do)
        seen = got[outcome].notna()
        assert (got[f"{outcome}_counterfactual"] == got[outcome])[seen].all()
        np.testing.assert_allclose(got[f"{outcome}_counterfactual_mean"][seen], got[outcome][seen], rtol=1e-6)
        np.testing.assert_allclose(got[f"{outcome}_counterfactual_probability"][seen], 1.0, rtol=1e-6)


def _as_it_was(fit: Fit) -> list[Any]:
    """Exposure set to what it was, row by row, where the log has it."""
    return [] if fit.log.exposure is None else [cl.fix(exposure=fit.log.exposure)]


@pytest.mark.parametrize("kind", MECHANISM)
def test_doing_what_was_done_changes_no_row_of_any_kind(kind: str) -> None:
    fit, _ = known(kind)
    for do in (cl.shift(hour=0.0), cl.fix(hour=fit.log.table["hour"].to_numpy())):
        got = frame(fit, do)
        assert (got.outcome_counterfactual == got.outcome).all()
        assert (got.outcome_counterfactual_mean == got.outcome.astype(np.float32)).all()


@pytest.mark.parametrize("name", ZOO)
def test_the_rows_are_the_events_of_the_log_in_their_order(name: str) -> None:
    fit = fitted(name)
    twin = cl.counterfactual(fit, fit.log, cl.fix(exposure=1), draws=10)
    assert twin.table.select(fit.log.table.column_names).equals(fit.log.table)
    assert set(twin.table["source"].to_pylist()) == {"counterfactual"}
    assert set(twin.table["rung"].to_pylist()) == {"L3"}


@pytest.mark.parametrize("kind", MECHANISM)
def test_the_truth_of_a_world_whose_noise_was_kept(kind: str) -> None:
    """With the true latents only the noise is unknown: answers must be calibrated event by event.

    z-tests at 4.5 with a fixed seed: false alarms below 1e-4 in all.
    """
    fit, pair = known(kind)
    got = frame(fit, cl.shift(hour=-1.0))
    truth = pair.after.values["outcome"].numpy().astype(float) + (1.0 if kind == "rating" else 0.0)
    gap = truth - got.outcome_counterfactual_mean
    if kind == "positive":  # the noise is known exactly
        np.testing.assert_allclose(got.outcome_counterfactual, truth, rtol=1e-4)
        return
    error = lambda g: abs(g.mean()) / (g.std() / np.sqrt(len(g)))  # noqa: E731
    assert error(gap) < 4.5
    for _, group in gap.groupby(got.outcome):  # given what was observed, not only on average
        if len(group) > 50 and group.std() > 0:
            assert error(group) < 4.5
    interventional = pair.after.mean("outcome", STARS if kind == "rating" else ()).numpy()
    assert gap.var() < 0.8 * (truth - interventional).var()  # what was observed tells something: the naive answer


@pytest.mark.parametrize("kind", ["click", "rating", "count"])
def test_probabilities_of_what_happened_are_calibrated(kind: str) -> None:
    fit, pair = known(kind)
    truth = pair.after.values["outcome"].numpy().astype(float) + (1.0 if kind == "rating" else 0.0)
    got = frame(fit, cl.shift(hour=-1.0))
    right = (got.outcome_counterfactual == truth).astype(float)
    gap = right - got.outcome_counterfactual_probability
    for low in np.arange(0.0, 1.0, 0.2):
        inside = (got.outcome_counterfactual_probability > low) & (got.outcome_counterfactual_probability <= low + 0.2)
        if inside.sum() > 50:
            assert abs(gap[inside].mean()) < 4.5 * 0.5 / np.sqrt(inside.sum())


@pytest.mark.parametrize("kind", MECHANISM)
def test_unit_answers_average_to_the_interventional_mean(kind: str) -> None:
    fit, pair = known(kind)
    got = frame(fit, cl.shift(hour=-1.0))
    truth = pair.after.mean("outcome", STARS if kind == "rating" else ()).double().numpy()
    gap = got.outcome_counterfactual_mean - truth
    assert abs(gap.mean()) < 4.5 * gap.std() / np.sqrt(len(gap))
    assert abs(got.outcome.mean() - truth.mean()) > 3 * abs(gap.mean())


@pytest.mark.parametrize("kind", MECHANISM)
def test_what_lowers_the_outcome_raises_no_event(kind: str) -> None:
    fit, _ = known(kind)
    down, further = (frame(fit, cl.shift(hour=by)) for by in (-1.0, -2.0))
    assert (down.outcome_counterfactual <= down.outcome).all()
    assert (further.outcome_counterfactual <= down.outcome_counterfactual).all()  # three worlds, one noise
    assert (down.outcome_counterfactual_bound_low.fillna(-1) <= down.outcome_counterfactual_mean + 1e-6).all()
    assert (down.outcome_counterfactual_bound_high.fillna(1e9) >= down.outcome_counterfactual_mean - 1e-6).all()


@pytest.mark.parametrize("name", ["popularity_exposure", "position_examination"])
def test_known_twins_of_the_zoo(name: str) -> None:
    """Latent exposure and mediators included: calibrated given the observed click, at the true latents."""
    scm = cl.zoo.load(name).with_parameters(dim=2)
    do = cl.shift(popularity=-1.5) if name == "popularity_exposure" else cl.fix(position=1)
    size = {"n_users": 80, "n_items": 60, "per_user": 40, "truth": {**scm.truth, "spread": [0.8, 0.8]}}
    pair = twins(scm.world(**size, rng=1), do, rng=1)
    fit = at_truth(cl.fit(scm, pair.before.log, steps=2), pair.before)
    got = frame(fit, do)
    truth = pair.after.values["click"].numpy()
    assert len(got) == len(truth)
    gap = truth - got.click_counterfactual_mean
    for clicked in (0, 1):
        part = gap[got.click == clicked]
        assert abs(part.mean()) <= 4.5 * part.std() / np.sqrt(len(part))
    if name == "popularity_exposure":
        assert (pair.after.values["exposure"].numpy() <= pair.before.values["exposure"].numpy()).all()
        assert (got.exposure_counterfactual <= got.exposure).all()


def test_unexposed_cells_of_a_selected_rating_are_answered_from_what_not_being_rated_says() -> None:
    """A rating that decides about exposure: of a cell that was not rated it is known that it was not."""
    scm = cl.zoo.load("self_selection").with_parameters(dim=2)
    pair = twins(scm.world(60, 40, rng=2, truth={**scm.truth, "base": -2.0}), cl.fix(exposure=1), rng=2)
    rows, values = pair.before.view.rows, pair.before.values
    rating = np.where(values["exposure"] > 0, values["rating"].numpy() + 1.0, np.nan)
    table = pa.table(
        {
            "user": [f"u{k}" for k in rows.user.tolist()],
            "item": [f"i{k}" for k in rows.item.tolist()],
            "exposure": values["exposure"].numpy().astype(int),
            "rating": pa.array(rating, from_pandas=True),
        }
    )
    log = cl.from_frame(table, exposure="exposure", outcome="rating", outcome_kind="rating")
    fit = at_truth(cl.fit(scm, log, steps=2), pair.before)
    got = frame(fit, cl.fix(exposure=1))
    truth = pair.after.values["rating"].numpy() + 1.0
    exposed = got.exposure == 1
    assert (got.rating_counterfactual == got.rating)[exposed].all()
    gap = (truth - got.rating_counterfactual_mean)[~exposed]
    assert abs(gap.mean()) < 4.5 * gap.std() / np.sqrt(len(gap))
    naive = got.rating[exposed].mean() - truth[~exposed].mean()
    assert naive > 5 * abs(gap.mean())
    card = cl.counterfactual(fit, log, cl.fix(exposure=1), draws=10).identification
    assert any("not exposed" in said for said in card.assumptions)


# how it is asked


def test_the_same_question_has_the_same_bytes_and_a_batch_can_be_stored(tmp_path: Any) -> None:
    fit = fitted("popularity_exposure")
    ask = lambda rng: cl.counterfactual(fit, fit.log, cl.fix(popularity=0.0), draws=10, rng=rng)  # noqa: E731
    assert ask(0).table.equals(ask(0).table)
    assert not ask(0).table.equals(ask(1).table)
    assert ask(0).store(tmp_path / "store") == 1
    store = cl.open_store(tmp_path / "store")
    card = store.card(ask(0).batch)
    assert card["kind"] == "counterfactual"
    assert card["identification"]["rung"] == "L3"
    assert store.read().num_rows == fit.log.rows
    assert ask(0).batch.startswith("cf-")


def test_the_average_holds_the_sum_of_the_events() -> None:
    fit = fitted("popularity_exposure")
    twin = cl.counterfactual(fit, fit.log, cl.fix(exposure=1), draws=12)
    got = twin.table.to_pandas()
    assert twin.average.counterfactual == pytest.approx(got.click_counterfactual_mean.mean(), rel=1e-5)
    assert twin.average.factual == pytest.approx(got.click.mean())
    low, high = twin.average.interval
    assert low <= twin.average.counterfactual <= high
    assert "click under do(exposure=1)" in str(twin)
    assert twin.batch in twin._repr_html_()


@pytest.mark.parametrize("kind", MECHANISM)
def test_transitions_count_the_events_and_draw_themselves(kind: str) -> None:
    import vl_convert as vlc

    fit, _ = known(kind)
    twin = cl.counterfactual(fit, fit.log, cl.shift(hour=-1.0), draws=10)
    found = twin.transitions()
    assert found.events.sum() == len(twin.table)
    np.testing.assert_allclose(found.groupby("factual").share.sum(), 1.0)
    assert (found.counterfactual <= found.factual).all()
    svg = vlc.vegalite_to_svg(twin.plot().to_json())
    assert "in the other world" in svg


def test_a_policy_keeps_the_noise_of_the_exposure_that_it_replaces() -> None:
    fit = fitted("popularity_exposure")
    less, more = (frame(fit, cl.replace(exposure=cl.policies.uniform(p))) for p in (0.2, 0.6))
    assert (more.exposure_counterfactual >= less.exposure_counterfactual).all()
    assert 0 < less.exposure_counterfactual.mean() < more.exposure_counterfactual.mean() < 1
    by_frame = frame(fit, cl.replace(exposure=lambda rows: (rows["user"] == "u1") * 1.0))
    assert (by_frame.exposure_counterfactual == (by_frame.user == "u1")).all()


def test_events_of_another_log_of_the_same_users_and_items() -> None:
    fit = fitted("popularity_exposure")
    part = cl.from_frame(fit.log.table.slice(5, 40), fit.log.roles)
    got = frame(fit, cl.shift(popularity=0.0), part)
    assert (got.click_counterfactual == got.click).all()
    whole = frame(fit, cl.fix(exposure=1)).iloc[5:45].reset_index(drop=True)
    again = frame(fit, cl.fix(exposure=1), part)
    np.testing.assert_allclose(again.click_counterfactual_mean, whole.click_counterfactual_mean, rtol=1e-5)
    card = cl.counterfactual(fit, part, cl.fix(exposure=1), draws=10).identification
    assert any("not those of the fit's own log" in said for said in card.assumptions)


def test_spans_and_pieces_join(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    fit = fitted("position_examination")
    found = events(fit, fit.log)
    whole = answer(Question(fit, found, cl.fix(exposure=1), 10, 0), 0, len(found))
    monkeypatch.setattr(sys.modules["counterlog.query.unitwise"], "PIECE", 33)
    pieces = answer(Question(fit, found, cl.fix(exposure=1), 10, 0), 0, len(found))
    np.testing.assert_allclose(pieces.mean, whole.mean, rtol=2e-5)
    np.testing.assert_allclose(pieces.totals, whole.totals, rtol=1e-5)


# bad input


def test_bad_questions_are_refused_before_any_work() -> None:
    fit = fitted("popularity_exposure")
    with pytest.raises(UnknownNameError, match="popularity"):
        cl.counterfactual(fit, fit.log, cl.fix(popularty=0.0))
    with pytest.raises(InputError, match="nothing is done"):
        cl.counterfactual(fit, fit.log, cl.query.Intervention())
    with pytest.raises(InputError, match="at least 10 draws"):
        cl.counterfactual(fit, fit.log, cl.fix(exposure=1), draws=3)
    with pytest.raises(RefusedError, match="cut edge"):
        cl.counterfactual(fit, fit.log, cl.cut("popularity", "exposure"))
    with pytest.raises(InputError, match="outside the values"):
        cl.counterfactual(fit, fit.log, cl.fix(exposure=3))


def test_a_log_that_the_fit_was_not_made_for_is_refused() -> None:
    fit = fitted("popularity_exposure")
    other = cl.from_frame(pa.table({"user": ["x"], "item": ["i1"], "exposure": [1], "click": [1]}), fit.log.roles)
    with pytest.raises(UnknownNameError, match="not made for"):
        cl.counterfactual(fit, other, cl.fix(exposure=1))
    ratings = world("self_selection").log
    with pytest.raises(InputError, match="of kind rating, the fit was made for a click"):
        cl.counterfactual(fit, ratings, cl.fix(exposure=1))
    shown = cl.from_frame(pa.table({"user": ["u1"], "item": ["i1"], "click": [1]}), outcome="click")
    with pytest.raises(InputError, match="exposure column"):
        cl.counterfactual(fit, shown, cl.fix(exposure=1))
    stars = fitted("self_selection")
    half = cl.from_frame(pa.table({"user": ["u1", "u2"], "item": ["i1", "i2"], "rating": [2.5, 1.0]}), outcome="rating")
    with pytest.raises(InputError, match=r"the rating 2\.5, which the fit does not know"):
        cl.counterfactual(stars, half, cl.fix(exposure=1))


def test_a_column_of_the_name_that_would_be_added_is_refused() -> None:
    fit = fitted("popularity_exposure")
    roles = dataclasses.replace(fit.log.roles, context=("click_counterfactual",))
    table = fit.log.table.append_column("click_counterfactual", fit.log.table["click"])
    log = cl.from_frame(table, roles)
    with pytest.raises(InputError, match="rename it in the log"):
        cl.counterfactual(fit, log, cl.fix(exposure=1))
