"""``counterlog refute``: try to refute an answer of a fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from counterlog.cli import log_options as options
from counterlog.cli.do_option import parse_do
from counterlog.cli.output import Json, Seed, print_json, say
from counterlog.cli.saved_fit import FitFolder, ModelFile, open_fit

if TYPE_CHECKING:
    from counterlog.query import Refutation

On = Annotated[str | None, typer.Option("--on", metavar="SITE", help="The site asked about; default: the outcome.")]
Do = Annotated[
    list[str] | None,
    typer.Option("--do", metavar="SITE=VALUE", help="What is done, as in `effect`; default: exposure=1."),
]
Repeats = Annotated[int, typer.Option("--repeats", metavar="N", help="Fits of each refuter that fits again.")]
Rate = Annotated[float, typer.Option("--rate", metavar="X", help="False-alarm rate of each refuter.")]


def command(
    fit: FitFolder,
    log: options.Log,
    on: On = None,
    do: Do = None,
    repeats: Repeats = 2,
    rate: Rate = 0.05,
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
    """Try to refute an answer by what should not matter: PASS, REVIEW or SKIPPED, each with numbers and advice.

    LOG is the log of the fit, with the same options. Most refuters fit again, so that this takes about ten times as
    long as the fit. Exit status 0 whatever the verdict.

    Example:

        counterlog refute fit log.csv --exposure shown --outcome click
        counterlog refute fit log.csv --outcome rating --on rating --do exposure=1 --json
    """
    done = parse_do(do) if do else None
    fitted = open_fit(fit, model)
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
    from counterlog.query import refute

    found = refute(fitted, opened, on=on, do=done, repeats=repeats, rate=rate, rng=seed, progress=say)
    if not fitted.converged:
        say(f"Warning: the fit has not converged: {fitted.convergence.message}.")
    if as_json:
        print_json(found.to_json())
    else:
        _show(found)


def _show(found: Refutation) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    colours = {"PASS": "green", "REVIEW": "bold yellow", "SKIPPED": "dim"}
    low, high = found.interval
    console.print(Text(f"{found.on} under {found.do}: {found.estimate:.4g} [{low:.4g}, {high:.4g}]", "bold"))
    table = Table(box=box.SIMPLE_HEAD, show_lines=True)
    for name in ("", "refuter", "p", "what was found, and what to do"):
        table.add_column(name, overflow="fold")
    for result in found.results:
        told = " ".join(text for text in (result.message, result.advice) if text)
        p = "" if result.p_value is None else f"{result.p_value:.2g}"
        table.add_row(Text(result.status, colours[result.status]), Text(result.name), p, Text(told))
    console.print(table)
    console.print(
        Text.assemble(
            "Verdict: ",
            (found.verdict, colours[found.verdict]),
            f" (where nothing is wrong REVIEW comes with a probability of at most {found.rate:.0%})",
        )
    )
