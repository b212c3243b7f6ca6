"""What each of these models claims beyond its recovery: what is identified, what the part that makes it does, and what
it cannot see. Worlds and fits have fixed seeds, so that there is no chance in these tests.
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.zoo.chances import chances, posterior_mean
from tests.zoo.edited import edited

from counterlog import cut, effect, fit, fix, from_frame, identify, zoo
from counterlog.errors import InputError
from counterlog.inference import Fit
from counterlog.inference.cells import bind
from counterlog.model.interventions import Intervention
from counterlog.model.known_world import KnownWorld

USERS, ITEMS, STEPS = 150, 80, 250
SHOWN = fix(exposure=1)


@functools.cache
def world(name: str) -> KnownWorld:
    users, items = (100, 200) if name == "conformity" else (USERS, ITEMS)  # items are what tells there
    return zoo.load(name).world(users, items, 1)


@functools.cache
def fitted(name: str) -> Fit:
    return fit(zoo.load(name), world(name).log, steps=STEPS)


def off(answer: Fit, found: KnownWorld, do: Intervention = SHOWN) -> float:
    """How far the estimated mean outcome under an intervention is from the truth."""
    return effect(answer, found.scm.outcome, do, draws=50).estimate - found.mean(found.scm.outcome, do)


def naive(found: KnownWorld) -> float:
    """How far the mean outcome of exposed rows is from the truth."""
    seen = found.values["exposure"] > 0
    return float(found.values[found.scm.outcome][seen].mean()) - found.mean(found.scm.outcome, SHOWN)


def stratified(found: KnownWorld, *columns: str) -> float:
    """The adjustment formula filled in from the log without any model: sum over z of P(click | exposure=1, z) P(z)."""
    log = found.log.table.to_pandas()
    exposed = log[log.exposure == 1].groupby(list(columns)).click.mean()
    share = log.groupby(list(columns)).size() / len(log)
    return float((exposed * share).sum()) - found.mean("click", SHOWN)


# ---- confounded_context ---------------------------------------------------------------------------------------------


def test_the_context_identifies_and_without_it_nothing_does() -> None:
    scm = zoo.load("confounded_context")
    found = identify(scm, "exposure", "click")
    assert found.identified
    assert (found.criterion, found.adjust_for) == ("back-door", ("device", "hour"))
    assert identify(scm, "exposure", "click", world(scm.name).log) == found
    for part in (["device"], ["hour"], []):
        refused = identify(scm, "exposure", "click", given=["exposure", "click", *part])
        assert not refused.identified
        assert set(refused.because.replace(",", " ").split()) & ({"device", "hour"} - set(part))


def test_adjusting_for_the_context_corrects_and_a_model_without_it_does_not() -> None:
    found = world("confounded_context")
    blind = fit(zoo.load("popularity_exposure"), found.log, steps=STEPS)
    wrong = naive(found)
    assert wrong > 0.05
    assert abs(off(fitted("confounded_context"), found)) < 0.25 * wrong
    assert abs(stratified(found, "device", "hour")) < 0.25 * wrong  # by the formula that identify gives, no model
    assert off(blind, found) > 0.5 * wrong


def test_devices_are_text_and_may_be_more_than_the_default() -> None:
    log, scm = world("confounded_context").log, zoo.load("confounded_context")
    frame = log.table.to_pandas()
    as_text = frame.assign(device=frame.device.map(lambda k: ["desktop", "phone", "tablet", "tv"][int(k)]))
    roles = {"exposure": "exposure", "outcome": "click", "context": ("device", "hour")}
    assert np.array_equal(bind(scm, from_frame(as_text, **roles)).columns["device"], bind(scm, log).columns["device"])
    more = from_frame(frame.assign(device=frame.index % 6), **roles)
    with pytest.raises(InputError, match=r"'device' goes from 0 to 5"):
        bind(scm, more)
    assert bind(scm.with_parameters(devices=6), more).n == log.rows


# ---- conformity -----------------------------------------------------------------------------------------------------


def test_unseen_popularity_confounds() -> None:
    scm = zoo.load("conformity")
    for cause in ("exposure", "popularity"):
        refused = identify(scm, cause, "click")
        assert not refused.identified
        assert "popularity" in refused.because


def test_quality_is_told_from_conformity() -> None:
    """The click level of an item holds both; a model without conformity calls all of it quality."""
    found, answer = world("conformity"), fitted("conformity")
    blind = fit(zoo.load("popularity_exposure"), found.log, steps=STEPS)
    truth, popularity = found.values["quality"] * found.values["quality_spread"], found.values["popularity"]

    def quality(fitted: Fit) -> torch.Tensor:
        return posterior_mean(fitted, "quality") * posterior_mean(fitted, "quality_spread")

    wrong = [float((quality(f) - quality(f).mean() - truth + truth.mean()).square().mean()) for f in (answer, blind)]
    assert wrong[0] < 0.6 * wrong[1]
    assert abs(correlation(truth, popularity)) < 0.2
    assert abs(correlation(quality(answer), popularity)) < 0.2
    assert correlation(quality(blind), popularity) > 0.4
    assert abs(float(posterior_mean(answer, "conformity")) - found.scm.truth["conformity"]) < 0.25
    assert correlation(posterior_mean(answer, "herding"), found.values["herding"]) > 0.5


def correlation(one: torch.Tensor, other: torch.Tensor) -> float:
    return float(torch.corrcoef(torch.stack([one, other]))[0, 1])


@pytest.mark.parametrize("do", [fix(popularity=0), cut("popularity", "click")])
def test_what_popularity_does_is_followed_to_clicks(do: Intervention) -> None:
    found = world("conformity")
    before, truth = found.mean("click"), found.mean("click", do)
    assert before - truth > 0.015  # the clicks that were there because what is popular is shown and followed
    assert abs(off(fitted("conformity"), found, do)) < 0.5 * (before - truth)


def test_more_popular_is_clicked_more_by_as_much_as_it_is() -> None:
    found = world("conformity")
    more, less = (fix(popularity=level, exposure=1) for level in (1.5, 0))
    truth = found.mean("click", more) - found.mean("click", less)
    assert truth > 0.1
    got = effect(fitted("conformity"), "click", more, versus=less, draws=50).estimate
    assert abs(got - truth) < 0.2 * truth


# ---- substitute_confounder ------------------------------------------------------------------------------------------


def test_a_substitute_does_not_identify() -> None:
    refused = identify(zoo.load("substitute_confounder"), "exposure", "click")
    assert not refused.identified
    assert "confounder" in refused.because
    assert refused.rests_on.startswith("the factor model")


def test_the_substitute_is_found_in_the_exposures_and_corrects(tmp_path: Path) -> None:
    found = world("substitute_confounder")
    without = edited(
        "substitute_confounder", tmp_path, {"pick(pull + pull_spread * sway, o.user) * shared": "0.0 * o.user"}
    )
    wrong, blind = naive(found), off(fit(without, found.log, steps=STEPS), found)
    assert blind > 0.5 * wrong > 0.025
    assert abs(off(fitted("substitute_confounder"), found)) < 0.25 * wrong

    def shared(values) -> torch.Tensor:
        return ((values["confounder"] * values["reach"]) @ values["loading"].T).reshape(-1)

    names = ("confounder", "reach", "loading")
    draws = [dict(draw.values()) for draw in fitted("substitute_confounder").draws(20, 0)]
    users, items = (posterior_order(labels) for labels in (found.log.users.labels, found.log.items.labels))
    learnt = torch.stack(
        [
            shared({"confounder": d["confounder"][users], "reach": d["reach"], "loading": d["loading"][items]})
            for d in draws
        ]
    ).mean(0)
    assert correlation(learnt, shared({n: found.values[n] for n in names})) > 0.8


def posterior_order(labels: list[str]) -> torch.Tensor:
    return torch.argsort(torch.tensor([int(label[1:]) for label in labels]))


def test_a_confounder_of_single_cells_leaves_no_mark_and_stays(tmp_path: Path) -> None:
    """The assumption named first: a cause of one user's exposure to one item and of that click is not corrected."""
    changes = {
        "        shared = affinity": '        single = pyro.sample("single", dist.Normal(torch.zeros(len(o)), 1.5))\n'
        "        shared = affinity",
        "import pyro.distributions as dist\n": "import pyro.distributions as dist\nimport torch\n",
        "dist.Bernoulli(logits=shown + shared)": "dist.Bernoulli(logits=shown + shared + single)",
        "* shared\n": "* shared + single\n",
    }
    found = edited("substitute_confounder", tmp_path, changes).world(USERS, ITEMS, 1)
    log = from_frame(found.log.table.to_pandas().drop(columns="single"), exposure="exposure", outcome="click")
    answer = fit(zoo.load("substitute_confounder"), log, steps=STEPS)
    assert naive(found) > 0.1
    assert off(answer, found) > 0.4 * naive(found)


