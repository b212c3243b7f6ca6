"""Stochastic variational inference over blocks: the loop, its schedule, and what it says about itself."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyro
import torch
from torch import Tensor

from counterlog import rng as _rng
from counterlog.errors import FitError
from counterlog.inference import checkpoint as _checkpoint
from counterlog.inference.blocks import Block, Plan, epoch
from counterlog.inference.elbo import Loss, leaves_of, negative_elbo, rows_of
from counterlog.inference.tables import Layout, Table, start_tables

if TYPE_CHECKING:
    from counterlog.model import SCM

Progress = Callable[[int, int, float], None]


@dataclass(frozen=True)
class Schedule:
    """How long and how fast: chosen on held-out events of biased logs only (docs/decisions/0003-schedule.md).

    ``steps`` gradient steps; the learning rates decay exponentially to ``decay`` times their start; ``row_travel`` is
    how far a user's row can move in all, which sets its rate from the number of its visits; ``start_scale`` is the
    guide's first standard deviation.
    """

    steps: int
    lr: float = 0.1
    decay: float = 0.05
    row_travel: float = 20.0
    max_row_lr: float = 0.3
    start_scale: float = 0.05


@dataclass(eq=False)
class State:
    """Where a fit stands: its tables and the losses so far, one a step; their mean over an epoch estimates the negative
    ELBO an opportunity.
    """

    tables: dict[str, Table]
    losses: list[float]


def run(
    scm: SCM,
    plan: Plan,
    layout: Layout,
    start: Mapping[str, Tensor],
    schedule: Schedule,
    seed: int,
    progress: Progress | None = None,
    saved: Path | None = None,
    identity: str = "",
    every: float = 20.0,
) -> State:
    """Run the schedule, from a checkpoint at ``saved`` if there is one of the same ``identity``.

    The noise of step k depends on ``seed`` and k alone, and the order of blocks on the epoch: a fit that was killed and
    resumed is the uninterrupted fit, bit for bit on one thread. A checkpoint is written after the first step, every
    ``every`` seconds, at the end and on Ctrl-C, which waits for the end of a step.

    Raises
    ------
    FitError
        The loss is not finite: names the site and the step.
    """
    cells = plan.cells
    tables = start_tables(
        layout, start, cells.n_users, cells.n_items, seed, plan.device, math.log(schedule.start_scale)
    )
    state = State(tables, [])
    if saved is not None and _checkpoint.exists(saved):
        state = _checkpoint.load(saved, identity, tables)
    rates = _rates(schedule, len(plan))
    kept: dict[int, Block] = {}
    written = -math.inf
    step = len(state.losses)
    noise = torch.Generator(device=plan.device)
    stopping = nullcontext(lambda: False) if saved is None else _checkpoint.deferred_interrupt()
    with pyro.validation_enabled(False), stopping as stopped:
        while step < schedule.steps:
            number, done = divmod(step, len(plan))
            for position, block in enumerate(epoch(plan, number, seed, kept)):
                if position < done:
                    continue
                if step >= schedule.steps:
                    break
                noise.manual_seed(_rng.derive(seed, "noise", step))
                loss = _step(scm, block, layout, plan, state.tables, rates, schedule, step, number, noise)
                state.losses.append(loss)
                step += 1
                if progress is not None:
                    progress(step, schedule.steps, loss)
                if saved is not None and (stopped() or step == schedule.steps or time.monotonic() - written > every):
                    _checkpoint.save(saved, identity, state.tables, state.losses)
                    written = time.monotonic()
                if stopped():
                    raise KeyboardInterrupt
    return state


def _rates(schedule: Schedule, n_blocks: int) -> dict[str, float]:
    """Learning rate of each table. A user's row moves once an epoch, so its rate must let it arrive."""
    visits = max(1.0, schedule.steps / n_blocks)
    users = min(schedule.max_row_lr, max(schedule.lr, schedule.row_travel / visits * schedule.lr * 10))
    return {"globals": schedule.lr, "items": schedule.lr, "users": users}


