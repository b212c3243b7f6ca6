"""Pyro's and ChiRho's own handlers run on the zoo's programs as they are, and give the numbers that ours give."""

from __future__ import annotations

import importlib
import math
import os
from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import Any

import pyro
import pyro.poutine as poutine
import pytest
import torch
from pyro.infer import SVI, Predictive, Trace_ELBO, TraceEnum_ELBO, config_enumerate
from pyro.infer.autoguide import AutoNormal
from torch import Tensor

import counterlog as cl
from counterlog import rng as _rng
from counterlog.errors import ModelError, UnknownNameError
from counterlog.model import SCM
from counterlog.model.interventions import Intervention, fix
from counterlog.model.known_world import KnownWorld
from counterlog.model.twins import twins
from counterlog.model.worlds import level_probs, run

MODELS = ("popularity_exposure", "position_examination", "self_selection")
#: Five standard errors: all comparisons of this file together raise a false alarm once in a thousand seeds.
SURE = 5.0


@cache
def world(model: str) -> KnownWorld:
    """120 users and 80 items at the program's truth."""
    return cl.zoo.load(model).world(120, 80, rng=5, n_features=2 if model == "self_selection" else 0)


@pytest.fixture
def chirho() -> SimpleNamespace:
    """ChiRho's handlers: skipped without the extra `chirho`, but a failure where CI promises it."""
    try:
        handlers = importlib.import_module("chirho.counterfactual.handlers")
    except ImportError:
        if os.environ.get("CI"):
            pytest.fail("ChiRho is missing: pip install 'counterlog[test]'")
        pytest.skip("needs ChiRho: pip install 'counterlog[chirho]'")
    indexed = importlib.import_module("chirho.indexed.ops")
    return SimpleNamespace(
        do=importlib.import_module("chirho.interventional.handlers").do,
        twin=handlers.TwinWorldCounterfactual,
        multi=handlers.MultiWorldCounterfactual,
        gather=indexed.gather,
        IndexSet=indexed.IndexSet,
    )


def above(scm: SCM, *sites: str) -> dict[str, Tensor]:
    """The known world's values of every site that is neither acted on nor below what is acted on."""
    import networkx as nx

    moved = {name for site in sites for name in (site, *nx.descendants(scm.graph(), site))}
    return {name: value for name, value in world(scm.name).values.items() if name not in moved}


def ours(scm: SCM, do: Intervention, given: dict[str, Tensor]) -> Any:
    """The same by counterlog's own `run`."""
    with _rng.seeded(0, "other handlers"):
        return run(scm, world(scm.name).view, given, do)


def probabilities(fn: Any) -> Tensor:
    """P(value = k) of a click or a rating, ``[..., n, K]``."""
    coin = isinstance(fn, torch.distributions.Bernoulli)
    return torch.stack([1.0 - fn.probs, fn.probs], -1) if coin else level_probs(fn, 5)


def traced(program: Callable[..., Any], *args: Any) -> dict[str, Any]:
    with torch.no_grad(), _rng.seeded(1, "theirs"):
        return dict(poutine.trace(program).get_trace(*args).nodes)


@pytest.mark.parametrize("model", MODELS)
def test_trace_condition_and_replay(model: str) -> None:
    scm, found = cl.zoo.load(model), world(model)
    trace = poutine.trace(scm).get_trace(found.view)
    plates = {"users", "items", "opportunities"}
    wanted = scm.sites(found.view)
    assert {n for n, node in trace.nodes.items() if node["type"] == "sample"} - plates == set(wanted)
    assert math.isfinite(float(trace.log_prob_sum()))

    conditioned = poutine.condition(scm, data=dict(found.values))
    nodes = traced(conditioned, found.view)
    mechanisms = ours(scm, Intervention(), dict(found.values)).fns
    for name in wanted:
        assert torch.equal(nodes[name]["value"], found.values[name])
        theirs, mine = nodes[name]["fn"].log_prob(found.values[name]), mechanisms[name].log_prob(found.values[name])
        torch.testing.assert_close(theirs, mine)

    replayed = traced(poutine.replay(scm, trace=trace), found.view)
    assert all(torch.equal(replayed[n]["value"], trace.nodes[n]["value"]) for n in wanted)


