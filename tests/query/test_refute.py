"""Refuters: each fires on its planted fault, stays quiet on clean worlds, and says why where it cannot be asked."""

from __future__ import annotations

import functools
import json
from typing import Any

import numpy as np
import pyro.distributions as dist
import pytest
import torch
from tests.inference import programs
from tests.inference.test_fit import impressions
from tests.inference.worlds import zoo_log
from tests.query.refutable import clean, hard_coded, lacks_an_arrow, takes_for_granted, world
from tests.query.unseen import clicked
from tests.query.worlds import zoo_fit

import counterlog as cl
from counterlog.errors import InputError, RefusedError, UnknownNameError
from counterlog.inference.population import log_rows, pieces
from counterlog.model.interventions import Intervention
from counterlog.model.mechanisms import OrdinalRating
from counterlog.model.worlds import run
from counterlog.query.refit import Case, doubt, judged, known_rows
from counterlog.query.refutation import Refutation, Refuted
from counterlog.query.refute_columns import back_door, implied_independences
from counterlog.query.refute_known import dummy_outcome, placebo_exposure
from counterlog.query.refute_stable import COEFFICIENTS, added, of_users, random_common_cause, subset, with_random_cause
from counterlog.rng import seeded

FITTING = (placebo_exposure, random_common_cause, subset, dummy_outcome)

# planted faults


def test_a_placebo_exposure_finds_a_selection_that_is_taken_for_granted() -> None:
    fit = cl.fit(hard_coded, world("rating", 0), steps=120)
    found = cl.refute(fit, refuters=[placebo_exposure])["placebo exposure"]
    assert found.status == "REVIEW"
    assert found.p_value < 1e-3
    assert found.refuted < found.expected - 0.3, "ratings that nobody hid are taken to be hidden because they are low"
    assert found.expected == pytest.approx(np.nanmean(np.where(fit.log.exposure > 0, fit.log.outcome, np.nan)))
    assert not found.interval[0] < found.refuted < found.interval[1]
    assert "corrects what is not biased" in found.advice


def test_a_random_common_cause_finds_a_fit_that_had_not_arrived() -> None:
    fit = cl.fit(clicked, world("click", 0), steps=15)
    found = cl.refute(fit, refuters=[random_common_cause])["random common cause"]
    assert found.status == "REVIEW"
    assert "more steps" in found.advice


def test_halves_of_the_users_find_a_robot_that_carries_the_answer() -> None:
    fit = cl.fit(clicked, world("click", 0, bots=1), steps=200)
    found = cl.refute(fit, refuters=[subset])["subset"]
    assert found.status == "REVIEW"
    assert found.refuted > found.expected + 0.05, "without the robot, which never clicks, people click more"
    assert "robots" in found.advice


def test_a_dummy_outcome_finds_a_dependence_that_is_taken_for_granted() -> None:
    fit = cl.fit(takes_for_granted, world("click", 0), steps=120)
    found = cl.refute(fit, refuters=[dummy_outcome])["dummy outcome"]
    assert found.status == "REVIEW"
    assert found.refuted > found.expected + 0.05


def test_the_back_door_estimate_finds_a_wrong_form_and_its_own_refuters_pass() -> None:
    wrong = cl.refute(cl.fit(takes_for_granted, world("click", 0), steps=150), refuters=[back_door])
    assert wrong["back-door estimate"].status == "REVIEW"
    assert wrong["back-door estimate"].p_value < 1e-3
    right = cl.refute(clean("click", 0, 100), refuters=[back_door])
    assert {r.status for r in right.results} == {"PASS"}
    assert right["DoWhy placebo treatment"].refuted == pytest.approx(0.0, abs=0.03)  # not of stale propensities
    assert right["back-door estimate"].refuted == wrong["back-door estimate"].refuted, "it is of the log alone"


