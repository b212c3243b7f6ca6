"""Sensitivity: exact in a world that can be summed, right about planted causes, clear about what it cannot answer."""

from __future__ import annotations

import functools
import json
from typing import Any

import numpy as np
import pyro
import pyro.distributions as dist
import pytest
import torch
from scipy.optimize import brentq
from scipy.special import expit, logit
from tests.inference import programs
from tests.inference.test_fit import impressions
from tests.query.unseen import planted
from tests.query.worlds import hourly_fit, zoo_fit

import counterlog as cl
from counterlog.errors import InputError, RefusedError, UnknownNameError
from counterlog.model import scm
from counterlog.model.interventions import Intervention
from counterlog.query.sensitivity import e_value
from counterlog.query.sensitivity_laws import benchmarks_of, laws_of
from counterlog.query.sensitivity_sentence import sensitivity_sentence
from counterlog.query.unseen_cause import Levels, Magnitudes, change, strength

ALL = cl.fix(exposure=1)

# exactness: worlds that are summed over a fine grid of the unseen cause

U = np.linspace(-8.0, 8.0, 4001)
PHI = np.exp(-0.5 * U**2) / np.exp(-0.5 * U**2).sum()


def summed(
    alpha: float, cuts: list[float], selection: np.ndarray, a: float, b: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """What a program without the cause fits to this world's law of P(level, exposed): its level probabilities and
    log-odds of exposure, whose differences between levels are those of the world on average over the cause; and the
    true mean level under exposure.
    """
    above = expit(np.array(cuts)[:, None] + b * U)
    wide = np.vstack([np.ones_like(U), above, np.zeros_like(U)])
    level = wide[:-1] - wide[1:]
    joint = (level * expit(alpha + selection[:, None] + a * U)) @ PHI
    # a shift of the world's intercept at which the level probabilities of a program without the cause sum to 1
    averaged = lambda x: expit(x + selection[:, None] + a * U) @ PHI  # noqa: E731
    shift = brentq(lambda x: (joint / averaged(x)).sum() - 1.0, -30.0, 30.0, xtol=1e-13)
    return joint / averaged(shift), logit(averaged(shift)), float((level @ PHI) @ np.arange(len(joint)))


@pytest.mark.parametrize("selected", [False, True])
@pytest.mark.parametrize("n_levels", [2, 3, 5])
@pytest.mark.parametrize(("a", "b"), [(0.5, 0.5), (1.0, 1.0), (2.0, -1.0), (3.0, 3.0), (4.0, -4.0), (0.3, 3.0)])
def test_the_corrected_mean_is_the_truth_of_an_exact_world(n_levels: int, a: float, b: float, selected: bool) -> None:
    cuts = list(np.linspace(1.5, -1.5, n_levels - 1)) if n_levels > 2 else [0.3]
    selection = np.linspace(0.0, 2.0, n_levels) if selected else np.zeros(n_levels)
    probs, odds, truth = summed(-2.0, cuts, selection, a, b)
    laws = Levels(probs[None], odds[None] if selected else odds[None, :1], np.arange(n_levels, dtype=float), np.ones(1))
    naive = laws.plain()[0]
    corrected = laws.corrected(a, b)[0][0]
    assert corrected == pytest.approx(truth, abs=1e-3)
    assert abs(naive - truth) > 0.01, "what the program without the cause says is not the truth"
    assert np.sign(naive - truth) == np.sign(a * b)


@pytest.mark.parametrize(("a", "b"), [(1.0, 1.0), (2.0, -0.5), (3.0, 1.5)])
def test_the_corrected_mean_of_counts_and_reals_is_the_truth_too(a: float, b: float) -> None:
    shown = expit(-1.5 + a * U)
    odds = np.array([np.log(PHI @ shown / (1.0 - PHI @ shown))])
    rate = np.exp(0.4 + b * U)
    seen = PHI @ (rate * shown) / (PHI @ shown)
    counts = Magnitudes(np.array([seen]), odds, np.ones(1), np.ones(1), "log")
    assert counts.corrected(a, b)[0][0] == pytest.approx(PHI @ rate, rel=1e-3)
    spread = 2.0
    level = 5.0 + b * spread * U
    reals = Magnitudes(
        np.array([PHI @ (level * shown) / (PHI @ shown)]), odds, np.array([spread]), np.ones(1), "identity"
    )
    assert reals.corrected(a, b)[0][0] == pytest.approx(5.0, abs=1e-3)


def some_laws(n: int = 60, n_levels: int = 5, selected: bool = True) -> Levels:
    rng = np.random.default_rng(0)
    odds = rng.normal(-2.0, 1.5, n)[:, None] + (np.linspace(0.0, 2.0, n_levels) if selected else np.zeros(1))
    return Levels(rng.dirichlet(np.ones(n_levels), n), odds, np.arange(1.0, n_levels + 1.0), np.full(n, 1 / n))


@pytest.mark.parametrize("selected", [False, True])
def test_a_cause_of_one_of_them_alone_changes_nothing(selected: bool) -> None:
    laws = some_laws(selected=selected)
    thresholds = np.log(1.0 / np.cumsum(laws.probs, 1)[:, :-1] - 1.0)
    for a, b in ((0.0, 2.0), (2.0, 0.0), (0.0, 0.0)):
        assert change(laws, a, b)[0] == 0.0
        solved = laws._at(a, b, np.zeros((len(laws.weight), 5)), thresholds, 8)[0]  # not by the short way
        np.testing.assert_allclose(solved, laws.plain(), atol=1e-4)


def test_what_was_seen_stays_as_it_is_and_rare_and_certain_levels_are_no_trouble() -> None:
    probs = np.array([[1.0, 0.0, 0.0], [1e-9, 1.0 - 2e-9, 1e-9], [0.3, 0.3, 0.4], [0.0, 0.0, 1.0]])
    odds = np.array([[30.0], [-30.0], [-8.0], [0.0]])
    laws = Levels(probs, odds, np.arange(3.0), np.full(4, 0.25))
    for a, b in ((3.0, 3.0), (4.0, -4.0)):
        each = laws.corrected(a, b)[0]
        assert np.isfinite(each).all()
        assert each[0] == pytest.approx(0.0, abs=1e-3)
        assert each[3] == pytest.approx(2.0, abs=1e-3)


@pytest.mark.parametrize("laws", [some_laws(), some_laws(n_levels=2, selected=False)], ids=["selected", "clicks"])
def test_the_change_grows_with_the_strength_and_the_search_finds_it_again(laws: Levels) -> None:
    for side in (1.0, -1.0):
        moved = [change(laws, s, side * s)[0] for s in np.linspace(0.0, 3.0, 13)]
        assert np.all(np.diff(moved) * side < 0)
        for s in (0.4, 1.0, 2.3):
            assert strength(laws, change(laws, s, side * s)[0], 3.0) == pytest.approx(s, abs=5e-3)
        found = strength(laws, change(laws, 0.7, side * 1.4)[0], 3.0, ratio=2.0)
        assert found == pytest.approx(0.7, abs=5e-3)
        assert strength(laws, moved[-1] * 1.01, 3.0) is None
    assert strength(laws, 0.0, 3.0) == 0.0


def test_e_values_by_hand() -> None:
    assert e_value(0.2, 0.1) == pytest.approx(2 + np.sqrt(2))
    assert e_value(0.1, 0.2) == pytest.approx(2 + np.sqrt(2))
    # VanderWeele & Ding (2017), maternal breastfeeding and respiratory death: RR 3.9, limit 1.8
    assert e_value(0.39, 0.1) == pytest.approx(7.26, abs=0.005)
    assert e_value(0.18, 0.1) == pytest.approx(3.0, abs=0.005)
    assert e_value(0.3, 0.3) == 1.0
    assert e_value(0.3, 0.0) is None


# planted causes: the fitted program lacks them, the asked value is the truth


def recovered(kind: str, s: float, opposed: bool = False, **size: int) -> cl.query.Sensitivity:
    world = planted(kind, s, opposed, **size)
    return cl.sensitivity(world.fit, world.fit.scm.outcome, ALL, to=world.truth, rows=100, draws=2)


def test_the_strength_of_a_planted_cause_is_named_and_without_one_none_is_needed() -> None:
    found = recovered("click", 1.2, n_users=50, n_items=40)
    # 2,000 opportunities: the standard error of the answer is 0.015, the move 0.14
    assert 1.2 / 1.5 < found.strength < 1.2 * 1.5
    assert not found.opposed
    assert found.strength_of_limit > 0.5
    none = recovered("click", 0.0, n_users=50, n_items=40)
    assert none.strength_of_limit == 0.0
    assert none.strength < 0.6
    assert none.e_value_of_limit == 1.0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "s", "opposed"),
    [
        (k, s, o)
        for k in ("click", "rating", "selected")
        for s, o in ((0.7, False), (1.0, True), (1.5, False), (2.0, False))
    ]
    + [("dwell", 0.7, False), ("dwell", 0.7, True)],
)
def test_planted_strengths_are_named_within_a_factor_of_one_and_a_half(kind: str, s: float, opposed: bool) -> None:
    found = recovered(kind, s, opposed)
    assert found.opposed == opposed
    assert s / 1.5 < found.strength < s * 1.5


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["click", "rating", "selected", "dwell"])
def test_without_a_planted_cause_the_interval_holds_the_truth(kind: str) -> None:
    found = recovered(kind, 0.0)
    assert found.strength_of_limit == 0.0
    assert found.strength < 0.6


