"""Logs whose interventional answers are known, and quick fits to them."""

from __future__ import annotations

import functools

import numpy as np
import pyarrow as pa
from tests.inference import programs
from tests.inference.worlds import small, zoo_log

import counterlog as cl
from counterlog.inference import Fit
from counterlog.logs import InteractionLog

BASE, LIFT = -0.8, 1.0


@functools.cache
def confounded(n_users: int = 80, n_items: int = 40, lift: float = LIFT, seed: int = 0) -> tuple[InteractionLog, float]:
    """A log in which the hour drives exposure and clicks, and the true E[click | do(exposure=1)] over its hours."""
    rng = np.random.default_rng(seed)
    n = n_users * n_items
    hour = rng.normal(size=n)
    exposure = rng.random(n) < 1 / (1 + np.exp(-2 * lift * hour))
    chance = 1 / (1 + np.exp(-(BASE + LIFT * hour)))
    click = exposure & (rng.random(n) < chance)
    table = pa.table(
        {
            "user": np.repeat([f"u{k}" for k in range(n_users)], n_items),
            "item": np.tile([f"i{k}" for k in range(n_items)], n_users),
            "exposure": exposure.astype(int),
            "click": click.astype(int),
            "hour": hour,
            "device": rng.choice(["desk", "phone", "TV"], n),
        }
    )
    log = cl.from_frame(table, outcome="click", exposure="exposure", context=("hour", "device"))
    return log, float(chance.mean())


@functools.cache
def hourly_fit() -> Fit:
    """A fit of the program that knows the confounder."""
    return cl.fit(programs.hourly, confounded()[0], steps=250)


@functools.cache
def zoo_fit(name: str, steps: int = 25) -> Fit:
    """A rough fit of a zoo model: enough to ask, not enough to believe."""
    return cl.fit(small(cl.zoo.load(name)), zoo_log(name), steps=steps)