def test_implied_independences_find_a_missing_arrow() -> None:
    fit = cl.fit(lacks_an_arrow, world("click", 0), steps=20)
    found = cl.refute(fit, refuters=[implied_independences])["implied independences"]
    assert found.status == "REVIEW"
    assert "hour" in found.message
    assert "an arrow is missing" in found.advice


# clean worlds


@functools.cache
def quick_clean() -> Refutation:
    return cl.refute(clean("click", 0, 100), refuters=FITTING)


def test_a_clean_world_passes_everything() -> None:
    found = quick_clean()
    assert {r.name: r.status for r in found.results} == {
        "placebo exposure": "PASS",
        "random common cause": "PASS",
        "subset": "PASS",
        "dummy outcome": "PASS",
    }
    assert found.verdict == "PASS"
    assert found.rate == pytest.approx(0.2)


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_forty_clean_worlds_stay_quiet_at_the_stated_rate(record_property: Any) -> None:
    """At a rate of 0.05 more than 6 of 40 alarms have a probability of 0.0034 for each of the four refuters."""
    kinds = ["click"] * 14 + ["rating"] * 13 + ["taste"] * 13
    alarms: dict[str, int] = {}
    scores: dict[str, list[float]] = {}
    for seed, kind in enumerate(kinds):
        found = cl.refute(clean(kind, seed + 100, 200), refuters=FITTING, rng=seed)
        for result in found.results:
            alarms[result.name] = alarms.get(result.name, 0) + (result.status == "REVIEW")
            scores.setdefault(result.name, []).append(result.p_value)
    record_property("alarms", alarms)
    print({name: (alarms[name], np.round(np.quantile(p, [0, 0.1, 0.5]), 3)) for name, p in scores.items()})
    assert all(count <= 6 for count in alarms.values()), alarms
    assert set(alarms) == {"placebo exposure", "random common cause", "subset", "dummy outcome"}


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_the_back_door_estimate_is_quiet_in_forty_clean_worlds() -> None:
    """At a rate of 0.05 more than 6 of 40 alarms have a probability of 0.0034."""
    alarms: dict[str, int] = {}
    for seed in range(40):
        for result in cl.refute(clean(("click", "rating")[seed % 2], seed + 200, 200), refuters=[back_door]).results:
            alarms[result.name] = alarms.get(result.name, 0) + (result.status == "REVIEW")
    print(alarms)
    assert len(alarms) == 4
    assert all(count <= 6 for count in alarms.values()), alarms


# the test


def test_the_test_keeps_its_rate_and_finds_what_is_far() -> None:
    """20,000 normal draws of three repeats: the observed rate lies within 0.05 +- 0.01 and not above (6 sd)."""
    answer = quick_clean()
    fit = clean("click", 0, 100)
    case = Case(
        fit, "click", cl.fix(exposure=1), cl.effect(fit, "click", cl.fix(exposure=1), draws=10), 3, 0, 0.05, print
    )
    rng = np.random.default_rng(0)
    ask = lambda got, sd: judged(case, "x", got, 0.0, sd, "", "look", "")  # noqa: E731
    alarms = [ask(row, 0.0).status == "REVIEW" for row in rng.normal(size=(4000, 3))]
    assert np.mean(alarms) == pytest.approx(0.05, abs=0.014)  # a t-test: 4 sd of 4,000 draws
    shared = [ask(row, 1.0).status == "REVIEW" for row in rng.normal(size=(4000, 3)) + rng.normal(size=(4000, 1))]
    assert np.mean(shared) < 0.064
    assert ask([5.0, 5.1, 4.9], 0.5).status == "REVIEW"
    assert ask([5.0], 0.5).status == "REVIEW"
    assert ask([0.2, 0.2], 0.0).status == "REVIEW"
    assert ask([0.0, 0.0], 0.0).status == "PASS"
    assert answer.results[0].advice == ""


# what is changed