# the answer


@functools.cache
def naive_found() -> cl.query.Sensitivity:
    return cl.sensitivity(hourly_fit(), "click", ALL, rows=40, draws=1)


def test_the_answer_is_whole() -> None:
    fit = hourly_fit()
    steps: list[tuple[int, int]] = []
    found = cl.sensitivity(fit, "click", ALL, rows=40, draws=1, progress=lambda k, n: steps.append((k, n)))
    answer = cl.effect(fit, "click", ALL)
    assert (found.estimate, found.interval, found.to) == (answer.estimate, answer.interval, answer.naive)
    assert steps[-1][0] == steps[-1][1] == len(steps)
    assert found.opposed, "the naive answer is higher: only a cause that shows what is not liked hides more clicks"
    data = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert {"estimate", "to", "strength", "strength_of_limit", "table", "curve", "benchmarks", "e_value"} <= set(data)
    frame = found.to_frame()
    assert len(frame) == 7 * 13
    assert frame[(frame.a == 0) | (frame.b == 0)].answer.eq(found.estimate).all()
    for a, b in found.curve:
        moved = change(laws_of(fit, 0, 1, 40), a, b)[0]
        assert found.estimate + moved == pytest.approx(found.to, abs=2e-3)
    assert (found.strength, -found.strength) in found.curve
    said = str(found)
    for words in ("naive answer", "E-value", "hour", "assumes: the unseen cause is standard normal"):
        assert words in said
    assert naive_found() == found
    assert found.e_value == pytest.approx(e_value(found.estimate, found.to))