# ---- preference_drift -----------------------------------------------------------------------------------------------


def test_yesterday_identifies_today_and_not_itself() -> None:
    scm = zoo.load("preference_drift")
    found = identify(scm, "exposure", "click", world(scm.name).log)
    assert found.identified
    assert (found.criterion, found.adjust_for) == ("back-door", ("click_before", "exposure_before"))
    for part in (["click_before"], ["exposure_before"], []):
        assert not identify(scm, "exposure", "click", given=["exposure", "click", *part]).identified
    refused = identify(scm, "exposure_before", "click")
    assert not refused.identified
    assert {"activity", "popularity"} & set(refused.because.replace(",", " ").split())


@pytest.mark.parametrize("kind", [bool, "truth as text"])
def test_yesterday_may_be_true_or_false(kind: object) -> None:
    log, scm = world("preference_drift").log, zoo.load("preference_drift")
    frame, names = log.table.to_pandas(), ["exposure_before", "click_before"]
    frame[names] = frame[names].astype(bool) if kind is bool else frame[names].astype(bool).astype(str)
    same = bind(scm, from_frame(frame, exposure="exposure", outcome="click", context=names))
    for name in names:
        assert same.columns[name].dtype == np.float32
        assert np.array_equal(same.columns[name], bind(scm, log).columns[name])


