"""``counterlog check``: every problem of a log at once."""

from __future__ import annotations

import typer

from counterlog.cli import log_options as options
from counterlog.cli.output import Json, Seed, print_json, say


def command(
    log: options.Log,
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
    seed: Seed = 0,  # nothing here is random; every command takes it
    as_json: Json = False,
) -> None:
    """Every problem of a log at once, with the number of rows, examples and the cure.

    Exit status 2 if something must be mended before a fit; remarks alone leave it at 0.

      Example:
      counterlog check log.csv --user uid --item iid --outcome stars --outcome-kind rating
    """
    found = options.check_from_cli(
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
    if as_json:
        print_json(found)
    else:
        _print_table(found)
    if not found.ok:
        say(f"Error: {found.source} must be mended: " + "; ".join(p.message for p in found.errors))
        raise typer.Exit(2)


def _print_table(found: options.Check) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    console.print(Text(f"{found.source}: {found.rows:,} rows, {found.users:,} users, {found.items:,} items"))
    if not found.problems:
        console.print("No problem found.")
        return
    table = Table(box=box.SIMPLE_HEAD, show_lines=True)
    for name in ("", "column", "rows", "what, and the cure"):
        table.add_column(name, overflow="fold", justify="right" if name == "rows" else "left")
    for problem in found.problems:
        style = "bold red" if problem.severity == "error" else "yellow"
        table.add_row(
            Text(problem.severity, style), Text(problem.column), Text(f"{problem.rows:,}"), Text(problem.message)
        )
    console.print(table)
