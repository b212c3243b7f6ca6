"""A choice from a slate: probabilities by hand, draws against them, and a program whose rows are never cut apart."""

from __future__ import annotations

import sys
from itertools import pairwise, product

import numpy as np
import pytest
import torch

import counterlog as cl
from counterlog import zoo
from counterlog.errors import CounterlogError, InputError, ModelError, RefusedError
from counterlog.inference import Fit
from counterlog.inference.cells import bind, group_codes
from counterlog.inference.population import cuts, log_rows, pieces, population
from counterlog.model.known_world import KnownWorld, known_world
from counterlog.model.mechanisms import SlateChoice
from counterlog.query.coupling import couple
from counterlog.testing import at_truth

UTILITY = torch.tensor([0.5, -1.0, 2.0, 0.3, 90.0, -2.0])
SHOWN = torch.tensor([1.0, 1.0, 0.0, 1.0, 0.0, 0.0])
SLATE = torch.tensor([7, 3, 7, 7, 7, 3])  # 7: rows 0, 2, 3, 4; 3: rows 1, 5


def test_probabilities_are_those_of_the_multinomial_logit() -> None:
    total = 1 + np.exp(0.5) + np.exp(0.3)
    wanted = [np.exp(0.5) / total, np.exp(-1) / (1 + np.exp(-1)), 0, np.exp(0.3) / total, 0, 0]
    assert np.allclose(SlateChoice(UTILITY, SHOWN, SLATE).probs, wanted, atol=1e-6)


def test_the_joint_probabilities_of_all_clicks_add_up_to_one() -> None:
    fn = SlateChoice(UTILITY, SHOWN, SLATE)
    values = torch.tensor(list(product([0.0, 1.0], repeat=6)))
    joint = torch.stack([fn.log_prob(value).sum() for value in values]).exp()
    assert float(joint.sum()) == pytest.approx(1.0, abs=1e-5)
    assert np.allclose(joint @ values, fn.probs, atol=1e-5)
    possible = joint > 0
    assert int(possible.sum()) == 3 * 2  # one of two or none, one or none
    assert not bool(values[possible][:, SHOWN == 0].any())


def test_draws_are_joint_and_follow_the_probabilities() -> None:
    """4,000 draws; |z| of at most 4.5 for three numbers: false alarms below 1e-4."""
    fn = SlateChoice(UTILITY, SHOWN, SLATE)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        drawn = fn.sample(torch.Size([4_000]))
    z = (drawn.mean(0) - fn.probs) / torch.sqrt(fn.variance / len(drawn)).clamp(min=1e-9)
    assert bool((z.abs() < 4.5).all())
    assert float(drawn[:, SLATE == 7].sum(1).max()) == 1.0


def test_gradients_are_finite_where_nothing_is_shown_and_utilities_are_large() -> None:
    utility = torch.tensor([200.0, -200.0, 200.0], requires_grad=True)
    fn = SlateChoice(utility, torch.tensor([1.0, 1.0, 0.0]), torch.tensor([0, 0, 1]))
    fn.log_prob(torch.tensor([1.0, 0.0, 0.0])).sum().backward()
    assert utility.grad is not None
    assert bool(torch.isfinite(utility.grad).all())
    assert float(fn.log_prob(torch.tensor([0.0, 0.0, 0.0])).sum().detach()) == pytest.approx(-200.0)


def test_it_is_not_coupled_row_by_row() -> None:
    fn = SlateChoice(UTILITY, SHOWN, SLATE)
    with pytest.raises(RefusedError, match="one noise for all its rows"):
        couple(fn, SHOWN * 0, fn)
    with pytest.raises(ValueError, match="cannot be copied"):
        fn.expand([2, 6])


# the program and what cuts it


@pytest.fixture(scope="module")
def known() -> tuple[KnownWorld, Fit]:
    """A small world, and a fit moved to its truth; slates of 4, the users' rows in no order of slates."""
    world = known_world(zoo.load("slate_choice"), 12, 24, 3, n_positions=4)
    return world, at_truth(cl.fit(world.scm, world.log, steps=2), world)


