"""simulate: schema, seeds, opportunities, interventions and policies, cards that make a batch again."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy.stats import chi2

from counterlog import fit as fit_scm
from counterlog import fix, from_frame, policies, replace, simulate, zoo
from counterlog.errors import InputError, RefusedError, UnknownNameError
from counterlog.logs.concentration import gini
from counterlog.synth import again, opportunities

from .small_fits import KINDS, fitted

ADDED = ["propensity", "source", "rung", "batch"]
UNIFORM = replace(exposure=policies.uniform())
#: Chance that a right program fails one of the two-sided tests below; the seeds are fixed, so that a pass stays a pass.
ALPHA = 1e-3


def frame(batch) -> pd.DataFrame:
    return batch.table.to_pandas()


@pytest.mark.parametrize("model", KINDS)
@pytest.mark.parametrize("do", [None, UNIFORM], ids=["natural", "uniform"])
def test_the_schema_is_the_real_logs_with_propensity_and_provenance(model: str, do) -> None:
    fit = fitted(model)
    real = fit.log.table.schema
    batch = simulate(fit, do, rng=1)
    table = batch.table
    assert table.schema.names == [*real.names, *ADDED]
    assert [table.schema.field(name).type for name in real.names] == real.types
    rows = frame(batch)
    assert set(rows["source"]) == {"synthetic"}
    assert set(rows["rung"]) == {"L1" if do is None else "L2"}
    assert set(rows["batch"]) == {batch.batch}
    assert rows["propensity"].between(0, 1, inclusive="right").all()
    assert set(rows["user"]) <= set(fit.log.users.labels)
    assert set(rows["item"]) <= set(fit.log.items.labels)
    assert not rows.duplicated(["user", "item"]).any()
    with_truth = simulate(fit, do, rng=1, truth=True).table
    assert with_truth.schema.names == [*real.names, *ADDED, "truth_mean", "truth_world"]
    assert with_truth.select(real.names).equals(table.select(real.names))


@pytest.mark.parametrize("model", KINDS)
def test_a_synthetic_log_is_read_like_a_real_one(model: str) -> None:
    fit = fitted(model)
    for do in (None, UNIFORM):
        log = simulate(fit, do, rng=2).to_log()
        assert log.roles.outcome == fit.log.roles.outcome
        assert log.roles.propensity == "propensity"
        assert log.describe().rows == log.rows > 0
        usable = model != "latent_exposure" or log.clicks_only
        if usable:
            assert len(fit_scm(fit.scm, log, steps=2).losses) == 2


@pytest.mark.parametrize("model", KINDS)
def test_outcomes_are_possible_ones(model: str) -> None:
    fit = fitted(model)
    rows = frame(simulate(fit, UNIFORM, rng=1, truth=True))
    outcome = rows[fit.log.roles.outcome]
    allowed = set(fit.log.levels) if fit.log.levels else {0.0, 1.0}
    assert set(outcome) <= allowed
    assert rows["truth_mean"].between(min(allowed), max(allowed)).all()
    if "position" in rows:
        assert rows["position"].between(1, fit.cells.n_positions).all()
    if "exposure" in rows:
        assert (rows["exposure"] == 1).all()
    natural = frame(simulate(fit, rng=1))
    if model == "latent_exposure":
        assert (natural["click"] == 1).all()
    if "exposure" in natural:
        assert not natural.loc[natural["exposure"] == 0, "click"].any()


def test_the_same_seed_gives_the_same_rows_and_another_seed_others() -> None:
    fit = fitted("self_selection")
    first, second, other = (simulate(fit, UNIFORM, rng=seed) for seed in (5, 5, 6))
    assert first.batch == second.batch != other.batch
    assert first.table.equals(second.table)
    assert pa.Table.from_batches(list(first.chunks()), first.schema).equals(first.table)
    columns = ["user", "item", "rating"]
    assert not first.table.select(columns).equals(other.table.select(columns))


@pytest.mark.parametrize("per_user", [3, 15])
def test_uniform_exposure_draws_distinct_items_uniformly(per_user: int) -> None:
    users = 2000
    fit = fitted("self_selection")
    n_items = len(fit.log.items)
    rows = frame(simulate(fit, UNIFORM, per_user=per_user, users=users, rng=4))
    assert len(rows) == users * per_user
    assert (rows.groupby("user")["item"].nunique() == per_user).all()
    assert np.allclose(rows["propensity"], per_user / n_items)
    counts = rows["item"].value_counts().reindex(fit.log.items.labels, fill_value=0).to_numpy()
    share = per_user / n_items
    # Items drawn without replacement: the counts' covariance is a multiple of the centring matrix.
    statistic = ((counts - users * share) ** 2).sum() / (users * share * (1 - share) * n_items / (n_items - 1))
    assert ALPHA / 2 < chi2(n_items - 1).cdf(statistic) < 1 - ALPHA / 2


def test_rows_gives_exactly_that_many() -> None:
    fit = fitted("self_selection")
    rows = frame(simulate(fit, UNIFORM, rows=57, rng=4))
    assert len(rows) == 57
    counts = rows["user"].value_counts()
    assert counts.max() - counts.reindex(fit.log.users.labels, fill_value=0).min() == 1
    assert np.allclose(rows["propensity"], counts.loc[rows["user"]].to_numpy() / len(fit.log.items))


def test_a_uniform_policy_with_a_probability_thins_the_rows() -> None:
    fit = fitted("self_selection")
    rows = frame(simulate(fit, replace(exposure=policies.uniform(0.25)), per_user=20, users=500, rng=4))
    assert abs(len(rows) - 2500) < 4 * np.sqrt(10_000 * 0.25 * 0.75)
    assert np.allclose(rows["propensity"], 0.25)


def test_units_bound_the_memory_and_leave_valid_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    fit = fitted("self_selection")
    monkeypatch.setattr(opportunities, "UNIT", 60)
    for do, per_user in ((UNIFORM, 4), (UNIFORM, 15), (None, None)):
        batch = simulate(fit, do, per_user=per_user, rng=3)
        chunks = list(batch.chunks())
        assert len(chunks) > 2
        rows = frame(batch)
        assert not rows.duplicated(["user", "item"]).any()
        if per_user:
            assert (rows.groupby("user").size() == per_user).all()
            assert len(rows) == per_user * len(fit.log.users)


def test_progress_ends_at_the_number_of_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opportunities, "UNIT", 100)
    fit = fitted("self_selection")
    seen: list[tuple[int, int]] = []
    list(simulate(fit, UNIFORM, rng=3).chunks(lambda done, total: seen.append((done, total))))
    assert seen == sorted(seen)
    assert seen[-1] == (len(fit.log.users), len(fit.log.users))


def test_draws_share_the_rows_equally_and_not_by_item() -> None:
    fit = fitted("self_selection")
    n_items = len(fit.log.items)
    rows = frame(simulate(fit, UNIFORM, per_user=n_items, draws=4, rng=3, truth=True))
    assert rows["truth_world"].value_counts().max() - rows["truth_world"].value_counts().min() <= 1
    assert rows.groupby("item")["truth_world"].nunique().eq(4).all()
    one = frame(simulate(fit, UNIFORM, per_user=n_items, rng=3, truth=True))
    assert set(one["truth_world"]) == {0}


def test_new_users_are_drawn_from_the_model_under_fresh_ids() -> None:
    fit = fitted("self_selection")
    rows = frame(simulate(fit, UNIFORM, per_user=5, users=30, rng=3, truth=True))
    assert rows["user"].nunique() == 30
    assert not set(rows["user"]) & set(fit.log.users.labels)
    own = frame(simulate(fit, UNIFORM, per_user=5, rng=3, truth=True))
    assert rows.groupby("user")["truth_mean"].mean().std() > 0.05
    assert not np.isin(rows["truth_mean"], own["truth_mean"]).all()


def test_new_users_of_a_log_with_numbers_as_ids() -> None:
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"user": np.repeat([7, 9, 12], 4), "item": list(range(4)) * 3, "click": rng.integers(0, 2, 12)})
    log = from_frame(data.assign(exposure=1), exposure="exposure", outcome="click")
    fit = fit_scm(zoo.popularity_exposure.with_parameters(dim=1), log, steps=2)
    batch = simulate(fit, UNIFORM, per_user=2, users=3, rng=1)
    assert batch.table.schema.field("user").type == log.table.schema.field("user").type
    assert sorted(set(frame(batch)["user"])) == [13, 14, 15]


def test_without_popularity_exposure_spreads_over_items() -> None:
    fit = fitted("popularity_exposure", 300)
    natural, flat = (frame(simulate(fit, do, per_user=20, users=400, rng=3)) for do in (None, fix(popularity=0.0)))
    shares = [rows.groupby("item")["exposure"].sum().to_numpy() for rows in (natural, flat)]
    assert gini(shares[1]) < 0.6 * gini(shares[0])


def test_a_policy_function_is_followed() -> None:
    fit = fitted("popularity_exposure")

    def loud(rows: pd.DataFrame) -> np.ndarray:
        assert list(rows.columns[:2]) == ["user", "item"]
        return np.where(rows["item"].isin(["i0", "i1"]), 0.9, 0.1)

    rows = frame(simulate(fit, replace(exposure=loud), users=500, per_user=20, rng=3))
    expected = np.where(rows["item"].isin(["i0", "i1"]), 0.9, 0.1)
    assert np.allclose(rows["propensity"], expected)
    for chance in (0.1, 0.9):
        shown = rows.loc[expected == chance, "exposure"]
        assert abs(shown.mean() - chance) < 4 * np.sqrt(chance * (1 - chance) / len(shown))
    own = simulate(fit, replace(exposure=loud), rng=3)
    assert own.where.kind == "log"
    assert own.table.num_rows == fit.log.rows


def test_only_exposed_rows_are_kept_where_the_log_has_no_exposure_column() -> None:
    fit = fitted("latent_exposure")
    only = replace(exposure=lambda rows: (rows["item"] == "i3").to_numpy(float))
    rows = frame(simulate(fit, only, per_user=20, rng=3))
    assert set(rows["item"]) == {"i3"}
    assert len(rows) == len(fit.log.users)


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (lambda rows: np.full(len(rows), 1.2), "1.2"),
        (lambda rows: np.full(len(rows), -0.1), "-0.1"),
        (lambda rows: np.full(len(rows), np.nan), "probability is in"),
        (lambda rows: np.ones(3), "shape (3,)"),
        (lambda rows: rows["price"], "raises KeyError"),
    ],
)
def test_a_policy_that_gives_no_probabilities_is_refused(policy, words: str) -> None:
    with pytest.raises(InputError) as refused:
        simulate(fitted("popularity_exposure"), replace(exposure=policy), rng=3).table  # noqa: B018
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"per_user": 3, "rows": 9}, "not both"),
        ({"per_user": 21}, "between 1 and the number of items, 20"),
        ({"per_user": 0}, "between 1"),
        ({"rows": 0}, "between 1 and 800"),
        ({"rows": 801}, "between 1 and 800"),
        ({"users": 0}, "at least 1"),
        ({"draws": 0}, "at least 1"),
    ],
)
def test_numbers_out_of_range_are_refused_before_any_work(options: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        simulate(fitted("self_selection"), UNIFORM, **options)


def test_an_unknown_site_and_an_endless_grid_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    fit = fitted("self_selection")
    with pytest.raises(UnknownNameError, match="popularity"):
        simulate(fit, fix(popularty=0.0))
    monkeypatch.setattr(opportunities, "MOST_CELLS", 100)
    with pytest.raises(RefusedError, match="per_user"):
        simulate(fit)


def test_a_log_with_a_column_of_ours_is_refused() -> None:
    data = pd.DataFrame(
        {"user": [1, 1, 2], "item": [1, 2, 1], "click": [0, 1, 0], "shown": 1, "batch": ["a", "b", "a"]}
    )
    log = from_frame(data, exposure="shown", outcome="click", context=("batch",))
    fit = fit_scm(zoo.popularity_exposure.with_parameters(dim=1), log, steps=2)
    with pytest.raises(InputError, match="'batch'"):
        simulate(fit)


def test_context_and_time_are_those_of_real_events() -> None:
    data = pd.DataFrame({"user": [1, 1, 2, 2], "item": [1, 2, 1, 2], "click": [0, 1, 0, 1], "shown": 1})
    data["device"] = ["tv", "tv", "web", "web"]
    data["at"] = pd.to_datetime(["2026-01-01", "2026-01-02", "2026-02-01", "2026-02-02"], utc=True)
    log = from_frame(data, exposure="shown", outcome="click", context=("device",), timestamp="at")
    fit = fit_scm(zoo.popularity_exposure.with_parameters(dim=1), log, steps=2)
    rows = frame(simulate(fit, UNIFORM, per_user=2, rng=1))
    real = data.set_index("user")
    for user, at, device in zip(rows["user"], rows["at"], rows["device"], strict=True):
        assert device == real.loc[user, "device"].iloc[0]
        assert at in set(real.loc[user, "at"])


def test_again_makes_the_same_rows_from_the_card() -> None:
    fit = fitted("self_selection")
    for batch in (
        simulate(fit, replace(exposure=policies.uniform(0.5)), per_user=7, draws=2, rng=8, truth=True),
        simulate(fit, fix(popularity=0.0), users=9, rng=8),
        simulate(fit, rng=8),
    ):
        assert again(batch.card, fit).table.equals(batch.table)


def test_again_wants_the_fit_and_the_policy_of_the_card() -> None:
    fit = fitted("self_selection")
    card = simulate(fit, UNIFORM, rng=8).card
    with pytest.raises(InputError, match="belongs to the fit"):
        again(card, fitted("self_selection", 31))
    with pytest.raises(InputError, match="was changed"):
        again({**card, "seed": 9}, fit)
    with pytest.raises(InputError, match="not by simulate"):
        again({**card, "kind": "augment"}, fit)

    def half(rows: pd.DataFrame) -> float:
        return 0.5

    own = simulate(fit, replace(exposure=half), per_user=7, rng=8)
    with pytest.raises(InputError, match="policy="):
        again(own.card, fit)
    assert again(own.card, fit, half).table.equals(own.table)


def test_it_shows_itself_in_a_notebook() -> None:
    shown = simulate(fitted("self_selection"), UNIFORM, rng=1)._repr_html_()
    assert "do(exposure ~ uniform)" in shown
    assert "identification" in shown