def test_adjusting_for_yesterday_corrects() -> None:
    found = world("preference_drift")
    assert naive(found) > 0.02
    assert abs(stratified(found, "exposure_before", "click_before")) < 0.5 * naive(found)


def test_the_loop_is_followed_from_yesterday_and_cut_today() -> None:
    found, answer = world("preference_drift"), fitted("preference_drift")
    on, without = fix(exposure_before=1), fix(exposure_before=0)
    for site in ("click_before", "exposure", "click"):
        truth = found.mean(site, on) - found.mean(site, without)
        got = effect(answer, site, on, versus=without, draws=50)
        assert abs(truth) > 0.005
        assert abs(got.estimate - truth) < max(0.25 * abs(truth), 0.01)
    done = effect(answer, "click", on + SHOWN, versus=without + SHOWN, draws=50)
    assert done.estimate == 0.0  # whatever was shown yesterday, today everything is
    assert done.interval == (0.0, 0.0)


def test_the_preference_moved() -> None:
    assert abs(float(posterior_mean(fitted("preference_drift"), "persistence")) - 0.8) < 0.2


# ---- shared_domains -------------------------------------------------------------------------------------------------


def test_targeting_by_taste_is_not_identified() -> None:
    refused = identify(zoo.load("shared_domains"), "exposure", "click", world("shared_domains").log)
    assert not refused.identified
    assert {"preference", "own_preference", "attribute"} & set(refused.because.replace(",", " ").split())


def test_the_dense_domain_helps_in_the_sparse_one(tmp_path: Path) -> None:
    """Error of P(click | do(exposure=1)) user by item, all in the sparse domain: with what is shared, and without."""
    found = world("shared_domains")
    seen = found.values["exposure"].bool()
    dense, sparse = (int((seen & (found.values["domain"] == k)).sum()) for k in (0, 1))
    assert dense > 8 * sparse
    without = {'pyro.sample("shared", dist.Beta(2.0, 2.0))': "torch.tensor(0.0)", '    "shared": 0.8,\n': ""}
    apart = fit(edited("shared_domains", tmp_path, without), found.log, steps=STEPS)
    do = fix(exposure=1, domain=1)
    truth = found.run(do).mean("click").numpy()
    together, alone = (
        float(np.sqrt(np.mean((chances(answer, do) - truth) ** 2))) for answer in (fitted("shared_domains"), apart)
    )
    assert together < 0.93 * alone
    assert abs(float(posterior_mean(fitted("shared_domains"), "shared")) - 0.8) < 0.2


def test_nothing_is_shared_where_nothing_is() -> None:
    scm = zoo.load("shared_domains")
    found = scm.world(USERS, ITEMS, 1, truth={**scm.truth, "shared": 0.05})
    assert float(posterior_mean(fit(scm, found.log, steps=STEPS), "shared")) < 0.3
