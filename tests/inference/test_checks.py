"""Checks of fits: each planted fault is flagged by the check that is meant to see it, and a clean fit passes."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import warnings
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from tests.inference.checked import additive, log_of, logistic, quick_fit, silent, world
from tests.inference.programs import quick
from tests.inference.worlds import zoo_log
from tests.query.test_guides import blocks

import counterlog as cl
from counterlog.errors import InputError, UnknownNameError
from counterlog.finding import Finding
from counterlog.inference import Fit
from counterlog.inference.checks import Checks, Thresholds
from counterlog.inference.checks.chains import chains_finding
from counterlog.inference.checks.contraction import Contraction, _named, contraction
from counterlog.inference.checks.convergence import loss_curve, restarts
from counterlog.inference.checks.khat import khat_finding, khats
from counterlog.inference.checks.predicted import predict_site, units
from counterlog.inference.checks.predictive import PredictiveThresholds, predictive, surprise
from counterlog.inference.checks.score import score, scores
from counterlog.inference.checks.seen import bound, exposures, outcomes, part_of
from counterlog.inference.checks.statistics import statistics
from counterlog.inference.guides import Chains
from counterlog.inference.svi import convergence

LIMITS = Thresholds()


def quiet(*_: object) -> None:
    """No progress."""


SAID: list[tuple[float, str]] = []


@functools.cache
def clean() -> Checks:
    return quick_fit().check(rng=3, replicates=60, draws=200, progress=lambda share, note: SAID.append((share, note)))


@functools.cache
def wrong(name: str) -> dict[str, Finding]:
    """Predictive findings of a fit with the simpler program of a faulty world."""
    model = {"floored": logistic, "crossing": logistic, "matched": additive}[name]
    fitted = cl.fit(model, log_of(name), rng=0, steps=300)
    found, _ = predictive(fitted, fitted.cells, 100_000, 40, 0, LIMITS.predictive, quiet)
    return {finding.name: finding for finding in found}


def shifted(fit: Fit, table: str, sds: float) -> Fit:
    loc = {name: values.clone() for name, values in fit.loc.items()}
    loc[table] = loc[table] + sds * fit.log_scale[table].exp()
    return dataclasses.replace(fit, loc=loc)


def narrowed(fit: Fit, factor: float) -> Fit:
    return dataclasses.replace(fit, log_scale={n: v - math.log(factor) for n, v in fit.log_scale.items()})


def guide(fit: Fit) -> dict[str, str]:
    """Status of the checks of the guide."""
    found = score(fit, 12, 0, LIMITS.score, quiet)
    found += [khat_finding(fit, khats(fit, t, 100, 0, quiet), 100, LIMITS.khat) for t in ("users", "items")]
    return {finding.name: finding.status for finding in found}


def test_a_clean_fit_passes_every_check() -> None:
    found = clean()
    assert found.verdict == "PASS", found.to_text()
    assert {f.name for f in found.findings} == {
        *("convergence", "restarts", "guide_location", "guide_width", "khat_users", "khat_items", "contraction"),
        *("outcome_by_item_popularity", "outcome_by_user", "outcome_by_prediction", "outcome_interaction"),
        *("exposure_by_item_popularity", "user_activity", "exposure_by_prediction", "exposure_interaction"),
    }
    assert list(found.skipped) == ["simulation_based_calibration"]
    assert all(f.sees and f.cannot_see and f.message and f.quantity for f in found.findings)


@pytest.mark.parametrize("table", ["users", "globals"])
def test_a_biased_guide_is_seen_by_its_gradient(table: str) -> None:
    """k-hat sees it where users and items are shifted; parameters of the whole are held there."""
    status = guide(shifted(quick_fit(), table, 2.5))
    assert status["guide_location"] != "PASS"
    assert status["guide_width"] == "PASS"
    if table != "globals":
        assert status[f"khat_{table}"] != "PASS"


def test_a_narrow_guide_is_seen_by_its_gradient_and_by_khat() -> None:
    status = guide(narrowed(quick_fit(), 4.0))
    assert status["guide_width"] == "FAIL"
    assert status["khat_users"] != "PASS"
    assert status["khat_items"] != "PASS"
    assert status["guide_location"] == "PASS"


def test_a_wide_guide_is_seen_by_its_gradient_alone() -> None:
    status = guide(narrowed(quick_fit(), 1 / 2.5))
    assert status == {"guide_location": "PASS", "guide_width": status["guide_width"]} | dict.fromkeys(
        ("khat_users", "khat_items"), "PASS"
    )
    assert status["guide_width"] != "PASS"


def test_the_score_is_the_distance_that_was_planted() -> None:
    """Of one number alone the gradient times its scale is the planted distance, and the width the planted factor."""
    fit, site = quick_fit(), next(s for s in quick_fit().layout.sites if s.name == "appeal")
    loc, log_scale = ({n: v.clone() for n, v in part.items()} for part in (fit.loc, fit.log_scale))
    loc["globals"][0, site.start] += 3.0 * log_scale["globals"][0, site.start].exp()
    log_scale["globals"][0, site.start] -= math.log(2.0)
    before = next(s for s in scores(fit, 40, 0, quiet) if s.site == "appeal")
    after = next(
        s for s in scores(dataclasses.replace(fit, loc=loc, log_scale=log_scale), 40, 0, quiet) if s.site == "appeal"
    )
    assert after.offset == pytest.approx(3.0, abs=0.6)
    assert after.width / before.width == pytest.approx(0.5, abs=0.1)


def test_an_unconverged_fit_is_flagged() -> None:
    short = cl.fit(quick, quick_fit().log, rng=0, steps=20)
    assert loss_curve(short).status != "PASS"
    assert guide(short)["guide_width"] != "PASS"
    losses = quick_fit().losses + np.linspace(1.0, 0.0, quick_fit().steps)
    falling = dataclasses.replace(quick_fit(), losses=losses, convergence=convergence(list(losses), 1))
    assert loss_curve(falling).status == "FAIL"
    assert loss_curve(quick_fit()).status == "PASS"


def test_a_slow_fit_whose_loss_looks_flat_is_seen_by_the_others() -> None:
    """The loss falls by less than 1% in a tenth of the run, so that the loss curve says nothing."""
    slow = cl.fit(quick, quick_fit().log, rng=0, steps=120, lr=0.005)
    assert guide(slow)["guide_location"] == "FAIL"
    assert guide(slow)["guide_width"] == "FAIL"


def test_a_wrong_link_is_seen_by_decile_of_prediction() -> None:
    found = wrong("floored")
    assert found["outcome_by_prediction"].status == "FAIL"
    assert found["outcome_by_item_popularity"].status == "PASS"


def test_a_missing_product_of_features_is_seen_and_named() -> None:
    found = wrong("crossing")
    assert found["outcome_features"].status == "FAIL"
    assert "'user feature 1 x item feature 1'" in found["outcome_features"].message
    assert found["outcome_interaction"].status != "PASS"
    assert found["outcome_by_user"].status == "PASS"


def test_a_missing_affinity_is_seen_by_the_largest_singular_value_alone() -> None:
    found = wrong("matched")
    assert found["outcome_interaction"].status == "FAIL"
    assert [name for name, f in found.items() if f.status != "PASS"] == ["outcome_interaction"]


def test_what_the_log_says_nothing_about_is_named() -> None:
    fitted = cl.fit(silent, log_of("silent"), rng=0, steps=300)
    found, _ = contraction(fitted, 0, LIMITS.contraction, quiet)
    assert found.status == "REVIEW"
    assert "'idle', 'mood'" in found.message
    assert found.details["base"]["contraction"] > 0.9
    # the limit that the page states: known as a sum alone, each looks well known
    assert found.details["pull"]["contraction"] > 0.5


def test_restarts_flag_a_fit_that_others_beat() -> None:
    """A fit moved away from its optimum, with the losses that it would have there."""
    worse = dataclasses.replace(shifted(quick_fit(), "globals", 20.0), losses=quick_fit().losses + 0.3)
    found, _ = restarts(worse, 1, 0, LIMITS.convergence, quiet)
    assert found.status == "FAIL"
    assert "a better optimum was found" in found.message


@pytest.mark.parametrize("name", ["self_selection", "latent_exposure", "position_examination"])
def test_predictions_agree_with_their_replicates(name: str) -> None:
    """Mean and spread of each opportunity are those of what is drawn there, unseen sites summed out."""
    program = cl.zoo.load(name).with_parameters(dim=1)
    fitted = cl.fit(program, zoo_log(name), rng=0, steps=60)
    draw = fitted.draw(0, 0)
    for seen in (outcomes(fitted, fitted.cells, 10_000, 0), exposures(fitted, fitted.cells, 10_000, 0)):
        if isinstance(seen, str):
            assert seen == "the exposure was not logged"
            continue
        many = [predict_site(fitted, seen, draw, 0, k) for k in range(60)]
        z = (np.mean([p.replicate for p in many], 0) - many[0].mean) / np.maximum(many[0].sd, 1e-6) * math.sqrt(60)
        assert abs(z.mean()) < 4.0 / math.sqrt(len(z))
        assert 0.8 < np.mean(z**2) < 1.2
        assert set(np.unique(many[0].replicate)) <= set(np.unique(units(fitted, seen, np.arange(5)))) | {0.0, 1.0}


def test_an_outcome_that_decides_about_exposure_is_predicted_given_that_it_was_seen() -> None:
    """By enumeration of P(level) P(exposed | level)."""
    from tests.inference.programs import rated

    fitted = cl.fit(rated, world(rated, {"lean": 1.5}, 2).log, rng=0, steps=60)
    seen = outcomes(fitted, fitted.cells, 10_000, 0)
    assert not isinstance(seen, str)
    draw = fitted.draw(0, 0)
    values = draw.values()
    cut = torch.linspace(-1.0, 1.0, fitted.cells.n_levels - 1).double()
    taste = values["taste"].double()[torch.from_numpy(seen.part.user)]
    above = torch.cat([torch.ones(len(seen), 1), torch.sigmoid(taste[:, None] - cut), torch.zeros(len(seen), 1)], 1)
    levels = torch.arange(fitted.cells.n_levels).double()
    joint = (above[:, :-1] - above[:, 1:]) * torch.sigmoid(values["lean"].double() * (levels - 1.0) - 1.0)
    mean = (joint / joint.sum(1, keepdim=True)) @ torch.tensor(fitted.cells.levels).double()
    assert np.allclose(predict_site(fitted, seen, draw, 0, 0).mean, mean.numpy(), atol=1e-5)


def test_the_position_curve_is_compared() -> None:
    program = cl.zoo.load("position_examination").with_parameters(dim=1)
    log = zoo_log("position_examination", 40, 30)
    bent = log.table.column("position").to_numpy()
    click = np.where(bent == bent.max(), 1, log.table.column("click").to_numpy())  # everybody clicks at the last place
    columns = {name: log.table.column(name) for name in log.table.column_names} | {"click": pa.array(click)}
    fitted = cl.fit(program, cl.from_frame(pa.table(columns), outcome="click", position="position"), rng=0, steps=200)
    found, skipped = predictive(fitted, fitted.cells, 10_000, 40, 0, LIMITS.predictive, quiet)
    curve = next(f for f in found if f.name == "position_curve")
    assert curve.status == "FAIL"
    assert curve.details["labels"] == ["1", "2", "3", "4", "5"]
    assert skipped == {"exposure_predictive": "the exposure was not logged"}


def test_p_values_of_a_statistic_are_those_of_its_replicates() -> None:
    """Under the model the smallest p-value is at most 0.05 in at most a twentieth of 400 sets (by chance 6.9%: 4%)."""
    fit, rng = quick_fit(), np.random.default_rng(0)
    seen = outcomes(fit, fit.cells, 10_000, 0)
    assert not isinstance(seen, str)
    statistic = statistics(fit, seen)[0]
    hits = sum(surprise(statistic, rng.normal(size=6), rng.normal(size=(60, 6))).p < 0.05 for _ in range(400))
    assert hits <= 28
    far = surprise(statistic, np.array([0.0, 9.0]), rng.normal(size=(60, 2)))
    assert far.p < 1e-8
    assert far.worst == 1


def test_another_log_is_checked_in_the_codes_of_the_fit() -> None:
    fit = quick_fit()
    table = fit.log.table
    half = cl.from_frame(table.slice(0, table.num_rows // 3), exposure="exposure", outcome="click")
    cells = bound(fit, half)
    assert cells.n_users == len(fit.log.users)
    assert cells.n == half.rows
    seen = exposures(fit, cells, 10_000, 0)
    assert not isinstance(seen, str)
    assert seen.value.sum() == half.exposure.sum()
    # held-out clicks with the labels turned round do not look like what the fit predicts
    turned = table.set_column(
        table.column_names.index("click"),
        "click",
        pa.array(np.where(fit.log.exposure > 0, 1 - table.column("click").to_numpy(), 0)),
    )
    other = cl.from_frame(turned, exposure="exposure", outcome="click")
    told, _ = predictive(fit, bound(fit, other), 10_000, 40, 0, PredictiveThresholds(), quiet)
    assert {f.name: f.status for f in told}["outcome_by_prediction"] == "FAIL"


def test_a_log_that_does_not_fit_is_refused() -> None:
    fit = quick_fit()
    strangers = pa.table({"user": ["nobody"], "item": ["i1"], "exposure": [1], "click": [1]})
    with pytest.raises(InputError, match="1 users that the fit does not know, such as 'nobody'"):
        fit.check(cl.from_frame(strangers, exposure="exposure", outcome="click"))
    with pytest.raises(InputError, match="other roles"):
        fit.check(cl.from_frame(strangers, outcome="click"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"restarts": -1}, "restarts must be at least 0; given -1"),
        ({"replicates": 5}, "replicates must be at least 20"),
        ({"draws": 10}, "draws must be at least 100"),
        ({"sbc": 3}, "sbc=3 worlds say nothing about ranks"),
        ({"limit": 0}, "limit must be at least 1"),
    ],
)
def test_options_out_of_range_are_refused_before_any_work(options: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        quick_fit().check(**options)


def test_a_part_of_the_events_keeps_each_with_its_own() -> None:
    cells = quick_fit().cells
    users = np.array([3, 5, 11])
    part, kept = part_of(cells, users, None)
    whole = np.repeat(np.arange(cells.n_users), np.diff(cells.pointer))
    assert np.array_equal(np.unique(whole[kept]), users)
    assert np.array_equal(part.outcome, cells.outcome[kept])
    items = np.array([0, 7])
    part, kept = part_of(cells, None, items)
    assert np.array_equal(items[part.item], cells.item[kept])
    assert part.n_users == cells.n_users


def test_few_users_are_taken_where_the_log_is_large() -> None:
    fit = quick_fit()
    seen = exposures(fit, fit.cells, 100, 0)
    assert not isinstance(seen, str)
    assert not seen.whole
    assert len(seen) == 100  # four users of 25 items
    told, _ = predictive(fit, fit.cells, 100, 20, 0, LIMITS.predictive, quiet)
    assert "users drawn at random" in told[-1].message


def test_what_checks_give_can_be_read_as_anything() -> None:
    found = clean()
    data = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert data["verdict"] == "PASS"
    assert {"name", "status", "value", "interval", "message", "advice"} <= set(data["findings"][0])
    assert len(found.to_frame()) == len(found.findings) + 1
    assert "SKIPPED simulation_based_calibration" in str(found)
    assert "Checks: PASS" in repr(found)
    assert "<svg" in found._repr_html_()
    with pytest.raises(UnknownNameError, match="It was not made"):
        found["simulation_based_calibration"]
    with pytest.raises(UnknownNameError, match="did you mean 'restarts'"):
        found["restart"]


def test_progress_goes_from_start_to_end() -> None:
    assert clean().verdict == "PASS"
    shares = [share for share, _ in SAID]
    assert min(shares) < 0.01
    assert max(shares) == pytest.approx(1.0)
    notes = {note for _, note in SAID}
    assert {"predictive checks", "gradient of the guide", "k-hat of users", "refit 1 of 1"} <= notes


def test_arviz_draws_what_was_computed() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import arviz as az
        import matplotlib

        matplotlib.use("Agg")
        data = clean().to_arviz(draws=20)
        assert data.khat["khat_user"].shape == (40,)
        assert list(data.khat["khat_item"].coords["item"].values[:1]) == [clean().fit.log.items.labels[0]]
        az.plot_khat(data.khat["khat_event"].values)
        az.plot_ppc(data)
        az.plot_dist_comparison(data, var_names=["base"])
        loo = data.leave_one_out
        pit = az.loo_pit(
            y=loo.observed.values, y_hat=loo.replicated.values[0].T, log_weights=loo.log_weights.values[0].T
        )
    assert np.allclose(np.exp(loo.log_weights.values).sum((0, 1)), 1.0)
    assert 0.0 <= pit.min() <= pit.max() <= 1.0
    told = clean()["khat_users"].details["leave_one_out"]
    assert told["elpd"] == pytest.approx(float(loo.log_density.sum()))
    # an event's density is lower where it was left out than among draws that have seen it
    seen = np.logaddexp.reduce(loo.log_likelihood.values[0], 0) - math.log(loo.sizes["draw"])
    assert told["elpd"] < float(seen.sum())


def test_the_guide_runs_and_names_every_check(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scope = blocks(root, "checks", monkeypatch)
    assert scope["checks"].verdict == "PASS", scope["checks"].to_text()
    assert sorted(scope["data"].khat) == ["khat_event", "khat_item", "khat_user"]
    text = (root / "docs" / "guide" / "checks.md").read_text("utf-8")
    for finding in scope["checks"].findings:
        assert f"`{finding.name}`" in text, finding.name


def test_many_silent_weights_are_counted_and_few_are_named() -> None:
    of = lambda name: Contraction(name, "globals", 0.0, 0.0, 1.0, 1.0)  # noqa: E731
    weights = [of(f"crossed[{k}, 0]") for k in range(9)]
    told = _named([of("base"), *weights[:7], of("few[1]")], [of("base"), *weights, of("few[0]"), of("few[1]")])
    assert told == "'base', 7 of the 9 numbers of 'crossed', 'few[1]'"


def test_chains_are_judged_by_how_they_mix() -> None:
    fit, rng = quick_fit(), np.random.default_rng(0)
    draws = [draw.tables for draw in fit.draws(400, 5)]
    tables = {n: torch.stack([d[n] for d in draws]).unflatten(0, (2, 200)) for n in fit.loc}
    chains = Chains(tables, rng.normal(size=(2, 200)), {"divergences": 0})
    met = chains_finding(dataclasses.replace(fit, chains=chains), LIMITS.chains)
    assert met.status == "PASS", met.message
    apart = {name: values.clone() for name, values in tables.items()}
    apart["globals"][0] += 3.0 * fit.log_scale["globals"].exp()
    told = chains_finding(dataclasses.replace(fit, chains=dataclasses.replace(chains, tables=apart)), LIMITS.chains)
    assert told.status == "REVIEW", "the answer has met, a parameter has not"
    assert "trust no answer that rests on" in told.advice
    stuck = np.sort(rng.normal(size=(2, 200)), axis=1)
    slow = chains_finding(dataclasses.replace(fit, chains=dataclasses.replace(chains, quantity=stuck)), LIMITS.chains)
    assert slow.status == "FAIL"
    assert "headline quantity" in slow.message


def test_a_fit_of_chains_leaves_out_what_judges_a_normal_guide() -> None:
    fit = quick_fit()
    tables = {n: torch.stack([d.tables[n] for d in fit.draws(100, 5)]).unflatten(0, (2, 50)) for n in fit.loc}
    chains = Chains(tables, np.random.default_rng(0).normal(size=(2, 50)), {})
    found = dataclasses.replace(fit, chains=chains).check(replicates=20)
    assert {"guide_location", "guide_width", "khat_users", "khat_items", "restarts"} <= set(found.skipped)
    assert found["contraction"].status == "PASS"
    assert "chains" in [f.name for f in found.findings]
