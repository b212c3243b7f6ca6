"""``counterlog fit``: a program and a log become a saved posterior; an interrupted fit goes on where it stopped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from counterlog.cli import log_options as options
from counterlog.cli.output import Force, Json, Seed, print_json, say
from counterlog.cli.set_option import Settings, with_settings
from counterlog.errors import InputError

if TYPE_CHECKING:
    from counterlog.inference import Fit

Model = Annotated[
    str, typer.Argument(metavar="MODEL", show_default=False, help="file.py, file.py:name, or a name of `models list`.")
]


def command(
    model: Model,
    log: options.Log,
    out: Annotated[Path, typer.Option("--out", metavar="FIT", help="The folder to write.", show_default=False)],
    user: options.User = None,
    item: options.Item = None,
    timestamp: options.Timestamp = None,
    exposure: options.Exposure = None,
    position: options.Position = None,
    propensity: options.Propensity = None,
    outcome: options.Outcome = None,
    outcome_kind: options.OutcomeKind = None,
    context: options.Context = None,
    users: options.Users = None,
    items: options.Items = None,
    roles: options.RolesFile = None,
    settings: Settings = None,
    steps: Annotated[
        int | None, typer.Option("--steps", metavar="N", help="Gradient steps (default: by the size of the log).")
    ] = None,
    batch: Annotated[
        int | None, typer.Option("--batch", metavar="N", help="Opportunities a step; bounds the memory.")
    ] = None,
    unexposed: Annotated[
        str | None,
        typer.Option("--unexposed", metavar="all|N", help="Cells without an event: all, or N sampled for each event."),
    ] = None,
    restarts: Annotated[int, typer.Option("--restarts", metavar="N", help="Starting points; the best is kept.")] = 1,
    guide: Annotated[
        str,
        typer.Option(
            "--guide", metavar="G", help="mean-field, or arrow (parameters lean on each other; up to 300,000 cells)."
        ),
    ] = "mean-field",
    device: Annotated[str, typer.Option("--device", metavar="D", help="cpu, cuda, cuda:1 ...")] = "cpu",
    draws: Annotated[
        int, typer.Option("--draws", metavar="N", help="Posterior draws in inference_data.nc (0: leave the file out).")
    ] = 200,
    seed: Seed = 0,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Fit a model to a log. FIT holds the posterior, the log and inference_data.nc for ArviZ.

    After Ctrl-C or a kill the same command goes on where it stopped, and ends where it would have ended.

    Example:

        counterlog fit self_selection ratings.csv --outcome stars --outcome-kind rating --out fit
        counterlog fit mine.py log.parquet --exposure shown --outcome click --set dim=16 --out fit
    """
    _quick_look(model, out, force)
    if draws < 0:
        raise InputError(f"--draws {draws}: give the number of draws for ArviZ, or 0 for none")
    cells = _unexposed(unexposed)
    events = options.open_from_cli(
        log,
        user=user,
        item=item,
        timestamp=timestamp,
        exposure=exposure,
        position=position,
        propensity=propensity,
        outcome=outcome,
        outcome_kind=outcome_kind,
        context=context,
        users=users,
        items=items,
        roles=roles,
    )
    from counterlog.inference.files import refuse_others, save_fit
    from counterlog.model import load_model

    refuse_others(out, force)
    scm = with_settings(load_model(model), settings)
    given = {"rng": seed, "steps": steps, "batch": batch, "unexposed": cells, "restarts": restarts, "device": device}
    given["guide"] = guide
    fitted, before = _fit(scm, events, out, force, given)
    save_fit(fitted, out, force, _arviz_writer(fitted, draws, seed) if draws else None)
    _tell(fitted, out, before, as_json)


def _quick_look(model: str, out: Path, force: bool) -> None:
    """The commonest mistakes, found before a log is read and torch is imported."""
    from counterlog import zoo

    if ".py" not in model:
        zoo.path(model)
    if (out / "fit.json").is_file() and not force:
        raise InputError(f"{out} already holds a fit; add --force to replace it, or choose another --out")


def _unexposed(text: str | None) -> str | float | None:
    if text is None or text == "all":
        return text
    try:
        return float(text)
    except ValueError:
        raise InputError(f"--unexposed {text!r}: give all, or how many cells to sample for each event") from None


def _fit(scm: Any, events: Any, out: Path, force: bool, given: dict[str, Any]) -> tuple[Fit, int]:
    """The fit, and how many of its steps an interrupted run had made."""
    from counterlog.inference import checkpoint, fit

    before = checkpoint.done(out)
    if before:
        say(f"{out} holds an unfinished fit; going on after step {before:,}")
    try:
        return fit(scm, events, progress=True, checkpoint=out, keep_checkpoint=True, **given), before
    except checkpoint.OtherFitError:
        if not force:
            raise
        say(f"the unfinished fit in {out} is of something else and is dropped (--force)")
        checkpoint.drop(out)
        return fit(scm, events, progress=True, checkpoint=out, keep_checkpoint=True, **given), 0


def _arviz_writer(fitted: Fit, draws: int, seed: int) -> Callable[[Path], None]:
    from counterlog.inference.arviz_export import write_netcdf

    def write(folder: Path) -> None:
        write_netcdf(fitted, folder / "inference_data.nc", draws, seed)

    return write


def _tell(fitted: Fit, out: Path, before: int, as_json: bool) -> None:
    import torch

    if not fitted.converged:
        more = max(3000, 2 * fitted.steps)
        say(
            f"Warning: the fit has not converged: {fitted.convergence.message}. To mend it, run the same command with "
            f"--steps {more} --force."
        )
    if not as_json:
        print(f"{out}: {fitted!r}")
        return
    print_json(
        {
            "fit": out,
            "model": fitted.scm.name,
            "converged": fitted.converged,
            "message": fitted.convergence.message,
            "steps": fitted.steps,
            "loss": fitted.loss,
            "seconds": fitted.seconds,
            "resumed_after": before,
            "events": fitted.log.rows,
            "guide": fitted.guide,
            "options": dict(fitted.options),
            "seed": fitted.seed,
            "threads": torch.get_num_threads(),
            "hash": fitted.hash,
        }
    )
