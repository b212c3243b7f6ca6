"""Counts, times behind a hurdle, user types and choices from a slate, through the public checks and what each has of
its own.

Each recovery is one world with a fixed seed, as in `test_zoo`.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

import counterlog as cl
from counterlog import zoo
from counterlog.inference import Fit
from counterlog.model.known_world import KnownWorld
from counterlog.model.twins import twins
from counterlog.testing import SCMChecks, Sizes, at_truth

MEDIUM = Sizes(n_users=120, n_items=60, steps=350)
LARGER = Sizes(n_users=150, n_items=80, steps=350)


class TestCounts(SCMChecks):
    scm = zoo.load("counts")
    sizes = MEDIUM


class TestDwellTime(SCMChecks):
    scm = zoo.load("dwell_time")
    sizes = MEDIUM

    @property
    def known(self) -> tuple[KnownWorld, Fit]:
        """The world, and its fit moved to the truth."""
        return self._made.world, at_truth(self._made.fit, self._made.world)

    def test_time_per_exposure_is_opening_times_time_if_opened(self) -> None:
        world, fit = self.known
        shown, opened = cl.fix(exposure=1), cl.fix(exposure=1, click=1)
        run = world.run(opened)
        share = torch.sigmoid(torch.as_tensor(_appeal(world)))
        product = float((share * run.fns["dwell"].amount.mean).double().mean())
        assert cl.effect(fit, "dwell", shown, draws=40).estimate == pytest.approx(product, rel=0.02)
        assert cl.effect(fit, "dwell", opened, draws=10).estimate == pytest.approx(
            world.mean("dwell", opened), rel=1e-4
        )
        assert cl.effect(fit, "click", shown, draws=10).estimate == pytest.approx(float(share.mean()), rel=0.02)
        assert cl.effect(fit, "dwell", cl.fix(exposure=0), draws=10).estimate == 0.0

    def test_the_naive_time_counts_what_was_not_opened(self) -> None:
        world, fit = self.known
        rows = world.log.table.to_pandas()
        shown = rows[rows["exposure"] == 1]
        naive = cl.effect(fit, "dwell", cl.fix(exposure=1), draws=10).naive
        assert naive == pytest.approx(shown["dwell"].fillna(0.0).mean(), rel=1e-5)
        given = cl.effect(fit, "dwell", cl.fix(exposure=1, click=1), draws=10).naive
        assert given == pytest.approx(shown["dwell"].mean(), rel=1e-5)

    def test_a_synthetic_log_opens_before_it_has_a_time(self) -> None:
        world, fit = self.known
        made = cl.simulate(fit, cl.fix(exposure=1), rng=1)
        rows = made.table.to_pandas()
        assert (rows["dwell"].notna() == (rows["click"] == 1)).all()
        assert rows["dwell"].min() > 0
        assert rows["click"].mean() == pytest.approx(world.mean("click", cl.fix(exposure=1)), rel=0.05)
        assert made.to_log().check().ok

    def test_predictions_need_no_click(self) -> None:
        world, fit = self.known
        pairs = world.log.table.select(["user", "item"]).slice(0, 2000)
        table = cl.predict(fit, pairs, draws=100)
        assert np.mean(table["mean"]) == pytest.approx(
            float(world.run(cl.fix(exposure=1, click=1)).fns["dwell"].amount.mean[:2000] @ _share(world)[:2000]) / 2000,
            rel=0.03,
        )

    def test_events_keep_their_time_in_another_world(self) -> None:
        world = self._made.world
        both = twins(world, cl.fix(exposure=1))
        log = both.before.log
        moved = at_truth(cl.fit(self.scm, log, steps=2), both.before)
        table = cl.counterfactual(moved, log, cl.fix(exposure=1), draws=10, rng=3).table.to_pandas()
        happened = both.after.values["dwell"].numpy()
        assert table["dwell_counterfactual_mean"].mean() == pytest.approx(happened.mean(), rel=0.03)
        was = table["exposure"] == 1
        assert np.allclose(table["dwell_counterfactual"][was], table["dwell"][was].fillna(0.0))
        assert np.allclose(table["dwell_counterfactual"][was], happened[was], rtol=1e-4)


class TestSlateChoice(SCMChecks):
    scm = zoo.load("slate_choice")
    sizes = MEDIUM


class TestSegments(SCMChecks):
    scm = zoo.load("segments")
    sizes = LARGER

    def test_types_are_found_whatever_their_numbers(self) -> None:
        world, fit = self._made.world, self._made.fit
        kinds = len(world.values["rise"]) + 1
        draw = fit.draw(0, 0).values()
        order = [int(label[1:]) for label in fit.log.items.labels]
        truth = (world.values["taste"] * world.values["taste_spread"])[order].T
        found = (draw["taste"] * draw["taste_spread"]).T
        likeness = np.corrcoef(truth.numpy(), found.numpy())[:kinds, kinds:]
        best = max(likeness[range(kinds), list(p)].mean() for p in itertools.permutations(range(kinds)))
        assert best > 0.7

    def test_an_event_keeps_its_type_in_another_world(self) -> None:
        both = twins(self._made.world, cl.fix(exposure=1))
        log = both.before.log
        fit = at_truth(cl.fit(self.scm, log, steps=2), both.before)
        table = cl.counterfactual(fit, log, cl.fix(exposure=1), draws=10, rng=3).table.to_pandas()
        happened = both.after.values["click"].numpy()
        assert table["click_counterfactual_mean"].mean() == pytest.approx(happened.mean(), rel=0.03)
        unseen = (table["exposure"] == 0).to_numpy()
        assert table["click_counterfactual_mean"][unseen].mean() == pytest.approx(happened[unseen].mean(), rel=0.07)


def _appeal(world: KnownWorld) -> torch.Tensor:
    """The log-odds of opening, by the formula of the page."""
    v, rows = world.values, world.view.rows
    liking = ((v["preference"] * v["spread"])[rows.user] * v["attribute"][rows.item]).sum(-1)
    return v["appeal"] + liking + v["quality_spread"] * v["quality"][rows.item]


def _share(world: KnownWorld) -> torch.Tensor:
    return torch.sigmoid(_appeal(world))