def test_what_cannot_be_reached_is_said() -> None:
    found = cl.sensitivity(hourly_fit(), "click", ALL, to=0.999, rows=40, draws=1, limit=1.0)
    assert found.strength is None
    assert found.strength_of_limit is None
    assert "no unseen cause of strength up to 1" in found.sentence
    assert found.curve == ()
    assert "nothing in this picture" in json.dumps(found.plot().to_dict())


def test_causes_that_the_program_has_are_measured_on_the_same_scale() -> None:
    fit = hourly_fit()
    lift = float(np.mean([draw.values()["lift"] for draw in fit.draws(50, 0)]))
    (hour,) = benchmarks_of(fit, 0, 20, 300)
    assert hour.site == "hour"
    # its coefficients are 2 lift and lift, its standard deviation 1
    assert hour.exposure == pytest.approx(2 * lift, rel=0.1)
    assert hour.outcome == pytest.approx(lift, rel=0.1)
    found = {b.site: b for b in benchmarks_of(zoo_fit("popularity_exposure"), 0, 2, 200)}
    assert found["popularity"].exposure > 0 == found["popularity"].outcome
    assert found["leniency"].outcome > 0 == found["leniency"].exposure
    assert {"preference", "attribute", "quality", "activity"} <= set(found)


@scm(exposure="exposure", outcome="click", latent=("mood",))
def moody(view: Any) -> None:
    """Mood, unseen, a coin of every opportunity, drives both; features and a context that is no site."""
    base = pyro.sample("base", dist.Normal(0.0, 1.0))
    with view.opportunities() as o:
        mood = pyro.sample("mood", dist.Bernoulli(0.25))
        exposure = pyro.sample("exposure", dist.Bernoulli(0.2 + 0.6 * mood))
        pyro.sample("click", dist.Bernoulli(probs=exposure * (base + 2.0 * mood + o.context["device"]).sigmoid()))


