"""``counterlog diagnose``: is a fit to be trusted?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from counterlog.cli import log_options as options
from counterlog.cli.output import Json, Seed, print_json, progress
from counterlog.cli.saved_fit import FitFolder, ModelFile, open_fit
from counterlog.errors import InputError

if TYPE_CHECKING:
    from counterlog.inference.checks import Checks

LogOption = Annotated[
    str | None,
    typer.Option("--log", metavar="LOG", help="Another log for the predictive checks, such as a held-out part."),
]
Restarts = Annotated[int, typer.Option("--restarts", metavar="N", help="Refits from other starts; 0 leaves them out.")]
Worlds = Annotated[int, typer.Option("--sbc", metavar="N", help="Simulated worlds to fit, 50 or more; 0: none.")]
Plot = Annotated[Path | None, typer.Option("--plot", metavar="FILE", help="Write the pictures: .svg, .png or .html.")]


def command(
    fit: FitFolder,
    log: LogOption = None,
    restarts: Restarts = 1,
    sbc: Worlds = 0,
    plot: Plot = None,
    model: ModelFile = None,
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
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Check a fit: convergence over restarts, predictive checks, guide, k-hat, contraction: PASS, REVIEW or FAIL each.

    It takes about as long as two fits. Options of columns belong to --log. Exit status 0 whatever the verdict.

    Example:

        counterlog diagnose fit
        counterlog diagnose fit --log heldout.csv --exposure shown --outcome click --restarts 3 --json
    """
    if plot is not None and plot.suffix not in (".svg", ".png", ".html"):
        raise InputError(f"--plot {plot} must end in .svg, .png or .html")
    fitted = open_fit(fit, model)
    given = {
        "user": user,
        "item": item,
        "timestamp": timestamp,
        "exposure": exposure,
        "position": position,
        "propensity": propensity,
        "outcome": outcome,
        "outcome_kind": outcome_kind,
        "context": context,
        "users": users,
        "items": items,
        "roles": roles,
    }
    strange = [name for name, value in given.items() if value is not None and log is None]
    if strange:
        raise InputError(f"--{strange[0].replace('_', '-')} says what a column of --log is; give --log too")
    opened = None if log is None else options.open_from_cli(log, **given)
    with progress("check", 100) as tick:
        found = fitted.check(
            opened,
            restarts=restarts,
            sbc=sbc,
            rng=seed,
            progress=lambda share, note: tick(round(100 * share), note, 100),
        )
    if plot is not None:
        found.plot().save(str(plot))
    if as_json:
        print_json(found.to_json())
    else:
        _show(found)


def _show(found: Checks) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    colours = {"PASS": "green", "REVIEW": "bold yellow", "FAIL": "bold red", "SKIPPED": "dim"}
    table = Table(box=box.SIMPLE_HEAD, show_lines=True)
    for name in ("", "check", "what was found, and what to do"):
        table.add_column(name, overflow="fold")
    for finding in found.findings:
        told = " ".join(text for text in (finding.message, finding.advice) if text)
        table.add_row(Text(finding.status, colours[finding.status]), Text(finding.name), Text(told))
    for name, why in found.skipped.items():
        table.add_row(Text("SKIPPED", colours["SKIPPED"]), Text(name), Text(f"{why}."))
    console.print(table)
    rate = " (without a fault REVIEW comes in at most 5% of fits, FAIL in 1%)"
    console.print(Text.assemble("Verdict: ", (found.verdict, colours[found.verdict]), rate))
