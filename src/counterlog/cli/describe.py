"""``counterlog describe``: the empirical distributions of a log."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from counterlog.cli import log_options as options
from counterlog.cli.output import Force, Json, Seed, guard_output, print_json, say
from counterlog.errors import InputError

Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="A page or picture too: .html, .png or .svg.")]


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
    out: Out = None,
    force: Force = False,
    seed: Seed = 0,  # nothing here is random; every command takes it
    as_json: Json = False,
) -> None:
    """The empirical distributions of a log: activity, popularity, exposure, outcome, time, contexts.

    Example:
    counterlog describe log.csv --outcome rating --timestamp ts --out report.html
    """
    from counterlog.logs import describe
    from counterlog.logs.show import FORMATS, facts, write_description

    if out is not None:
        if out.suffix.lower() not in FORMATS:
            raise InputError(f"--out {out}: the suffix must be one of {', '.join(FORMATS)}")
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
    for note in opened.notes:
        say(f"note: {note}")
    found = describe(opened)
    if out is not None:
        say(f"wrote {write_description(found, out)}")
    if as_json:
        print_json(found)
        return
    lines = facts(found)
    width = max(len(name) for name, _ in lines)
    typer.echo(found.name)
    for name, value in lines:
        typer.echo(f"  {name.ljust(width)}  {value}")