def test_unseen_sites_of_an_opportunity_count_with_their_probability() -> None:
    log = impressions(12, 10)
    table = log.table.append_column("device", [np.arange(log.rows) % 2 * 1.0])
    fit = cl.fit(moody, cl.from_frame(table, exposure="exposure", outcome="click", context=("device",)), steps=20)
    laws = laws_of(fit, 0, 2, 120)
    assert len(laws.weight) == 2 * 2 * 120
    assert laws.weight.sum() == pytest.approx(1.0)
    shares = {
        round(float(p), 4): float(laws.weight[np.isclose(expit(laws.exposure[:, 0]), p)].sum()) for p in (0.2, 0.8)
    }
    assert shares == pytest.approx({0.2: 0.75, 0.8: 0.25}, abs=1e-5)
    # the same mean as the effect, of the same draws
    draws = [float(d.values()["base"]) for d in fit.draws(2, 0)]
    device = np.arange(120) % 2
    mean = np.mean([[0.75 * expit(x + device) + 0.25 * expit(x + 2 + device)] for x in draws])
    assert laws.weight @ laws.plain() == pytest.approx(mean, abs=1e-5)
    assert [b.site for b in benchmarks_of(fit, 0, 2, 100)] == ["device"]
    assert change(laws, 1.0, 1.0)[0] < -0.01 < 0.01 < change(laws, 1.0, -1.0)[0]


@pytest.mark.parametrize("name", ["latent_exposure", "popularity_exposure", "position_examination", "self_selection"])
def test_every_model_of_the_zoo_is_answered(name: str) -> None:
    fit = zoo_fit(name)
    laws = laws_of(fit, 0, 1, 40)
    assert laws.exposure.shape[1] == (5 if name == "self_selection" else 1)
    down, up = change(laws, 1.0, 1.0)[0], change(laws, 1.0, -1.0)[0]
    assert down < 0 < up
    answer = cl.effect(fit, fit.scm.outcome, ALL, draws=10)
    assert "unseen cause" in answer.card.sensitivity
    assert f"sensitivity: {answer.card.sensitivity}" in str(answer)


def test_counts_and_positive_reals_are_answered_on_the_log_scale() -> None:
    import pyarrow as pa

    rng = np.random.default_rng(0)
    user, item = np.divmod(np.arange(200), 10)
    shown = rng.random(200) < 0.5
    for name, kind, program in (("count", "count", programs.counting), ("dwell", "positive", programs.dwelling)):
        values = rng.poisson(3.0, 200) + (name == "dwell") * 1.0
        seen = pa.array(np.where(shown, values, 0.0)) if name == "count" else pa.array(values, mask=~shown)
        table = pa.table({"user": user, "item": item, "exposure": shown.astype(int), name: seen})
        log = cl.from_frame(table, exposure="exposure", outcome=name, outcome_kind=kind)
        found = cl.sensitivity(cl.fit(program, log, steps=10), name, ALL, rows=30, draws=1, limit=1.0)
        assert found.unit == "the log of the outcome's mean"
        assert found.e_value is None
        assert all(row["answer"] > 0 for row in found.table)


