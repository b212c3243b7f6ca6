"""`fit`: from a program and a log to a frozen posterior."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from counterlog import rng as _rng
from counterlog.errors import FitError, InputError, ModelError, RefusedError, unknown_name
from counterlog.inference import checkpoint as _checkpoint
from counterlog.inference import svi
from counterlog.inference.blocks import plan as plan_blocks
from counterlog.inference.cells import Cells, Treatment, bind
from counterlog.inference.guides import Arrow, Chains
from counterlog.inference.summing import check_sums
from counterlog.inference.svi import Convergence, Progress, Schedule
from counterlog.inference.tables import TABLES, Layout, layout, split
from counterlog.inference.whole import refuse_large

if TYPE_CHECKING:
    from counterlog.inference.checks import Checks
    from counterlog.logs import InteractionLog
    from counterlog.model import SCM

#: The grid is gone through whole up to this many cells, else the cells without an event are sampled with weights.
WHOLE_GRID = 250_000
SAMPLED_PER_EVENT = 4.0
#: Least number of times that a user is visited: a row moves once a pass (docs/decisions/0003-schedule.md).
PASSES = 60


@dataclass(frozen=True, eq=False)
class Fit:
    """The frozen result of inference: a posterior over every latent, with what made it.

    ``loc`` and ``log_scale`` map a table (globals, users, items) to float32 ``[rows, width]`` in unconstrained space;
    ``layout`` says which columns belong to which site. ``losses`` is the negative ELBO an opportunity, one a step.
    ``arrow`` and ``chains`` are what `guide` says beyond a mean-field normal, or None.
    """

    scm: SCM
    log: InteractionLog
    loc: Mapping[str, Tensor]
    log_scale: Mapping[str, Tensor]
    layout: Layout
    losses: np.ndarray
    convergence: Convergence
    seed: int
    seconds: float
    options: Mapping[str, Any]
    arrow: Arrow | None = None
    chains: Chains | None = None

    @property
    def guide(self) -> str:
        """The form of the posterior: ``mean-field``, ``arrow`` or ``chains``."""
        return "chains" if self.chains is not None else "mean-field" if self.arrow is None else "arrow"

    @property
    def converged(self) -> bool:
        """Whether the loss had stopped falling; `convergence` has the sentence."""
        return self.convergence.converged

    @property
    def steps(self) -> int:
        """Gradient steps taken."""
        return len(self.losses)

    @property
    def loss(self) -> float:
        """Mean of the last tenth of the losses: an estimate of the negative ELBO an opportunity."""
        return float(np.mean(self.losses[-max(1, len(self.losses) // 10) :]))

    @cached_property
    def cells(self) -> Cells:
        """The log's events as the program's sites need them."""
        return bind(self.scm, self.log)

    @cached_property
    def treatment(self) -> Treatment:
        """What was implied, summed out and left out."""
        return self.cells.treatment

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the program, its parameters, the log, the seed and every number of the posterior."""
        told = json.dumps(dict(self.scm.parameters), default=repr)  # a tuple that comes back from a file is a list
        digest = hashlib.sha256(f"{self.scm.source_hash}{told}{self.log.hash}{self.seed}".encode())
        for table in TABLES:
            for part in (self.loc, self.log_scale):
                digest.update(np.ascontiguousarray(part[table].numpy()).tobytes())
            for more in (self.arrow and self.arrow.slopes, self.chains and self.chains.tables):
                if more:
                    digest.update(np.ascontiguousarray(more[table].numpy()).tobytes())
        return digest.hexdigest()

    def draws(self, number: int, rng: int) -> Iterator[Draw]:
        """``number`` joint draws of the posterior; draw k depends on ``rng`` and k alone."""
        for index in range(number):
            yield self.draw(rng, index)

    def draw(self, rng: int, index: int) -> Draw:
        """Joint draw ``index`` of the stream ``rng``."""
        if self.chains is not None:
            return Draw(self.layout, self.chains.draw(rng, index))
        tables = {}
        for name in TABLES:
            generator = torch.Generator().manual_seed(_rng.derive(rng, "posterior", index, name))
            loc = self.loc[name]
            noise = torch.randn(loc.shape, generator=generator)
            noise = noise if self.arrow is None else self.arrow.own(name, noise)
            tables[name] = torch.addcmul(loc, self.log_scale[name].exp(), noise)
        if self.arrow is not None:
            tables = {name: tables[name] + more for name, more in self.arrow.lean(rng, index).items()}
        return Draw(self.layout, tables)

    def check(self, log: InteractionLog | None = None, **options: Any) -> Checks:
        """Whether the fit is to be trusted, check by check: see `counterlog.inference.checks.check`."""
        from counterlog.inference.checks import check

        return check(self, log, **options)

    def save(self, path: str | Path, force: bool = False) -> Path:
        """Write the fit to a folder as tensors, JSON and the log; see `load_fit`."""
        from counterlog.inference.files import save_fit

        return save_fit(self, Path(path), force)

    def to_arviz(self, draws: int = 200, rng: int = 0) -> Any:
        """Posterior, posterior predictive, observed data and log-likelihood for ArviZ: see
        `counterlog.inference.to_arviz`.
        """
        from counterlog.inference.arviz_export import to_arviz

        return to_arviz(self, draws, rng)

    def _repr_html_(self) -> str:
        from counterlog.inference.display import html

        return html(self)

    def __repr__(self) -> str:
        state = "converged" if self.converged else "NOT converged"
        return (
            f"Fit({self.scm.name}, {self.log.rows:,} events, {len(self.log.users):,} users x {len(self.log.items):,} "
            "items, "
            f"{self.guide}, {self.steps:,} steps, loss {self.loss:.4f}, {state}, {self.seconds:.0f} s)"
        )


