"""``counterlog diagnose``: is a fit to be trusted?"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from counterlog.cli import log_options as options
from counterlog.cli.output import Force, Json, Seed, guard_output, print_json, progress
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
Out = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="A page with table and pictures (.html), or these (.svg).")
]
_FORMATS = (".html", ".svg")


def command(
    fit: FitFolder,
    log: LogOption = None,
    restarts: Restarts = 1,
    sbc: Worlds = 0,
    out: Out = None,
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
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Check a fit: convergence over restarts, predictive checks, guide, k-hat, contraction: PASS, REVIEW or FAIL each.

    It takes about as long as two fits. Options of columns belong to --log. Exit status 0 whatever the verdict.

    Example:

        counterlog diagnose fit --out diagnosis.html
        counterlog diagnose fit --log heldout.csv --exposure shown --outcome click --restarts 3 --json
    """
    if out is not None:
        if out.suffix.lower() not in _FORMATS:
            raise InputError(f"--out {out}: the suffix {out.suffix!r} is no format; one of {', '.join(_FORMATS)}")
        guard_output(out, force=force)
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
    if out is not None:
        _write(found, out)
    if as_json:
        print_json({**found.to_json(), **({"out": out} if out else {})})
    else:
        _show(found)


def _write(found: Checks, out: Path) -> None:
    """The page or the pictures, whole or not at all."""
    page = f"<!doctype html><meta charset='utf-8'><title>Diagnosis</title>{found._repr_html_()}"
    data = found.svg() if out.suffix.lower() == ".svg" else page
    out.parent.mkdir(parents=True, exist_ok=True)
    draft = out.with_name(f".{out.name}.{secrets.token_hex(6)}.part")
    try:
        draft.write_text(data, "utf-8")
        os.replace(draft, out)
    finally:
        draft.unlink(missing_ok=True)


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
    rate = " (of 100 fits without a fault 1 was REVIEW, none FAIL)"
    console.print(Text.assemble("Verdict: ", (found.verdict, colours[found.verdict]), rate))