def test_the_sentence_of_the_card_is_quick_and_says_what_it_means() -> None:
    fit = hourly_fit()
    answer = cl.effect(fit, "click", ALL, draws=20)
    assert "raises one and lowers the other by 1." in answer.card.sensitivity
    assert f"the naive {answer.naive:.4g}" in answer.card.sensitivity
    assert "holds the naive one already" in sensitivity_sentence(fit, 0.40, (0.3, 0.5), 0.41)
    assert "no naive answer" in sensitivity_sentence(fit, 0.40, (0.3, 0.5), None)
    assert "no unseen cause that raises both by up to 3" in sensitivity_sentence(fit, 0.4, (0.3, 0.5), 0.01)
    assert "not asked here" in cl.effect(fit, "click", ALL, cl.fix(exposure=0), draws=10).card.sensitivity


@pytest.mark.parametrize(
    ("ask", "error", "said"),
    [
        ({"on": "clck"}, UnknownNameError, "did you mean 'click'"),
        ({"on": "exposure"}, RefusedError, "ask on 'click', not on 'exposure'"),
        ({"do": cl.fix(exposre=1)}, UnknownNameError, "did you mean 'exposure'"),
        ({"do": cl.fix(exposure=0)}, RefusedError, "act on the exposure, and on nothing else"),
        ({"do": cl.fix(hour=1.0)}, RefusedError, r"do\(exposure=1\). Given: do\(hour=1\)"),
        ({"do": cl.fix(exposure=1, hour=0.0)}, RefusedError, "on nothing else"),
        ({"do": cl.replace(exposure=cl.policies.uniform(0.5))}, RefusedError, "act on the exposure"),
        ({"do": cl.fix(exposure=1) + cl.cut("hour", "click")}, RefusedError, "on nothing else"),
        ({"do": Intervention()}, RefusedError, "no intervention"),
        ({"to": 1.2}, InputError, "the mean of click lies between 0 and 1"),
        ({"to": float("nan")}, InputError, "the mean of click lies between"),
        ({"rows": 0}, InputError, "rows=0"),
        ({"draws": 0}, InputError, "draws=0"),
        ({"limit": 9.0}, InputError, "limit in"),
    ],
)
def test_questions_without_an_answer(ask: dict[str, Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        cl.sensitivity(hourly_fit(), **{"on": "click", "do": ALL, **ask})


def test_the_uniform_policy_and_an_array_of_ones_show_everything() -> None:
    fit = hourly_fit()
    first = cl.sensitivity(fit, "click", cl.replace(exposure=cl.policies.uniform()), to=0.5, rows=20, draws=1)
    second = cl.sensitivity(fit, "click", cl.fix(exposure=np.ones(fit.log.rows)), to=0.5, rows=20, draws=1)
    assert first.strength == second.strength > 0


def test_without_a_naive_answer_a_value_is_asked_for() -> None:
    with pytest.raises(InputError, match=r"name the value .* with to= \(--to\)"):
        cl.sensitivity(hourly_fit(), "click", cl.fix(exposure=np.ones(hourly_fit().log.rows)))


# the picture


def test_the_picture_renders_with_lines_names_and_points() -> None:
    found = naive_found()
    spec = json.dumps(found.plot().to_dict())
    for words in ("strength on exposure (log-odds)", "strength on the outcome (log-odds)", "hour", "#d97706"):
        assert words in spec
    assert found.png()[:8] == b"\x89PNG\r\n\x1a\n"


def test_names_with_control_characters_do_not_end_the_process() -> None:
    import dataclasses

    from counterlog.query.sensitivity_laws import Benchmark

    found = naive_found()
    odd = dataclasses.replace(found, benchmarks=(Benchmark("nul\x00 <b>&", 1.0, 1.0),), on="on\x00<i>")
    page = odd._repr_html_()
    assert "<svg" in page
    assert "<i>" not in page


def test_laws_are_those_of_the_program() -> None:
    fit = hourly_fit()
    laws = laws_of(fit, 0, 1, 200)
    values = fit.draw(0, 0).values()
    from counterlog.inference.population import population

    hour = population(fit, 200, 0).columns["hour"]
    lift, base = float(values["lift"]), float(values["base"])
    np.testing.assert_allclose(laws.exposure[:, 0], 2 * lift * hour, atol=1e-4)
    np.testing.assert_allclose(laws.probs[:, 1], expit(base + lift * hour), atol=1e-5)
    assert torch.is_grad_enabled()
