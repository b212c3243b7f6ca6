"""Effects: right in known worlds, nothing where nothing is done, and a card that says what they rest on."""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import pyro.distributions as dist
import pytest
import torch
from tests.inference import programs
from tests.inference.test_fit import impressions
from tests.inference.worlds import ZOO, zoo_log
from tests.query.worlds import confounded, hourly_fit, zoo_fit

import counterlog as cl
from counterlog.errors import InputError, RefusedError, UnknownNameError
from counterlog.inference.population import log_rows, pieces
from counterlog.model.interventions import Intervention
from counterlog.model.worlds import run
from counterlog.query import intervals
from counterlog.rng import seeded

# truth


def test_without_confounding_the_corrected_answer_is_the_naive_one() -> None:
    log = impressions(60, 20)
    answer = cl.effect(cl.fit(programs.no_latents, log, steps=400), "click", cl.fix(exposure=1), draws=60)
    assert answer.naive == pytest.approx(log.outcome[log.exposure == 1].mean())
    assert answer.estimate == pytest.approx(answer.naive, abs=0.012)  # the posterior sd is 0.019; its mean is close
    assert answer.interval[0] < answer.naive < answer.interval[1]


def test_with_an_observed_confounder_the_answer_is_near_the_truth_and_the_naive_one_is_not() -> None:
    _, truth = confounded()
    answer = cl.effect(hourly_fit(), "click", cl.fix(exposure=1), draws=60)
    # half of the 3,200 rows taught: standard error about 0.015; the bias of the naive mean is 0.1
    assert answer.naive - truth > 0.07
    assert abs(answer.estimate - truth) < 0.04
    assert answer.interval[0] < truth < answer.interval[1]


def test_an_effect_of_the_cause_of_both_flows_through_exposure_and_directly() -> None:
    fit = hourly_fit()
    total = cl.effect(fit, "click", cl.fix(hour=1.0), cl.fix(hour=-1.0), draws=40)
    direct = cl.effect(fit, "click", cl.fix(hour=1.0, exposure=1), cl.fix(hour=-1.0, exposure=1), draws=40)
    sigmoid = lambda x: 1 / (1 + np.exp(-x))  # noqa: E731
    assert direct.estimate == pytest.approx(sigmoid(0.2) - sigmoid(-1.8), abs=0.07)
    assert total.estimate == pytest.approx(sigmoid(2) * sigmoid(0.2) - sigmoid(-2) * sigmoid(-1.8), abs=0.07)


# nothing done, nothing changed


@pytest.mark.parametrize("name", ZOO)
def test_a_contrast_of_a_world_with_itself_is_exactly_nothing(name: str) -> None:
    fit = zoo_fit(name)
    for do in (cl.fix(exposure=1), cl.shift(popularity=0.5), Intervention()):
        answer = cl.effect(fit, fit.scm.outcome, do, do, by="item", draws=10)
        assert answer.estimate == 0.0
        assert answer.interval == (0.0, 0.0)
        assert all(group["estimate"] == 0.0 for group in answer.groups)


@pytest.mark.parametrize("name", ZOO)
def test_doing_what_happened_changes_nothing(name: str) -> None:
    fit = zoo_fit(name)
    piece = next(pieces(fit.cells, log_rows(fit)))
    given = piece.given(fit.draw(0, 0))
    sites = fit.scm.sites()
    with seeded(0):
        natural = run(fit.scm, piece.view, given, Intervention())
    for site in given.keys() & sites.keys():
        moved = {n for n in given if n in sites and n in _below(fit, site)}
        with seeded(0):
            again = run(fit.scm, piece.view, given, cl.fix(**{site: natural.values[site]}))
        if not moved:  # else those are drawn anew, which is no longer what happened
            assert all(torch.equal(again.values[n], v) for n, v in natural.values.items()), site


def _below(fit: Any, site: str) -> set[str]:
    import networkx as nx

    return nx.descendants(fit.scm.graph(), site)


# how it is asked


def test_the_same_question_has_the_same_answer_and_pieces_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    fit, ask = zoo_fit("self_selection"), {"on": "rating", "do": cl.fix(exposure=1), "draws": 12}
    first = cl.effect(fit, **ask)
    assert cl.effect(fit, **ask).draws == first.draws
    assert cl.effect(fit, **ask, rng=1).draws != first.draws
    monkeypatch.setattr(sys.modules["counterlog.query.effect"], "pieces", lambda cells, whole: pieces(cells, whole, 37))
    np.testing.assert_allclose(cl.effect(fit, **ask).draws, first.draws, rtol=1e-5)  # a mean that needs no draw