@pytest.mark.parametrize(
    ("model", "site", "value"),
    [(model, "exposure", 1.0) for model in MODELS]
    + [("popularity_exposure", "popularity", 0.5), ("position_examination", "position", 2)]
    + [("self_selection", "rating", 4), ("self_selection", "preference", 0.0), ("popularity_exposure", "appeal", 0.5)],
)
def test_children_of_a_do_see_what_was_set(model: str, site: str, value: float) -> None:
    scm, found = cl.zoo.load(model), world(model)
    given = above(scm, site)
    set_to = torch.full_like(found.values[site], value)
    acted = poutine.do(poutine.condition(scm, data=given), data={site: set_to})
    nodes = traced(acted, found.view)
    mine = ours(scm, fix(**{site: value}), given)
    children = [name for name in scm.graph().successors(site) if name in nodes]
    assert children or site == "exposure"
    for child in children:
        if set(scm.graph().predecessors(child)) <= {site, *given}:  # else a cause was drawn, by each on its own
            torch.testing.assert_close(nodes[child]["fn"].log_prob(mine.values[child]), mine.fns[child].log_prob(
                mine.values[child]))  # fmt: skip
    # The trap: Pyro's trace keeps the draw that the site would have had; ours writes out what was set.
    assert not torch.equal(nodes[site]["value"], set_to)
    assert torch.equal(mine.values[site], set_to)


def test_a_misspelt_site_is_silent_there_and_refused_here() -> None:
    scm = cl.zoo.popularity_exposure
    before = traced(scm, world(scm.name).view)["click"]["value"]
    after = traced(poutine.do(scm, data={"exposur": torch.tensor(0.0)}), world(scm.name).view)["click"]["value"]
    assert torch.equal(before, after)
    with pytest.raises(UnknownNameError, match="did you mean 'exposure'"):
        fix(exposur=0.0).check(scm)


@pytest.mark.parametrize("model", MODELS)
def test_predictive_draws_the_interventional_mean(model: str) -> None:
    scm, found = cl.zoo.load(model), world(model)
    draws = 8
    latents = {name: value.expand(draws, *value.shape) for name, value in found.latents.items()}
    acted = poutine.do(scm, data={"exposure": torch.ones_like(found.values["exposure"])})
    with _rng.seeded(2, "predictive"):
        drawn = Predictive(acted, posterior_samples=latents, return_sites=[scm.outcome])(found.view)[scm.outcome]
    assert drawn.shape == (draws, found.view.n_opportunities)
    mine = found.run(fix(exposure=1.0))
    expected = mine.mean(scm.outcome)
    if model == "position_examination":  # positions are drawn anew too, so that single means differ
        expected = expected.mean().expand(found.view.n_opportunities)
    error = float(drawn.float().std()) / math.sqrt(drawn.numel())
    assert abs(float(drawn.float().mean() - expected.mean())) < SURE * error


@pytest.mark.parametrize("model", MODELS)
def test_autonormal_and_svi(model: str) -> None:
    """On a conditioned program: all latents for a few steps, then the level alone, which must find the truth."""
    scm, found = cl.zoo.load(model), world(model)
    level = "appeal" if model == "position_examination" else "base"
    logged = [name for name, site in scm.sites().items() if site.plate == "opportunities" and name not in scm.latent]
    whole = {name: found.values[name] for name in logged}
    _, losses = by_svi(scm, whole, found, 20)
    assert sum(losses[-5:]) < 0.95 * sum(losses[:5])
    rest = {name: value for name, value in found.values.items() if name != level and (
        name not in scm.latent or name != scm.exposure)}  # fmt: skip
    guide, _ = by_svi(scm, rest, found, 120)
    assert abs(float(guide[level]) - scm.truth[level]) < 0.15
    assert not list(pyro.get_param_store())