def average(fit: Fit, **options: int) -> cl.query.Effect:
    return cl.effect(fit, "click", cl.fix(exposure=1), draws=10, **options)


@pytest.mark.parametrize("size", [3, 50, 131_072])
def test_the_answer_does_not_depend_on_the_size_of_pieces(
    known: tuple[KnownWorld, Fit], size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, fit = known
    monkeypatch.setattr(
        sys.modules["counterlog.query.effect"], "pieces", lambda cells, whole: pieces(cells, whole, size)
    )
    truth = world.mean("click", cl.fix(exposure=1))
    assert average(fit).estimate == pytest.approx(truth, rel=1e-5)


def test_cutting_slates_apart_would_change_the_answer(known: tuple[KnownWorld, Fit]) -> None:
    """The control: without the declaration every piece of 3 rows would be a slate of 3 or less."""
    _, fit = known
    whole = log_rows(fit)
    slate = torch.from_numpy(whole.columns["slate"])
    one = torch.ones(len(whole))
    together = SlateChoice(0.0 * one, one, slate).mean.mean()
    apart = [SlateChoice(0.0 * part, part, code).mean for part, code in zip(one.split(3), slate.split(3), strict=True)]
    assert float(torch.cat(apart).mean()) > 1.1 * float(together)


def test_a_sample_holds_whole_slates(known: tuple[KnownWorld, Fit]) -> None:
    world, fit = known
    full = known[1].cells.columns["slate"]
    part = population(fit, 101, 0)
    assert 90 < len(part) <= 101
    inside = np.isin(full, part.columns["slate"])
    assert inside.sum() == len(part)
    chances = world.run(cl.fix(exposure=1)).fns["click"].mean.numpy()[fit.cells.order]
    assert average(fit, limit=101).estimate == pytest.approx(chances[inside].mean(), rel=1e-5)
    assert len(population(fit, 1, 0)) == 4  # one slate at least


def test_cuts_lie_between_slates(known: tuple[KnownWorld, Fit]) -> None:
    _, fit = known
    whole = log_rows(fit)
    for size in (1, 5, 7, 1000):
        edges = cuts(fit.cells, whole, size)
        assert edges[0] == 0
        assert edges[-1] == len(whole)
        codes = [set(whole.columns["slate"][a:b]) for a, b in pairwise(edges)]
        assert sum(map(len, codes)) == len(set(whole.columns["slate"]))


def test_an_ordinary_program_is_cut_as_before() -> None:
    world = known_world(zoo.load("popularity_exposure"), 10, 7, 0)
    fit = cl.fit(world.scm, world.log, steps=2)
    assert cuts(fit.cells, log_rows(fit), 16).tolist() == [0, 16, 32, 48, 64, 70]


def test_a_synthetic_log_has_one_click_a_slate_at_most_in_every_world(known: tuple[KnownWorld, Fit]) -> None:
    world, fit = known
    rows = cl.simulate(fit, cl.fix(exposure=1), draws=3, rng=2, truth=True).table.to_pandas()
    slates = rows.groupby("slate")
    assert slates["click"].sum().max() == 1
    assert (slates["truth_world"].nunique() == 1).all()
    assert rows["truth_mean"].mean() == pytest.approx(world.mean("click", cl.fix(exposure=1)), rel=1e-4)
    with pytest.raises(RefusedError, match="belong to no 'slate'"):
        cl.simulate(fit, cl.fix(exposure=1), per_user=5)


def test_predictions_are_of_the_slates_that_were_given(known: tuple[KnownWorld, Fit]) -> None:
    world, fit = known
    pairs = world.log.table.select(["user", "item", "slate"]).to_pandas()
    mixed = pairs.sample(frac=1.0, random_state=0)
    mixed["slate"] = mixed["slate"].map(lambda s: f"new {s}")
    found = cl.predict(fit, mixed, draws=5)["mean"].to_numpy()
    wanted = world.run(cl.fix(exposure=1)).fns["click"].mean.numpy()[mixed.index]
    assert np.allclose(found, wanted, atol=1e-5)


def test_what_has_no_answer_is_refused(known: tuple[KnownWorld, Fit]) -> None:
    world, fit = known
    with pytest.raises(RefusedError, match="depend on each other"):
        cl.counterfactual(fit, world.log, cl.fix(exposure=1))
    with pytest.raises(RefusedError, match="depend on each other"):
        cl.causation(fit, world.log, "exposure")
    assert "all rows of one 'slate'" in average(fit).card.to_json()["sensitivity"]


def test_a_log_without_slates_or_with_gaps_is_refused(known: tuple[KnownWorld, Fit]) -> None:
    world, _ = known
    frame = world.log.table.to_pandas()

    def log(
        data: object, context: tuple[str, ...] = ("slate",), exposure: str | None = "exposure"
    ) -> cl.InteractionLog:
        return cl.from_frame(data, user="user", item="item", exposure=exposure, outcome="click", context=context)

    def refused(error: type[CounterlogError], words: str, *given: object) -> None:
        with pytest.raises(error, match=words):
            bind(world.scm, log(*given))

    refused(CounterlogError, "no column of rows that stay together 'slate'", frame, ())
    refused(InputError, "rows have no value", frame.assign(slate=frame["slate"].mask(frame.index == 3)))
    gap = frame.assign(click=frame["click"].astype(float).mask((frame.index % 50 == 3) | (frame["exposure"] == 0)))
    refused(InputError, "all must be known", gap)
    refused(RefusedError, "cells without an event", frame[frame["exposure"] == 1], ("slate",), None)


def test_one_id_of_two_users_is_two_slates_and_long_ids_are_told_apart() -> None:
    import pyarrow as pa

    user = np.array([0, 0, 1, 1])
    assert group_codes(user, pa.chunked_array([[2**53, 2**53 + 1, 2**53, 2**53]])).tolist() == [0, 1, 2, 2]


def test_what_stays_together_is_a_context_and_not_a_site() -> None:
    import dataclasses

    with pytest.raises(ModelError, match="is a site"):
        dataclasses.replace(zoo.load("slate_choice"), together="exposure").validate()


def test_ignoring_competition_is_wrong(known: tuple[KnownWorld, Fit]) -> None:
    """The control: at its best, a model in which rows do not compete cannot know what showing more takes away."""
    world = known_world(zoo.load("slate_choice"), 80, 40, 1)
    truth = world.mean("click", cl.fix(exposure=1))
    error: dict[str, float] = {}
    for name in ("slate_choice", "popularity_exposure"):
        fit = cl.fit(zoo.load(name), world.log, steps=200)
        error[name] = abs(cl.effect(fit, "click", cl.fix(exposure=1), draws=20).estimate - truth)
    assert error["popularity_exposure"] > 2 * error["slate_choice"]


def test_no_formula_over_single_rows_is_offered_where_rows_act_on_each_other() -> None:
    import pyro
    import pyro.distributions as dist

    def program(view):
        """exposure -> click."""
        with view.opportunities() as o:
            exposure = pyro.sample("exposure", dist.Bernoulli(0.5 * torch.ones(len(o))))
            pyro.sample("click", SlateChoice(exposure - 1.0, exposure, o.context["slate"]))

    roles = {"exposure": "exposure", "outcome": "click"}
    alone, competing = cl.scm(**roles)(program), cl.scm(**roles, together="slate")(program)
    assert cl.identify(alone, effect_of="exposure", on="click").identified  # what it would say without the declaration
    said = cl.identify(competing, effect_of="exposure", on="click")
    assert not said.identified
    assert "act on each other" in said.because