@pytest.mark.parametrize("by", ["item", "user", "hour", "device"])
def test_groups_add_up_to_the_whole(by: str) -> None:
    fit = hourly_fit()
    answer = cl.effect(fit, "click", cl.fix(exposure=1), by=by, draws=10)
    weights = np.array([group["rows"] for group in answer.groups])
    assert weights.sum() == fit.log.rows
    estimates = np.array([group["estimate"] for group in answer.groups])
    assert (weights @ estimates) / weights.sum() == pytest.approx(answer.estimate, rel=1e-6)
    names = {group["group"] for group in answer.groups}
    if by == "device":
        assert names == {"desk", "phone", "TV"}
        table = fit.log.table.to_pandas()
        expected = table[table.exposure == 1].groupby("device").click.mean()
        for group in answer.groups:
            assert group["naive"] == pytest.approx(expected[group["group"]])
    if by == "hour":
        assert sum(group["naive"] is not None for group in answer.groups) == (fit.log.exposure == 1).sum()
    assert len(answer.to_frame()) == len(answer.groups)


def test_roles_under_other_names_can_be_grouped_by() -> None:
    import pyarrow as pa

    table = pa.table({"uid": [1, 1, 2], "sku": ["x", "y", "x"], "shown": [1, 1, 0], "click": [1, 0, 0]})
    log = cl.from_frame(table, user="uid", item="sku", exposure="shown", outcome="click")
    fit = cl.fit(programs.quick, log, steps=5)
    for by in ("item", "sku"):
        assert [g["group"] for g in cl.effect(fit, "click", cl.fix(exposure=1), by=by, draws=10).groups] == ["x", "y"]