def test_a_placebo_hides_half_of_the_known_outcomes_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    fit = zoo_fit("self_selection")  # ratings without an exposure column
    seen = []

    def again(self: Case, name: str, index: int, log: Any, scm: Any = None, times: int = 1) -> Any:
        seen.append(log)
        return fit

    monkeypatch.setattr(Case, "again", again)
    monkeypatch.setattr(Case, "ask", lambda self, fit, by=None: self.answer)
    cl.refute(fit, refuters=[placebo_exposure], repeats=2)
    rows = known_rows(fit)
    for log in seen:
        assert log.rows == len(rows) == fit.log.rows
        assert log.exposure.mean() == pytest.approx(0.5, abs=0.01)
        assert np.isfinite(log.outcome[log.exposure == 1]).all()
        assert np.isnan(log.outcome[log.exposure == 0]).all()
        np.testing.assert_array_equal(log.outcome[log.exposure == 1], fit.log.outcome[log.exposure == 1])
        assert log.levels == fit.log.levels
        assert log.users is fit.log.users
    assert not np.array_equal(seen[0].exposure, seen[1].exposure)


def test_a_dummy_outcome_has_the_marginal_of_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    fit = clean("rating", 0, 50)
    seen = []

    def again(self: Case, name: str, index: int, log: Any, scm: Any = None, times: int = 1) -> Any:
        seen.append(log)
        return fit

    monkeypatch.setattr(Case, "again", again)
    cl.refute(fit, refuters=[dummy_outcome], repeats=1)
    (log,) = seen
    np.testing.assert_array_equal(np.sort(log.outcome), np.sort(fit.log.outcome))
    np.testing.assert_array_equal(np.isnan(log.outcome), np.isnan(fit.log.outcome))
    assert not np.array_equal(log.outcome, fit.log.outcome, equal_nan=True)
    assert log.exposure.tolist() == fit.log.exposure.tolist()


def test_a_log_of_some_users_keeps_their_rows_features_and_ids() -> None:
    log = zoo_log("popularity_exposure")
    part = of_users(log, np.array([3, 7, 8]))
    assert part.users.labels == [log.users.labels[k] for k in (3, 7, 8)]
    assert part.rows == np.isin(log.user_codes, [3, 7, 8]).sum()
    assert set(part.user_codes) == {0, 1, 2}
    assert part.items is log.items


@pytest.mark.parametrize("name", ["latent_exposure", "popularity_exposure", "position_examination", "self_selection"])
def test_the_added_cause_is_hidden_from_the_program_and_moves_both(name: str) -> None:
    scm = with_random_cause(zoo_fit(name).scm)
    sites = scm.validate()
    assert set(COEFFICIENTS) <= set(sites)
    graph = scm.graph()
    assert graph.has_edge(COEFFICIENTS[0], scm.exposure)
    assert graph.has_edge(COEFFICIENTS[1], scm.outcome)
    assert not graph.has_edge(COEFFICIENTS[0], scm.outcome)
    assert scm.name == name


def test_without_coefficients_the_program_is_as_it_was() -> None:
    fit = zoo_fit("popularity_exposure")
    import dataclasses

    piece = next(pieces(fit.cells, log_rows(fit)))
    given = piece.given(fit.draw(0, 0))
    more = [torch.cat([f, torch.randn(len(f), 1)], 1) for f in (piece.view.user_features, piece.view.item_features)]
    view = dataclasses.replace(piece.view, user_features=more[0], item_features=more[1])
    with seeded(0):
        plain = run(fit.scm, piece.view, given, Intervention())
    for size in (0.0, 1.0):
        with seeded(0):
            added_ = run(
                with_random_cause(fit.scm),
                view,
                {**given, **dict.fromkeys(COEFFICIENTS, torch.tensor(size))},
                Intervention(),
            )
        same = torch.allclose(added_.mean("exposure"), plain.mean("exposure"), atol=1e-5)
        assert same == (size == 0.0)


