"""``counterlog identify``: does an effect follow from the graph and the log, and if not, what would it need."""

from __future__ import annotations

from typing import Annotated

import typer

from counterlog.cli import log_options
from counterlog.cli.output import Json, parse_set, print_json


def command(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="file.py, file.py:name, or a name from `models list`.")],
    effect_of: Annotated[
        str,
        typer.Option(
            "--effect-of", metavar="SITE", show_default=False, help="What is acted on; several (A,B) act jointly."
        ),
    ],
    on: Annotated[
        str, typer.Option("--on", metavar="SITE", show_default=False, help="The site asked about, mostly the outcome.")
    ],
    log: Annotated[
        str | None,
        typer.Option("--log", metavar="LOG", help=f"Whose columns are what is seen. {log_options.LOG_HELP}"),
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="K=V", help="A parameter of the program; may be repeated.")
    ] = None,
    user: log_options.User = None,
    item: log_options.Item = None,
    timestamp: log_options.Timestamp = None,
    exposure: log_options.Exposure = None,
    position: log_options.Position = None,
    propensity: log_options.Propensity = None,
    outcome: log_options.Outcome = None,
    outcome_kind: log_options.OutcomeKind = None,
    context: log_options.Context = None,
    users: log_options.Users = None,
    items: log_options.Items = None,
    roles: log_options.RolesFile = None,
    json: Json = False,
) -> None:
    """Whether the effect of a site on another follows from the graph and the log: the estimand and its assumptions, or
    why not and what would be needed.

    Taken as seen is what the log has as a column; everything else in the program is latent. Without --log every site of
    an opportunity is seen that the program does not declare latent. The status is 0 whether the answer is yes or no.

    Example:

        counterlog identify popularity_exposure --effect-of exposure --on click
        counterlog identify mine.py --effect-of exposure --on click --log log.csv --outcome click --exposure shown --context device
    """  # noqa: E501 - a command on one line
    options = {
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
    _check_options(log, options)
    from counterlog.identification import identify
    from counterlog.model import load_model

    scm = load_model(model).with_parameters(**parse_set(settings or []))
    causes = tuple(name.strip() for name in effect_of.split(",") if name.strip())
    given = log_options.open_from_cli(log, **options) if log is not None else None
    found = identify(scm, causes, on, given)
    if json:
        print_json({"model": scm.name, **found.to_json(), "log": log})
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    console.print(Text(f"the effect of {', '.join(causes)} on {on} in {scm.name}", "bold"))
    card = Table.grid(padding=(0, 2))
    card.add_column(no_wrap=True, style="dim")
    card.add_column(overflow="fold")
    for label, said in found.rows():
        card.add_row(label, Text(said, "bold" if label == "identified" else ""))
    console.print(card)


def _check_options(log: str | None, options: dict[str, str | None]) -> None:
    """Column options say nothing without a log."""
    from counterlog.errors import InputError

    given = [f"--{name.replace('_', '-')}" for name, value in options.items() if value is not None]
    if log is None and given:
        raise InputError(f"{', '.join(given)} name columns of a log; give the log with --log LOG")