def test_ratings_are_asked_and_answered_in_the_units_of_the_log() -> None:
    import pyarrow as pa

    stars = [0.5, 1.0, 2.0, 5.0]
    rng = np.random.default_rng(0)
    n = 300
    table = pa.table({"user": np.arange(n) // 15, "item": np.arange(n) % 15, "rating": rng.choice(stars, n)})
    fit = cl.fit(programs.rated, cl.from_frame(table, outcome="rating"), steps=20)
    for star in stars:
        assert cl.effect(fit, "rating", cl.fix(rating=star), draws=10).estimate == pytest.approx(star)
    low, high = (cl.effect(fit, "exposure", cl.fix(rating=s), draws=10).estimate for s in (0.5, 5.0))
    assert low != high
    with pytest.raises(InputError, match=r"fix\(rating=3\) is outside the log's levels: 0.5, 1, 2, 5"):
        cl.effect(fit, "exposure", cl.fix(rating=3), draws=10)
    with pytest.raises(RefusedError, match="cannot be shifted"):
        cl.effect(fit, "exposure", cl.shift(rating=1), draws=10)


def test_policies_see_ids_and_context_as_the_log_has_them() -> None:
    seen: dict[str, set] = {}

    def policy(rows: Any) -> Any:
        seen.update({name: set(rows[name]) for name in rows})
        return (rows["device"] == "phone").to_numpy() * 1.0

    fit = hourly_fit()
    answer = cl.effect(fit, "exposure", cl.replace(exposure=policy), draws=10)
    assert answer.estimate == pytest.approx((fit.log.table["device"].to_numpy() == "phone").mean())
    assert seen["device"] == {"desk", "phone", "TV"}
    assert "u0" in seen["user"]
    assert "i0" in seen["item"]


def test_arrays_follow_users_items_and_rows_of_the_log_into_every_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    fit = hourly_fit()
    monkeypatch.setattr(
        sys.modules["counterlog.query.effect"], "pieces", lambda cells, whole: pieces(cells, whole, 333)
    )
    asked = cl.fix(exposure=fit.log.exposure)  # what happened, in the order of the log
    groups = cl.effect(fit, "exposure", asked, by="user", draws=10).groups
    shown = fit.log.table.to_pandas().groupby("user").exposure.mean()
    assert {g["group"]: g["estimate"] for g in groups} == pytest.approx(shown.to_dict())
    ratings = zoo_fit("self_selection")
    n_items = len(ratings.log.items)
    quality = np.linspace(-3, 3, n_items)
    by_item = cl.effect(ratings, "rating", cl.fix(quality=quality), by="item", draws=10).groups
    assert by_item[-1]["estimate"] > by_item[0]["estimate"] + 1
    with pytest.raises(InputError, match=r"fix\(quality=...\) got 3 values; expected \d+, one for each item"):
        cl.effect(ratings, "rating", cl.fix(quality=[1.0, 2.0, 3.0]), draws=10)
    with pytest.raises(InputError, match="these are all cells of the grid"):
        cl.effect(ratings, "rating", cl.fix(exposure=[1, 0]), draws=10)


def test_a_large_population_is_sampled_and_says_so() -> None:
    fit = hourly_fit()
    answer = cl.effect(fit, "click", cl.fix(exposure=1), draws=10, limit=500)
    assert "500 of the 3,200 opportunities of the log, sampled" in answer.card.estimand
    # 500 of 3,200 rows of chances with sd 0.2: 5 standard errors
    assert answer.estimate == pytest.approx(cl.effect(fit, "click", cl.fix(exposure=1), draws=10).estimate, abs=0.045)
    grid = cl.effect(zoo_fit("self_selection"), "rating", cl.fix(exposure=1), draws=10, limit=50)
    assert "cells sampled from all" in grid.card.estimand


@pytest.mark.parametrize(
    ("ask", "error", "said"),
    [
        ({"on": "clck", "do": cl.fix(exposure=1)}, UnknownNameError, "no site 'clck'.*did you mean 'click'"),
        ({"on": "base", "do": cl.fix(exposure=1)}, RefusedError, "'base' is not a site of an opportunity"),
        ({"on": "click", "do": cl.fix(exposur=1)}, UnknownNameError, "did you mean 'exposure'"),
        ({"on": "click", "do": cl.fix(exposure=1), "versus": cl.fix(exposur=1)}, UnknownNameError, "did you mean"),
        ({"on": "click", "do": cl.fix(exposure=2)}, InputError, "outside the values"),
        ({"on": "click", "do": cl.fix(exposure=1), "by": "devise"}, UnknownNameError, "did you mean 'device'"),
        ({"on": "click", "do": cl.fix(exposure=1), "draws": 5}, InputError, "at least 10 draws; given 5"),
        ({"on": "click", "do": cl.replace(exposure=lambda rows: 2.0)}, InputError, "a probability is in"),
    ],
)
def test_questions_without_an_answer(ask: dict[str, Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        cl.effect(hourly_fit(), **{"draws": 10, **ask})


def test_a_grid_has_no_context_to_group_by() -> None:
    import pyarrow as pa

    table = zoo_log("self_selection").table
    table = table.append_column("device", pa.array(["phone"] * len(table)))
    fit = cl.fit(programs.rated, cl.from_frame(table, outcome="rating", context=("device",)), steps=3)
    with pytest.raises(RefusedError, match="all cells of the grid, which have no 'device'"):
        cl.effect(fit, "rating", cl.fix(exposure=1), by="device", draws=10)


def test_a_mean_that_does_not_exist_is_refused() -> None:
    with pytest.raises(RefusedError, match="Cauchy"):
        cl.effect(hourly_fit(), "hour", cl.replace(hour=dist.Cauchy(0.0, 1.0)), draws=10)


# the card


def test_an_observed_confounder_identifies_and_is_named() -> None:
    card = cl.effect(hourly_fit(), "click", cl.fix(exposure=1), draws=10).card
    assert card.identified is True
    assert card.adjust_for == ("hour",)
    assert card.because == ""
    assert card.rung == "L2"
    assert "identified from the observed columns" in card.to_text()
    assert card.estimand.startswith("E[click | do(exposure=1)], averaged over")


def test_a_latent_confounder_does_not_identify_and_is_named() -> None:
    card = cl.effect(zoo_fit("popularity_exposure"), "click", cl.fix(exposure=1), draws=10).card
    assert card.identified is False
    assert "attribute, preference" in card.because
    assert "popularity" not in card.because  # it acts on exposure alone
    assert "preference" in card.rests_on


@pytest.mark.parametrize(
    ("name", "do", "said"),
    [
        ("self_selection", cl.fix(exposure=1), "rating is a cause of exposure"),
        ("latent_exposure", cl.fix(exposure=1), "exposure is not observed"),
        ("position_examination", cl.fix(exposure=1), "exposure is not observed"),
        ("position_examination", cl.fix(position=1), "unseen common causes of position and click: popularity"),
        ("popularity_exposure", cl.fix(popularity=0.0), "popularity is not observed"),
        ("popularity_exposure", cl.fix(targeting=0.0), "targeting is a parameter of the program"),
        ("popularity_exposure", Intervention(), "no site is acted on"),
    ],
)
def test_why_it_is_not_identified(name: str, do: Intervention, said: str) -> None:
    fit = zoo_fit(name)
    card = cl.effect(fit, fit.scm.outcome, do, draws=10).card
    assert not card.identified
    assert said in card.because
    assert card.rung == ("L2" if do else "L1")


def test_an_outcome_seen_only_where_it_was_shown_identifies_nothing_about_its_own_effects() -> None:
    card = cl.effect(zoo_fit("self_selection"), "exposure", cl.fix(rating=5), cl.fix(rating=1), draws=10).card
    assert not card.identified
    assert card.estimand.startswith("E[exposure | do(rating=5)] - E[exposure | do(rating=1)], averaged")


def test_no_cause_in_common_needs_no_adjustment() -> None:
    card = cl.effect(cl.fit(programs.no_latents, impressions(), steps=5), "click", cl.fix(exposure=1), draws=10).card
    assert (card.identified, card.adjust_for) == (True, ())


def test_planted_lack_of_overlap_fails() -> None:
    good = cl.effect(cl.fit(programs.no_latents, impressions(), steps=100), "click", cl.fix(exposure=1), draws=10)
    assert good.card.overlap["status"] == "PASS"
    assert good.card.overlap["ess_share"] == pytest.approx(1.0, abs=1e-3)
    log, _ = confounded(40, 20, lift=8.0)
    bad = cl.effect(cl.fit(programs.hourly, log, steps=150), "click", cl.fix(exposure=1), draws=10)
    assert bad.card.overlap["status"] == "FAIL"
    assert bad.card.overlap["share_below_0.001"] > 0.05


def test_propensities_are_those_of_the_program() -> None:
    fit = hourly_fit()
    overlap = cl.effect(fit, "click", cl.fix(exposure=1), draws=10).card.overlap
    hour = fit.log.table["hour"].to_numpy()
    expected = np.quantile(1 / (1 + np.exp(-2 * hour)), [0.05, 0.5, 0.95])
    np.testing.assert_allclose([overlap["q05"], overlap["q50"], overlap["q95"]], expected, atol=0.06)


def test_answers_are_strict_json_and_words() -> None:
    answer = cl.effect(hourly_fit(), "click", cl.fix(exposure=1), cl.fix(exposure=0), by="device", draws=10)
    data = json.loads(json.dumps(answer.to_json(), allow_nan=False))
    assert data["interval"] == list(answer.interval)
    assert data["card"]["adjust_for"] == ["hour"]
    assert {"group", "estimate", "interval", "naive", "rows"} <= set(data["groups"][0])
    assert "against do(exposure=0)" in str(answer)
    assert "<svg" in answer._repr_html_()


# what the log says by itself


def test_naive_answers() -> None:
    log = confounded()[0]
    click, shown = log.outcome, log.exposure == 1
    ask = {"on": "click", "draws": 10}
    fit = hourly_fit()
    assert cl.effect(fit, **ask, do=cl.fix(exposure=1)).naive == pytest.approx(click[shown].mean())
    assert cl.effect(fit, **ask, do=cl.fix(exposure=0)).naive == 0.0
    contrast = cl.effect(fit, **ask, do=cl.fix(exposure=1), versus=cl.fix(exposure=0))
    assert contrast.naive == pytest.approx(click[shown].mean())
    assert cl.effect(fit, **ask, do=Intervention()).naive == pytest.approx(click.mean())
    assert cl.effect(fit, on="exposure", do=Intervention(), draws=10).naive == pytest.approx(shown.mean())
    assert cl.effect(fit, **ask, do=cl.fix(hour=99.0)).naive is None
    ratings = zoo_fit("self_selection")
    assert cl.effect(ratings, "rating", cl.fix(exposure=1), draws=10).naive == pytest.approx(ratings.log.outcome.mean())
    slates = zoo_fit("position_examination")
    first = slates.log.position == 1
    assert cl.effect(slates, "click", cl.fix(position=1), draws=10).naive == pytest.approx(
        slates.log.outcome[first].mean()
    )


# intervals


def test_widening_moves_quantiles_away_from_the_mean() -> None:
    draws = np.random.default_rng(0).normal(2.0, 1.0, (4000, 3))
    low, high = intervals.widened(draws, 4.0)
    np.testing.assert_allclose(high - 2.0, 4 * 1.645, atol=0.4)
    np.testing.assert_allclose(2.0 - low, 4 * 1.645, atol=0.4)
    one = intervals.widened(draws, 1.0)
    np.testing.assert_allclose(one, np.quantile(draws, [0.05, 0.95], axis=0))


def test_an_interval_stays_where_answers_can_be() -> None:
    rough = zoo_fit("latent_exposure")
    answer = cl.effect(rough, "click", cl.fix(exposure=1), by="user", draws=10)
    assert all(0 <= g["interval"][0] <= g["interval"][1] <= 1 for g in (*answer.groups, {"interval": answer.interval}))
    ratings = cl.effect(zoo_fit("self_selection"), "rating", cl.fix(exposure=1), by="user", draws=10)
    assert all(1 <= g["interval"][0] <= g["interval"][1] <= 5 for g in ratings.groups)
