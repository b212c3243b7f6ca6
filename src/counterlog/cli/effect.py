"""``counterlog effect``: what a site would be on average if something were done, with its identification card."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from counterlog.cli.card import show_card
from counterlog.cli.do_option import Do, parse_do
from counterlog.cli.output import Force, Json, Seed, guard_output, print_json, progress, say
from counterlog.cli.saved_fit import FitFolder, ModelFile, open_fit
from counterlog.cli.tables import table_format, write_table
from counterlog.errors import InputError

if TYPE_CHECKING:
    from counterlog.query import Effect

#: Groups that are printed; a file given by --out has them all.
SHOWN = 15


def command(
    fit: FitFolder,
    on: Annotated[
        str, typer.Option("--on", metavar="SITE", show_default=False, help="The site asked about, mostly the outcome.")
    ],
    do: Do,
    versus: Annotated[
        list[str] | None,
        typer.Option("--versus", metavar="SITE=VALUE", help="The other arm of a contrast, written as --do."),
    ] = None,
    by: Annotated[
        str | None, typer.Option("--by", metavar="item|user|COLUMN", help="One answer for each of these as well.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write the groups: .csv or .parquet.")
    ] = None,
    model: ModelFile = None,
    draws: Annotated[int, typer.Option("--draws", metavar="N", help="Posterior draws, at least 10.")] = 100,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", help="Most opportunities averaged over; more are sampled.")
    ] = 200_000,
    check: Annotated[
        bool, typer.Option("--check", help="Check the fit first; the card warns of what does not pass (no refits).")
    ] = False,
    seed: Seed = 0,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """The mean of a site under an intervention, or a contrast of two, with a 90% interval.

    Beside it stand the naive answer (the log read as it is) and the identification card: what the number means and
    what it rests on.

    Example:

        counterlog effect fit --on rating --do exposure=1
        counterlog effect fit --on click --do popularity+=1 --versus popularity+=0 --by item --out items.csv
    """
    if out is not None:
        table_format(out)
        guard_output(out, force=force)
    if limit < 1:
        raise InputError(f"--limit {limit}: give how many opportunities to average over at most")
    done, other = parse_do(do), parse_do(versus, "--versus") if versus else None
    fitted = open_fit(fit, model)
    from counterlog.query import effect

    checks = fitted.check(restarts=0, rng=seed, progress=True) if check else None
    with progress("effect", draws) as update:
        found = effect(
            fitted,
            on,
            done,
            other,
            by,
            seed,
            draws,
            limit,
            checks,
            progress=lambda done, total: update(done, total=total),
        )
    if out is not None:
        import pyarrow as pa

        write_table(pa.Table.from_pandas(found.to_frame(), preserve_index=False), out)
    if not fitted.converged:
        say(f"Warning: the fit has not converged: {fitted.convergence.message}.")
    if as_json:
        print_json({**found.to_json(), **({"out": out} if out else {})})
    else:
        _show(found, out)


def _show(found: Effect, out: Path | None) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    against = f"  against  {found.versus}" if found.versus else ""
    console.print(Text(f"{found.on} under {found.do}{against}", "bold"))
    low, high = found.interval
    answer = Table.grid(padding=(0, 2))
    answer.add_row(
        "estimate", Text(f"{found.estimate:.4g}", "bold"), f"{found.level:.0%} interval [{low:.4g}, {high:.4g}]"
    )
    naive = "-" if found.naive is None else f"{found.naive:.4g}"
    answer.add_row("naive", naive, "the log as it is" if found.naive is not None else "the log alone cannot say")
    console.print(answer)
    if found.groups:
        _show_groups(found, console)
        if out:
            console.print(Text(f"all {len(found.groups):,} groups are in {out}"))
    console.print()
    show_card(found.card)


def _show_groups(found: Effect, console: object) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table("group", "estimate", f"{found.level:.0%} interval", "naive", "rows", box=box.SIMPLE_HEAD)
    for column in table.columns[1:]:
        column.justify = "right"
    largest = sorted(found.groups, key=lambda g: -g["rows"])[:SHOWN]
    for group in largest:
        low, high = group["interval"]
        naive = "-" if group["naive"] is None else f"{group['naive']:.4g}"
        table.add_row(
            Text(group["group"]), f"{group['estimate']:.4g}", f"[{low:.4g}, {high:.4g}]", naive, f"{group['rows']:,}"
        )
    if len(largest) < len(found.groups):
        table.caption = f"the {len(largest)} largest of {len(found.groups):,} groups; --out FILE writes all"
    console.print(table)  # type: ignore[attr-defined]
