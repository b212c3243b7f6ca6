"""``counterlog audit``: findings on a log, a fit and synthetic rows, as a page and as data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from counterlog.cli import log_options as options
from counterlog.cli.output import Force, Json, Seed, guard_output, print_json, say

if TYPE_CHECKING:
    from counterlog.auditing import Audit

Out = Annotated[str, typer.Option("--out", metavar="PAGE", help="Where the page goes: report.html.")]
FitFolder = Annotated[
    str | None, typer.Option("--fit", metavar="FIT", help="A fit of this log: naive against corrected mean.")
]
Synthetic = Annotated[
    str | None, typer.Option("--synthetic", metavar="STORE", help="A store: is its newest batch like this log?")
]


def command(
    log: options.Log,
    out: Out,
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
    fit: FitFolder = None,
    synthetic: Synthetic = None,
    seed: Seed = 0,
    as_json: Json = False,
    force: Force = False,
) -> None:
    """Findings on a log, a fit, synthetic data: PASS, REVIEW or FAIL, each with number, interval and advice.

    Exit status 0 whatever the verdict. An earlier page of ours is replaced; any other file needs --force.

      Example:
      counterlog audit log.csv --exposure shown --outcome click --out report.html
      counterlog audit log.csv --outcome click --fit fit --synthetic fair --out report.html --json
    """
    from counterlog.auditing import audit, is_report

    if not is_report(out):
        guard_output(out, force=force)
    opened = options.open_from_cli(
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
    fitted = None
    if fit is not None:
        from counterlog.inference import load_fit

        fitted = load_fit(fit)
    found = audit(opened, fit=fitted, synthetic=synthetic, rng=seed)
    page = Path(out)
    page.parent.mkdir(parents=True, exist_ok=True)
    found.to_html(page)
    if as_json:
        print_json(found.to_json() | {"report": str(page)})
    else:
        _print_table(found)
    say(f"The page: {page}")


def _print_table(found: Audit) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    colours = {"PASS": "green", "REVIEW": "yellow", "FAIL": "bold red"}
    table = Table(box=box.SIMPLE_HEAD, show_lines=True)
    for name in ("", "check", "what was found, and what to do"):
        table.add_column(name, overflow="fold")
    for finding in found.findings:
        told = f"{finding.message} {finding.advice}" if finding.status != "PASS" else finding.message
        table.add_row(Text(finding.status, colours[finding.status]), Text(finding.name), Text(told))
    console.print(table)
    console.print(Text.assemble("Verdict: ", (found.verdict, colours[found.verdict])))