def _step(
    scm: SCM,
    block: Block,
    layout: Layout,
    plan: Plan,
    tables: dict[str, Table],
    rates: Mapping[str, float],
    schedule: Schedule,
    step: int,
    number: int,
    noise: torch.Generator,
) -> float:
    leaves = leaves_of(tables, block)
    draws = {name: torch.randn(leaf[0].shape, generator=noise, device=plan.device) for name, leaf in leaves.items()}
    with nullcontext() if plan.device.type == "cpu" else torch.device(plan.device):
        loss = negative_elbo(scm, block, layout, plan.cells.treatment, leaves, draws)
    each = (
        loss.total / plan.typical
    )  # one divisor for all blocks: by its own size a block of few opportunities would pull as much as any
    value = float(each.detach())
    if not math.isfinite(value):
        raise FitError(_blame(loss, step))
    each.backward()
    if not all(leaf.grad is None or math.isfinite(float(leaf.grad.sum())) for pair in leaves.values() for leaf in pair):
        raise FitError(_blame_gradient(layout, leaves, step))
    slow = schedule.decay ** (step / schedule.steps)
    rows = rows_of(block)
    for name, table in tables.items():
        age = number + 1 if name == "users" else None
        table.update(rows[name], leaves[name], rates[name] * slow, age)
    return value


def _blame(loss: Loss, step: int) -> str:
    """Names the sites whose terms are not finite: those of an opportunity first, since every latent flows into them."""
    latents = [
        name for name, part in loss.parts.items() if name != "log_likelihood" and not bool(torch.isfinite(part).all())
    ]
    bad = (
        latents
        or [name for name, part in loss.seen.items() if not bool(torch.isfinite(part).all())]
        or ["log_likelihood"]
    )
    return (
        f"the loss is not finite at step {step + 1}, in site {', '.join(repr(b) for b in bad)}; check that the "
        "program's distributions accept every "
        "value of the log and that no scale reaches 0"
    )


def _blame_gradient(layout: Layout, leaves: Mapping[str, tuple[Tensor, Tensor]], step: int) -> str:
    bad = []
    for site in layout.sites:
        grads = [leaf.grad[:, site.start : site.stop] for leaf in leaves[site.table] if leaf.grad is not None]
        if not all(bool(torch.isfinite(grad).all()) for grad in grads):
            bad.append(repr(site.name))
    return (
        f"the gradient is not finite at step {step + 1}, in site {', '.join(bad)}, though the loss is; look for a "
        "square root, a logarithm or a "
        "division at 0 in what the program computes from it"
    )


@dataclass(frozen=True)
class Convergence:
    """Whether the loss had stopped falling, and the sentence that says by how much."""

    converged: bool
    message: str


def convergence(losses: list[float], n_blocks: int) -> Convergence:
    """Judge by the last two tenths of the run: with 97% confidence the mean loss fell by less than 1% from one to the
    other.

    A fall that the noise could hide counts as one. Blocks differ in their losses, so that whole epochs are compared
    where a tenth holds two. It cannot see a local optimum.
    """
    window = max(1, len(losses) // 10)
    if len(losses) < 100 or len(losses) < 3 * n_blocks:
        return Convergence(
            False, f"{len(losses)} steps are too few to judge convergence (at least {max(100, 3 * n_blocks)})"
        )
    size = n_blocks if window >= 2 * n_blocks else 1
    window //= size
    tail = np.asarray(losses[-2 * window * size :]).reshape(2 * window, size).mean(1)
    before, last = tail[:window], tail[window:]
    fall = float(before.mean() - last.mean())
    noise = math.hypot(float(before.std(ddof=1)), float(last.std(ddof=1))) / math.sqrt(window)
    limit = max(0.01 * abs(float(last.mean())), 0.001)  # nats; a loss of densities may lie near 0
    if fall + 2.0 * noise <= limit:
        return Convergence(
            True, f"the loss changed by {-fall:+.2g} an opportunity over the last tenth (limit {limit:.2g})"
        )
    if fall > 2.0 * noise:
        return Convergence(
            False,
            f"the loss still fell by {fall:.2g} an opportunity over the last tenth (limit {limit:.2g}); give more "
            "steps",
        )
    return Convergence(
        False,
        f"the loss may still be falling by up to {fall + 2.0 * noise:.2g} an opportunity in a tenth of the run "
        f"(limit {limit:.2g}), which its noise "
        "hides; give more steps",
    )
