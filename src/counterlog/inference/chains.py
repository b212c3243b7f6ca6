"""`polish`: short Markov chains from an arrow, for an interval that rests on no guide.

Hamiltonian Monte Carlo with the no-U-turn rule (Hoffman, Gelman 2014, J. Mach. Learn. Res. 15) on the log joint density
of the whole log. The arrow straightens the ridge on which globals and locals trade off, so that short trajectories
cross it (Hoffman, Sountsov, Dillon et al. 2019, "NeuTra-lizing bad geometry", does this with a flow).
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyro
import torch
from torch import Tensor

from counterlog import rng as _rng
from counterlog.errors import FitError, InputError
from counterlog.inference.chain_state import ChainState, load_chart, load_states, remove_states, save_chart, save_states
from counterlog.inference.chart import (
    Chart,
    Coordinates,
    bare_chart,
    chart,
    chart_gradients,
    is_wide,
    roughness,
    value_gradient,
)
from counterlog.inference.guides import Chains
from counterlog.inference.headline import headline
from counterlog.inference.mixing import mixing
from counterlog.inference.response import lean
from counterlog.inference.tables import TABLES
from counterlog.inference.whole import Whole

if TYPE_CHECKING:
    from counterlog.inference.fit import Fit

#: Draws between two looks at the effective sample size, and between two checkpoints.
ROUND = 50
#: About what the arrow costs, in gradients of one draw, where a fit has none.
LEAN_GRADIENTS = 3000
#: Share of trajectories to accept, at which Hamiltonian Monte Carlo in many dimensions goes furthest for a gradient
#: (Beskos, Pillai, Roberts et al. 2013, Bernoulli 19).
ACCEPT = 0.65


@dataclass(frozen=True)
class Cost:
    """What polishing will take: ``seconds`` (expected, and at most) and ``bytes`` of draws."""

    gradient_seconds: float
    seconds: tuple[float, float]
    bytes: int

    def __str__(self) -> str:
        expected, most = (f"{s / 60:.0f} min" if s >= 90 else f"{s:.0f} s" for s in self.seconds)
        return (
            f"about {expected}, at most {most}; {self.bytes / 2**20:.0f} MiB of draws "
            f"({self.gradient_seconds * 1e3:.0f} ms a gradient)"
        )


def cost(fit: Fit, chains: int = 2, draws: int = 400, warmup: int = 150, depth: int = 5) -> Cost:
    """Time and memory of `polish` on this machine, from the time of one gradient.

    A trajectory turns after about half a circle, in steps that shrink with the fourth root of the number of latents
    (Beskos et al. 2013); chains are expected to have enough after half of the draws.

    Raises
    ------
    RefusedError
        The log is too large to be gone through at once.
    """
    coordinates = Coordinates(Whole(fit), bare_chart(fit))
    at = torch.zeros(len(coordinates.chart.loc))
    for _ in range(2):  # the recorder makes its plan in the first calls
        value_gradient(coordinates.fast, at)
    started = time.perf_counter()
    for _ in range(3):
        value_gradient(coordinates.fast, at)
    one = (time.perf_counter() - started) / 3
    first = one * (chart_gradients(fit) + (LEAN_GRADIENTS if fit.arrow is None else 0))
    longest = 2**depth - 1
    usual = min(longest, 2 ** math.ceil(math.log2(math.pi / 1.4 * len(at) ** 0.25)) - 1)
    expected = first + one * chains * (warmup + 0.5 * draws) * usual
    return Cost(one, (expected, first + one * chains * (warmup + draws) * longest), 4 * len(at) * chains * draws)


def polish(
    fit: Fit,
    *,
    rng: int = 0,
    chains: int = 2,
    draws: int = 400,
    warmup: int = 150,
    depth: int = 5,
    ess: float = 100.0,
    progress: Callable[[int, int], None] | bool | None = None,
    checkpoint: str | Path | None = None,
) -> Fit:
    """The fit with its posterior replaced by draws of Markov chains, started from its arrow (made if it has none).

    Parameters
    ----------
    rng
        Seed of the chains. The same seed gives the same draws on one thread.
    chains, draws, warmup
        Chains, most draws of each, and steps before them, in which units and step size are adapted.
    depth
        Longest trajectory: ``2**depth - 1`` gradients.
    ess
        Chains end when the headline quantity, E[outcome | do(exposure=1)], has this effective sample size.
    progress
        True for a bar on stderr, or a function of steps done and steps in all.
    checkpoint
        A folder: polishing that was stopped goes on from the last 50 draws, to the very same draws on one thread.

    Raises
    ------
    InputError
        An option is out of range.
    RefusedError
        The log is too large to be gone through at once.
    FitError
        A chain has left the region in which the density is finite, or stands still.
    """
    if chains < 2 or draws < ROUND or warmup < 50 or not 1 <= depth <= 10 or not ess > 0:
        raise InputError(
            f"polish needs at least 2 chains (R-hat compares them), {ROUND} draws, 50 warm-up steps, a depth of 1 to "
            f"10 and a positive ess; given chains={chains}, draws={draws}, warmup={warmup}, depth={depth}, ess={ess:g}"
        )
    started = time.monotonic()
    start = fit if fit.arrow is not None else lean(fit)
    whole, asked = Whole(start), headline(start)
    identity = hashlib.sha256(repr((start.hash, rng, chains, warmup, depth)).encode()).hexdigest()
    home = None if checkpoint is None else Path(checkpoint)
    states = load_states(home, identity, chains) if home is not None else {}
    coordinates = Coordinates(whole, _chart(start, whole, home, identity, progress))
    with _bar(progress, chains * (warmup + draws), f"polish {fit.scm.name}") as tick:
        if states:
            tick(sum(warmup + len(state.draws) for state in states.values()))
        for number in range(chains):
            if number not in states:
                states[number] = _warm_up(coordinates, warmup, depth, _rng.derive(rng, "chain", number), tick)
                _keep(home, identity, states)
        while len(states[0].draws) < draws or len({len(s.draws) for s in states.values()}) > 1:
            least = min(len(s.draws) for s in states.values())
            for number, state in states.items():
                if len(state.draws) == least:
                    seed = _rng.derive(rng, "chain", number, "round", least)
                    states[number] = _go_on(coordinates, asked, state, min(ROUND, draws - least), depth, seed, tick)
            _keep(home, identity, states)
            if least >= ROUND and _enough(states, ess):
                break
    if home is not None:
        remove_states(home)
    return _finish(start, coordinates, states, time.monotonic() - started)


def _chart(
    fit: Fit, whole: Whole, home: Path | None, identity: str, progress: Callable[[int, int], None] | bool | None
) -> Chart:
    """The coordinates: those of a polishing that was stopped, or new ones."""
    kept = load_chart(home, identity) if home is not None else None
    if kept is not None:
        return kept
    if is_wide(fit):
        with _bar(progress is True, whole.sizes["globals"], "measure curvature") as tick:
            made = chart(fit, whole, lambda *_: tick(1))
    else:
        made = chart(fit, whole)
    if home is not None:
        save_chart(home, identity, made)
    return made


def _kernel(coordinates: Coordinates, unit: Tensor, depth: int, at: Tensor, step: float, warmup: int) -> Any:
    from pyro.infer.mcmc import NUTS

    kernel = NUTS(
        potential_fn=coordinates.energy(unit),
        step_size=step,
        adapt_step_size=warmup > 0,
        adapt_mass_matrix=False,
        target_accept_prob=ACCEPT,
        max_tree_depth=depth,
    )
    kernel.initial_params = {"e": at / unit}
    kernel.setup(warmup)
    return kernel


def _warm_up(coordinates: Coordinates, steps: int, depth: int, seed: int, tick: Callable[[int], None]) -> ChainState:
    """A chain from a draw of the chart. Half of the steps go to where the density is; the curvature there sets the unit
    of every coordinate; the other half adapts the step size to it.
    """
    n = len(coordinates.chart.loc)
    unit, step = torch.ones(n), 0.1
    with _rng.seeded(seed, "warm-up"), pyro.validation_enabled(False):
        e = torch.randn(n)
        for part in (steps // 2, steps - steps // 2):
            kernel = _kernel(coordinates, unit, depth, e, step, part)
            at, seen = kernel.initial_params, []
            for _ in range(part):
                at = kernel.sample(at)
                seen.append(unit * at["e"].detach())
                tick(1)
            e, step = seen[-1], float(kernel.step_size)
            _finite(e)
            if part == steps // 2:
                unit = roughness(coordinates.whole, coordinates.chart, seen[part // 2 :], seed).rsqrt()
    return ChainState(e, unit, step, torch.empty(0, n), np.empty(0), 0)


def _go_on(
    coordinates: Coordinates,
    asked: Callable[[dict[str, Tensor]], float],
    state: ChainState,
    number: int,
    depth: int,
    seed: int,
    tick: Callable[[int], None],
) -> ChainState:
    """More draws of a chain, with its step size as it is: what is kept is all that the next needs."""
    fresh, values = [], []
    with _rng.seeded(seed, "draws"), pyro.validation_enabled(False):
        kernel = _kernel(coordinates, state.unit, depth, state.last, state.step, 0)
        at = kernel.initial_params
        for _ in range(number):
            at = kernel.sample(at)
            fresh.append(state.unit * at["e"].detach())
            values.append(asked(coordinates.place(fresh[-1])))
            tick(1)
        lost = len(kernel.diagnostics()["divergences"])
    _finite(fresh[-1])
    if all(torch.allclose(e, state.last) for e in fresh):
        raise FitError(
            f"a chain has not moved in {number} draws (step size {state.step:.2g}); give it more warm-up (--warmup)"
        )
    draws = torch.cat([state.draws, torch.stack(fresh)])
    return ChainState(
        fresh[-1], state.unit, state.step, draws, np.concatenate([state.quantity, values]), state.divergences + lost
    )


def _finite(e: Tensor) -> None:
    if not bool(torch.isfinite(e).all()):
        raise FitError("a chain left the region in which the density is finite; fit longer first, or check the program")


def _keep(home: Path | None, identity: str, states: dict[int, ChainState]) -> None:
    if home is not None:
        save_states(home, identity, states)


def _enough(states: dict[int, ChainState], wanted: float) -> bool:
    from counterlog.inference.arviz_export import chain_diagnostics

    found = chain_diagnostics(np.stack([state.quantity for state in states.values()]))
    return found["ess"] >= wanted and found["r_hat"] < 1.05


def _finish(fit: Fit, coordinates: Coordinates, states: dict[int, ChainState], seconds: float) -> Fit:
    """The fit with the chains' draws; its locations and scales are their means and standard deviations."""
    from counterlog.inference.arviz_export import chain_diagnostics

    chains = []
    for state in states.values():
        placed = [coordinates.place(e) for e in state.draws]
        chains.append({name: torch.stack([tables[name] for tables in placed]) for name in TABLES})
    tables = {name: torch.stack([chain[name] for chain in chains]) for name in TABLES}
    quantity = np.stack([state.quantity for state in states.values()])
    each = tables["globals"][:, :, 0].double().numpy()
    looked = mixing(each, fit.layout)
    worst = max(looked, key=lambda name: looked[name]["r_hat"]) if looked else ""
    about = {
        "quantity": f"E[{fit.scm.outcome} | do({fit.scm.exposure}=1)]",
        **chain_diagnostics(quantity),
        "worst_global": worst,
        "worst_r_hat": looked[worst]["r_hat"] if looked else 1.0,
        "least_ess": min((found["ess"] for found in looked.values()), default=float(quantity.size)),
        "step_sizes": [state.step for state in states.values()],
        "divergences": sum(state.divergences for state in states.values()),
        "seconds": seconds,
    }
    flat = {name: table.flatten(0, 1) for name, table in tables.items()}
    loc = {name: table.mean(0) for name, table in flat.items()}
    away = {name: (table - loc[name]).square().mean(0) for name, table in flat.items()}
    log_scale = {name: 0.5 * table.clamp(min=1e-24).log() for name, table in away.items()}
    return dataclasses.replace(fit, loc=loc, log_scale=log_scale, arrow=None, chains=Chains(tables, quantity, about))


class _bar:
    """A progress bar of steps on stderr, a user's own function, or nothing; gives a function of steps just done."""

    def __init__(self, progress: Callable[[int, int], None] | bool | None, total: int, title: str) -> None:
        self._progress, self._total, self._title, self._done = progress, total, title, 0
        self._rich: Any = None

    def __enter__(self) -> Callable[[int], None]:
        if self._progress is True:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            console = Console(stderr=True)
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._rich = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
            self._rich.start()
            self._task = self._rich.add_task(self._title, total=self._total)
        return self._tick

    def _tick(self, steps: int) -> None:
        self._done += steps
        if self._rich is not None:
            self._rich.update(self._task, completed=self._done)
        elif callable(self._progress):
            self._progress(self._done, self._total)

    def __exit__(self, *error: object) -> None:
        if self._rich is not None:
            self._rich.stop()