def by_svi(scm: SCM, data: dict[str, Tensor], found: KnownWorld, steps: int) -> tuple[dict[str, Tensor], list[float]]:
    """Medians and losses of Pyro's own SVI; a latent exposure is summed out by Pyro, in parallel."""
    hidden = scm.exposure in scm.latent
    bound = poutine.condition(scm, data=data)
    guide = AutoNormal(poutine.block(bound, hide=[scm.exposure, *data]), init_scale=0.05)
    loss = TraceEnum_ELBO(max_plate_nesting=1) if hidden else Trace_ELBO()
    with pyro.get_param_store().scope(), _rng.seeded(3, "svi"):
        svi = SVI(config_enumerate(bound) if hidden else bound, guide, pyro.optim.Adam({"lr": 0.1}), loss)
        losses = [svi.step(found.view) for _ in range(steps)]
        return {name: value.detach() for name, value in guide.median().items()}, losses


@pytest.mark.parametrize("model", MODELS)
def test_chirhos_do_is_ours(chirho: SimpleNamespace, model: str) -> None:
    scm, found = cl.zoo.load(model), world(model)
    for site, value in (("exposure", 1.0), ("popularity", 0.5), ("preference", 0.0)):
        given = above(scm, site)
        acted = chirho.do(
            poutine.condition(scm, data=given), actions={site: torch.full_like(found.values[site], value)}
        )
        theirs = traced(acted, found.view)
        mine = ours(scm, fix(**{site: value}), given)
        for child in scm.graph().successors(site):
            if set(scm.graph().predecessors(child)) <= {site, *given}:
                torch.testing.assert_close(theirs[child]["fn"].log_prob(mine.values[child]),
                                           mine.fns[child].log_prob(mine.values[child]))  # fmt: skip


#: Sites whose twin worlds the programs can hold: of an opportunity, or a number for the whole log.
SPLIT = [
    ("popularity_exposure", "exposure", 1.0),
    ("popularity_exposure", "base", 0.5),
    ("popularity_exposure", "appeal", 0.5),
    ("position_examination", "exposure", 1.0),
    ("position_examination", "position", 1),
    ("position_examination", "appeal", 0.5),
    ("self_selection", "rating", 4),
    ("self_selection", "base", 0.0),
]


@pytest.mark.parametrize("worlds", ["twin", "multi"])
@pytest.mark.parametrize(("model", "site", "value"), SPLIT)
def test_chirhos_worlds_have_our_means(
    chirho: SimpleNamespace, model: str, site: str, value: float, worlds: str
) -> None:
    scm, found = cl.zoo.load(model), world(model)
    asked = scm.exposure if model == "self_selection" else scm.outcome
    given = {n: v for n, v in found.values.items() if n != asked}
    given = {n: v for n, v in given.items() if n == site or n in above(scm, site)}
    axis = "__fresh_split__" if worlds == "twin" else site
    with (
        getattr(chirho, worlds)(-2),
        chirho.do(actions={site: torch.full_like(found.values[site], value)}),
        poutine.condition(data=given),
        poutine.trace() as kept,
        torch.no_grad(),
        _rng.seeded(4, "worlds"),
    ):
        scm(found.view)
        drawn = kept.trace.nodes[asked]["value"]
        as_it_was, acted = (
            chirho.gather(drawn, chirho.IndexSet(**{axis: {k}}), event_dim=0).reshape(-1).float() for k in (0, 1)
        )
    mine = ours(scm, fix(**{site: value}), {**found.latents, **given}).mean(asked).expand(acted.shape)
    seen = ours(scm, Intervention(), {**found.latents, **given}).mean(asked).expand(acted.shape)
    for theirs, expected in ((as_it_was, seen), (acted, mine)):
        error = float((theirs - expected).std()) / math.sqrt(len(theirs))
        assert abs(float((theirs - expected).mean())) < SURE * error + 1e-6
    assert abs(float(mine.mean() - seen.mean())) > 0.01  # something was done