@dataclass(frozen=True, eq=False)
class Draw:
    """One joint draw of every latent, unconstrained, by table."""

    layout: Layout
    tables: Mapping[str, Tensor]

    def values(self, users: Tensor | slice | None = None, items: Tensor | slice | None = None) -> dict[str, Tensor]:
        """Site values for some users and items (all if None): ``[rows, *shape]``, globals ``shape``."""
        rows = {"globals": None, "users": users, "items": items}
        found: dict[str, Tensor] = {}
        for table, z in self.tables.items():
            index = rows[table]
            if isinstance(index, Tensor):
                z = z.index_select(0, index)
            elif index is not None:
                z = z[index]
            found.update(split(self.layout, table, z))
        return {site.name: site.transform(found[site.name]) for site in self.layout.sites}


def fit(
    scm: SCM,
    log: InteractionLog,
    *,
    rng: int = 0,
    steps: int | None = None,
    batch: int | None = None,
    unexposed: str | float | None = None,
    restarts: int = 1,
    lr: float | None = None,
    guide: str = "mean-field",
    device: str = "cpu",
    progress: Progress | bool | None = None,
    checkpoint: str | Path | None = None,
    keep_checkpoint: bool = False,
) -> Fit:
    """Fit a program to a log by stochastic variational inference over blocks of users.

    Parameters
    ----------
    scm
        The program with its roles.
    log
        The log; the program never sees its exposures or outcomes, they are bound to the sites of their names.
    rng
        Seed of the starting point, the noise and the order of blocks. The same seed gives the same fit.
    steps
        Gradient steps; by default at least 1,500 and at least 60 passes over the log.
    batch
        Opportunities a block: memory and step cost are bounded by it, not by the log.
    unexposed
        For a log of interactions only: ``"all"`` cells without an event, or how many to sample for each event. By
        default all up to 250,000 cells, else 4 an event, weighted by the number of cells that each stands for.
    restarts
        Number of fits from other starting points; the one with the lowest loss is kept.
    lr
        Learning rate of globals and items at the start.
    guide
        ``mean-field``: every number is normal on its own; any size of log. ``arrow``: the best of the restarts is then
        carried to its optimum and given an arrow posterior by linear response (`counterlog.inference.lean`): the
        parameters lean on each other and everything else on them; logs of up to 300,000 opportunities. `polish` makes
        chains of either.
    device
        Where to compute: ``cpu``, ``cuda``, ``cuda:0``; the result lies on the CPU.
    progress
        True for a bar on stderr, or a function of step, steps and loss.
    checkpoint
        A folder for checkpoints: a fit that was killed goes on from there, bit for bit on one thread. They are removed
        at the end, and where the fit fails.
    keep_checkpoint
        Leave the last checkpoint, for a caller who has still to save the fit (`Fit.save` to the same folder replaces
        it).

    Returns
    -------
    Fit
        Frozen. ``converged`` says whether the loss had stopped falling.

    Raises
    ------
    InputError, RefusedError, UnknownNameError
        The log and the program do not fit each other, or an option is out of range.
    FitError
        The loss is not finite; names the site and the step.
    """
    started = time.monotonic()
    if guide not in ("mean-field", "arrow"):
        raise unknown_name("guide", guide, ["mean-field", "arrow"], "Chains are made of a fit by polish.")
    place = _device(device)
    cells = bind(scm, log)
    if cells.n == 0:
        raise InputError("the log has no events to learn from")
    chosen = _unexposed(cells, unexposed)
    size = batch if batch is not None else (16_384 if chosen == "all" else 65_536)
    if size < 1 or restarts < 1 or (steps is not None and steps < 1) or (lr is not None and not lr > 0):
        raise InputError(
            f"steps, batch, restarts and lr must be positive; given steps={steps}, batch={batch}, "
            f"restarts={restarts}, lr={lr}"
        )
    if guide == "arrow":
        refuse_large(cells)
    plan = plan_blocks(cells, size, chosen, place)
    places, start = layout(scm, cells)
    check_sums(scm, cells)
    count = steps if steps is not None else max(1500, PASSES * len(plan))
    schedule = Schedule(count) if lr is None else Schedule(count, lr=lr)
    options = {
        "steps": count,
        "batch": size,
        "unexposed": chosen,
        "restarts": restarts,
        "lr": schedule.lr,
        "device": device,
        "blocks": len(plan),
        **({"guide": guide} if guide != "mean-field" else {}),
    }
    best: svi.State | None = None
    home = None if checkpoint is None else Path(checkpoint)
    if home is not None:
        parameters = {name: repr(value) for name, value in scm.parameters.items()}
        told = {
            "model": scm.name,
            "model file": scm.source_hash,
            "roles": scm.roles,
            "parameters": parameters,
            "log": log.hash,
            "seed": rng,
            "options": options,
        }
        _checkpoint.begin(home, told)
    for attempt in range(restarts):
        seed = rng if attempt == 0 else _rng.derive(rng, "restart", attempt)
        identity = hashlib.sha256(
            repr((scm.source_hash, dict(scm.parameters), log.hash, seed, options)).encode()
        ).hexdigest()
        folder = None if home is None else home / f"restart-{attempt}"
        with _bar(progress, count, f"fit {scm.name}" + (f" {attempt + 1}/{restarts}" if restarts > 1 else "")) as tick:
            try:
                state = svi.run(scm, plan, places, start, schedule, seed, tick, folder, identity)
            except Exception as error:
                hopeless = isinstance(error, FitError | ModelError) and not isinstance(error, _checkpoint.OtherFitError)
                if home is not None and (hopeless or not _checkpoint.done(home)):
                    _checkpoint.drop(
                        home
                    )  # there is nothing to go on from, or the same fit would fail at the same step again
                raise
        if best is None or np.mean(state.losses[-max(1, count // 10) :]) < np.mean(best.losses[-max(1, count // 10) :]):
            best = state
    assert best is not None
    if home is not None and not keep_checkpoint:
        _checkpoint.drop(home)
    loc = {name: table.loc.cpu() for name, table in best.tables.items()}
    log_scale = {name: table.log_scale.cpu() for name, table in best.tables.items()}
    judged = svi.convergence(best.losses, len(plan))
    losses = np.asarray(best.losses)
    found = Fit(scm, log, loc, log_scale, places, losses, judged, rng, time.monotonic() - started, options)
    if guide == "arrow":
        from counterlog.inference.response import lean

        found = lean(found)
        found = dataclasses.replace(found, seconds=time.monotonic() - started)
    return found


def _unexposed(cells: Cells, asked: str | float | None) -> str | float | None:
    if not cells.treatment.implied:
        if asked is not None:
            raise InputError("unexposed= is for logs of interactions only; here every opportunity is a row of the log")
        return None
    if asked is None:
        return "all" if cells.n_users * cells.n_items <= WHOLE_GRID else SAMPLED_PER_EVENT
    if isinstance(asked, str) and asked != "all":
        raise InputError(
            f"unexposed must be 'all' or a positive number of sampled cells for each event; given {asked!r}"
        )
    if not isinstance(asked, str) and not asked > 0:
        raise InputError(
            f"unexposed must be 'all' or a positive number of sampled cells for each event; given {asked!r}"
        )
    return asked if isinstance(asked, str) else float(asked)


def _device(name: str) -> torch.device:
    kind = name.partition(":")[0]
    if kind not in ("cpu", "cuda"):
        raise unknown_name("device", name, ["cpu", "cuda"])
    if kind == "cuda" and not torch.cuda.is_available():
        raise RefusedError(f"device {name!r} was asked for, but torch sees no GPU here; use cpu")
    return torch.device(name)


class _bar:
    """A progress bar with loss and remaining time on stderr, a user's own function, or nothing."""

    def __init__(self, progress: Progress | bool | None, total: int, title: str) -> None:
        self._progress, self._total, self._title = progress, total, title
        self._rich: Any = None

    def __enter__(self) -> Progress | None:
        if self._progress is not True:
            return self._progress if callable(self._progress) else None
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]:.4f}"),
            TimeRemainingColumn(),
        )
        console = Console(stderr=True)
        self._rich = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._rich.start()
        task = self._rich.add_task(self._title, total=self._total, loss=float("nan"))
        return lambda step, _total, loss: self._rich.update(task, completed=step, loss=loss)

    def __exit__(self, *error: object) -> None:
        if self._rich is not None:
            self._rich.stop()
