"""Was it the exposure? Against worlds in which both outcomes of every event are known."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pyro
import pyro.distributions as dist
import pytest
import torch
from tests.synth.small_fits import fitted

import counterlog as cl
from counterlog.errors import InputError, RefusedError, UnknownNameError
from counterlog.inference import Fit


@cl.scm(exposure="exposure", outcome="click")
def bought_anyway(view):
    """hour -> reminder -> click <- hour, exposure -> click."""
    level, lift = pyro.sample("level", dist.Normal(0.0, 1.0)), pyro.sample("lift", dist.Normal(0.0, 1.0))
    with view.opportunities():
        hour = pyro.sample("hour", dist.Normal(0.0, 1.0))
        reminder = pyro.sample("reminder", dist.Bernoulli(logits=hour))
        exposure = pyro.sample("exposure", dist.Bernoulli(0.99))
        pyro.sample("click", dist.Bernoulli(probs=exposure * (level + lift * reminder + hour).sigmoid()))


LEVEL, LIFT, N = -0.5, 1.2, 20_000


def world(monotone: bool) -> tuple[Fit, np.ndarray, np.ndarray, np.ndarray]:
    """A fit that knows the truth, who was reminded, and the outcome of every event without and with a reminder."""
    rng = np.random.default_rng(4)
    hour = rng.normal(size=N).astype(np.float32)
    reminder = rng.random(N) < 1 / (1 + np.exp(-hour))
    u = rng.random(N)
    p0, p1 = (1 / (1 + np.exp(-(LEVEL + by + hour))) for by in (0.0, LIFT))
    without, shown = u < p0, (u if monotone else 1 - u) < p1
    table = pd.DataFrame(
        {
            "user": np.arange(N) // 100,
            "item": np.arange(N) % 100,
            "hour": hour,
            "reminder": reminder.astype(np.float32),
            "exposure": 1,
            "click": np.where(reminder, shown, without).astype(int),
        }
    )
    log = cl.from_frame(table, exposure="exposure", outcome="click", context=["hour", "reminder"])
    fit = cl.fit(bought_anyway, log, steps=2)
    loc, scale = (dict(part) for part in (fit.loc, fit.log_scale))
    loc["globals"] = torch.tensor([[{"level": LEVEL, "lift": LIFT}[s.name] for s in fit.layout.of("globals")]])
    scale["globals"] = torch.full_like(loc["globals"], -30.0)
    return dataclasses.replace(fit, loc=loc, log_scale=scale), reminder, without, shown


def test_necessity_and_sufficiency_of_a_monotone_world() -> None:
    """Binomial errors of some 5,000 events, at 4.5 of them: false alarms below 1e-4."""
    fit, reminder, without, shown = world(monotone=True)
    found = cl.causation(fit, fit.log, "reminder", draws=10)
    needed = ~without[reminder & shown]
    enough = shown[~reminder & ~without]
    for share, truth in ((found.necessity, needed), (found.sufficiency, enough)):
        assert abs(share.value - truth.mean()) < 4.5 * 0.5 / np.sqrt(len(truth))
        assert share.bounds[0] - 0.02 <= truth.mean() <= share.bounds[1] + 0.02  # at a bound, up to sampling
        assert share.bounds[0] < share.value - 0.05 or share.bounds[1] > share.value + 0.05  # they say something else
        assert share.rows == len(truth)
    naive = 1.0  # every click after a reminder put down to the reminder
    assert naive - needed.mean() > 0.4


def test_where_monotonicity_fails_the_value_is_wrong_and_the_bounds_hold() -> None:
    fit, reminder, without, shown = world(monotone=False)
    found = cl.causation(fit, fit.log, "reminder", draws=10)
    needed = ~without[reminder & shown]
    assert abs(found.necessity.value - needed.mean()) > 0.1
    low, high = found.necessity.bounds
    assert low - 0.02 <= needed.mean() <= high + 0.02
    assert any("monotone" in said for said in found.card.assumptions)


def test_no_effect_no_cause() -> None:
    fit, *_ = world(monotone=True)
    loc = dict(fit.loc)
    loc["globals"] = torch.tensor([[{"level": LEVEL, "lift": 0.0}[s.name] for s in fit.layout.of("globals")]])
    found = cl.causation(dataclasses.replace(fit, loc=loc), fit.log, "reminder", draws=10)
    assert found.necessity.value == pytest.approx(0.0, abs=1e-6)
    assert found.sufficiency.value == pytest.approx(0.0, abs=1e-6)


def test_a_click_that_needs_an_exposure_was_always_due_to_it() -> None:
    fit = fitted("popularity_exposure")
    found = cl.causation(fit, fit.log, draws=10)
    assert found.necessity.value == 1.0
    assert found.necessity.bounds == (1.0, 1.0)
    assert 0.0 < found.sufficiency.value < 1.0
    assert "probability of necessity" in str(found)
    assert set(found.to_json()) == {"necessity", "sufficiency", "level", "card"}


def test_latent_exposure_speaks_of_those_that_probably_were_not_exposed() -> None:
    fit = fitted("position_examination")
    found = cl.causation(fit, fit.log, draws=10)
    quiet = int((fit.log.outcome == 0).sum())
    assert 0 < found.sufficiency.rows < quiet
    twin = cl.counterfactual(fit, fit.log, cl.fix(exposure=1), draws=10).table.to_pandas()
    over_all = twin.click_counterfactual_mean[twin.click == 0].mean()
    assert found.sufficiency.value > over_all  # seen and not clicked stays not clicked
    only_clicks = fitted("latent_exposure")
    assert cl.causation(only_clicks, only_clicks.log, draws=10).sufficiency is None


def test_a_position_can_be_the_cause() -> None:
    fit = fitted("position_examination")
    found = cl.causation(fit, fit.log, "position", present=1, absent=5, draws=10)
    first = fit.log.position == 1
    assert found.necessity.rows == int((first & (fit.log.outcome == 1)).sum())
    assert 0.0 < found.necessity.value < 1.0
    assert "do(position=5)" in str(found)


def test_bad_causes_are_refused() -> None:
    fit = fitted("popularity_exposure")
    with pytest.raises(UnknownNameError, match="exposure"):
        cl.causation(fit, fit.log, "exposre")
    with pytest.raises(RefusedError, match="does not show 'popularity' event by event"):
        cl.causation(fit, fit.log, "popularity")
    with pytest.raises(InputError, match="both 1"):
        cl.causation(fit, fit.log, absent=1)


def test_ratings_have_no_necessity() -> None:
    fit = fitted("self_selection")
    with pytest.raises(RefusedError, match="happens or not"):
        cl.causation(fit, fit.log)