@pytest.mark.parametrize(
    ("fn", "predictor"),
    [
        (dist.Bernoulli(probs=torch.tensor(0.3)), lambda d: d.logits),
        (OrdinalRating(torch.tensor(0.2), torch.tensor([-1.0, 1.0])), lambda d: d.affinity),
        (dist.Poisson(torch.tensor(2.0)), lambda d: d.mean.log()),
        (dist.LogNormal(torch.tensor(0.4), 0.5), lambda d: d.mean.log()),
        (dist.Exponential(torch.tensor(0.4)), lambda d: d.mean.log()),
        (dist.Gamma(torch.tensor(2.0), torch.tensor(0.4)), lambda d: d.mean.log()),
        (dist.Normal(torch.tensor(2.0), torch.tensor(3.0)), lambda d: d.mean / 3.0),
    ],
)
def test_what_is_added_is_added_to_the_linear_predictor(fn: Any, predictor: Any) -> None:
    more = added("site", fn, torch.tensor(0.7))
    assert float(predictor(more) - predictor(fn)) == pytest.approx(0.7, abs=1e-5)
    with pytest.raises(RefusedError, match="'site' \\(Cauchy\\)"):
        added("site", dist.Cauchy(0.0, 1.0), torch.tensor(0.7))


# what cannot be asked


def plain() -> Any:
    return cl.fit(programs.no_latents, impressions(), steps=5)


def test_what_cannot_be_asked_is_skipped_with_the_reason() -> None:
    def why(name: str, refuter: Any, **ask: Any) -> str:
        found = cl.refute(zoo_fit(name), refuters=[refuter], **ask)
        assert found.verdict == found.results[0].status == "SKIPPED"
        assert found.results[0].p_value is None
        return found.results[0].message

    assert "exposure is latent" in why("latent_exposure", placebo_exposure)
    assert "exposure is latent" in why("position_examination", dummy_outcome)
    assert "rating is a cause of exposure" in why("self_selection", dummy_outcome)
    assert "unseen common causes of exposure and click" in why("popularity_exposure", back_door)
    assert "no rows of what was not exposed" in why("self_selection", back_door)
    assert "nothing to adjust for" in cl.refute(plain(), refuters=[back_door]).results[0].message
    for refuter in (placebo_exposure, dummy_outcome, back_door):
        assert "was not asked here" in why("popularity_exposure", refuter, do=cl.fix(exposure=0))
    found = cl.refute(clean("click", 0, 100), refuters=[implied_independences])
    assert "implies no independence" in found.results[0].message


def test_the_log_must_be_that_of_the_fit() -> None:
    fit = clean("click", 0, 100)
    other = world("click", 1)
    with pytest.raises(InputError, match="was made for another log"):
        cl.refute(fit, other)
    same = world("click", 0)
    assert same is not fit.log
    assert cl.refute(fit, same, refuters=[implied_independences]).on == "click"


@pytest.mark.parametrize(
    ("ask", "said"),
    [({"repeats": 0}, "repeats=0"), ({"rate": 0.0}, "rate=0.0"), ({"refuters": []}, "refuters is empty")],
)
def test_options_out_of_range(ask: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        cl.refute(clean("click", 0, 100), **ask)


# the answer


def test_the_answer_is_whole() -> None:
    found = quick_clean()
    data = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert data["verdict"] == "PASS"
    assert {"name", "status", "statistic", "p_value", "rate", "message", "advice", "cannot_see"} <= set(
        data["refuters"][0]
    )
    assert list(found.to_frame().name) == [r.name for r in found.results]
    said = str(found)
    assert "It cannot see" in said
    assert "Verdict: PASS" in said
    assert "<svg" in found._repr_html_()
    assert found["subset"].repeats == 2
    with pytest.raises(UnknownNameError, match="did you mean 'subset'"):
        found["subsets"]
    assert doubt(cl.effect(clean("click", 0, 100), "click", cl.fix(exposure=1), draws=10)) > 0
    nothing = Refutation("click", "do(exposure=1)", 0.1, (0.0, 0.2), 0.9, (Refuted("x", "SKIPPED", "<b>\x00"),))
    assert "<b>" not in nothing._repr_html_()