def test_chirhos_multi_worlds_of_two_sites(chirho: SimpleNamespace) -> None:
    scm = cl.zoo.popularity_exposure
    found = world(scm.name)
    given = {n: v for n, v in found.values.items() if n != "click"}
    sites = {"exposure": torch.ones_like(found.values["exposure"]), "appeal": torch.tensor(0.5)}
    with (
        chirho.multi(-2),
        chirho.do(actions=sites),
        poutine.condition(data=given),
        poutine.trace() as kept,
        torch.no_grad(),
        _rng.seeded(5, "worlds"),
    ):
        scm(found.view)
        chance = kept.trace.nodes["click"]["fn"].probs
        four = {
            (exposed, liked): chirho.gather(chance, chirho.IndexSet(exposure={exposed}, appeal={liked}), event_dim=0)
            for exposed in (0, 1)
            for liked in (0, 1)
        }
    for (exposed, liked), theirs in four.items():
        did = {name: value for name, value, on in (("exposure", 1.0, exposed), ("appeal", 0.5, liked)) if on}
        mine = ours(scm, fix(**did) if did else Intervention(), given).fns["click"].probs
        torch.testing.assert_close(theirs.reshape(-1), mine)


@pytest.mark.parametrize("model", ["popularity_exposure", "position_examination"])
def test_worlds_that_share_noise_flip_nothing_where_nothing_is_done(chirho: SimpleNamespace, model: str) -> None:
    """ChiRho's worlds draw their leaves apart: doing what was done anyway changes as many clicks as two coins do."""
    scm, found = cl.zoo.load(model), world(model)
    same = found.values["exposure"]
    with (
        chirho.twin(-2),
        chirho.do(actions={"exposure": same}),
        poutine.condition(data={n: v for n, v in found.values.items() if n != "click"}),
        poutine.trace() as kept,
        torch.no_grad(),
        _rng.seeded(6, "worlds"),
    ):
        scm(found.view)
        click = kept.trace.nodes["click"]["value"]
        chance = kept.trace.nodes["click"]["fn"].probs[0].reshape(-1)
    flipped = (click[0] != click[1]).reshape(-1).float()
    two_coins = 2.0 * chance * (1.0 - chance)
    error = float(torch.sqrt((two_coins * (1 - two_coins)).sum())) / len(chance)
    assert abs(float(flipped.mean() - two_coins.mean())) < SURE * error
    assert float(flipped[same > 0].mean()) > 0.2

    drawn = twins(found, fix(exposure=1.0), rng=6).before.values["exposure"]
    ours_twice = twins(found, fix(exposure=drawn.numpy()), rng=6)
    assert torch.equal(ours_twice.before.values["exposure"], drawn)
    assert torch.equal(ours_twice.before.values["click"], ours_twice.after.values["click"])


def test_ours_flips_no_row_where_nothing_is_done() -> None:
    from tests.query.worlds import zoo_fit

    fit = zoo_fit("popularity_exposure")
    twin = cl.counterfactual(fit, fit.log, cl.fix(exposure=1), draws=10).table.to_pandas()
    shown = twin[twin["exposure"] == 1]
    assert len(shown) > 50
    assert (shown["click"] == shown["click_counterfactual"]).all()
    assert (shown["click_counterfactual_probability"] == 1.0).all()


@pytest.mark.parametrize(
    ("site", "said"),
    [
        ("popularity", "raises IndexError"),
        ("leniency", "raises IndexError"),
        ("preference", "one row a user"),
        ("attribute", "one row an item"),
    ],
)
@pytest.mark.parametrize("model", MODELS)
def test_sites_of_users_and_items_hold_no_second_world(
    chirho: SimpleNamespace, model: str, site: str, said: str
) -> None:
    """A world's dimension stands left of the users', where programs look rows up: an error, no wrong number."""
    scm, found = cl.zoo.load(model), world(model)
    with (
        chirho.twin(-2),
        chirho.do(actions={site: torch.zeros_like(found.values[site])}),
        pytest.raises(ModelError, match=said),
    ):
        scm(found.view)
