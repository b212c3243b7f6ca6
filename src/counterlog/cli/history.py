"""``counterlog history``: the batches of a store with their cards."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from counterlog.cli.output import Json, print_json


def command(
    store: Annotated[Path, typer.Argument(metavar="STORE", help="A store of batches.", show_default=False)],
    card: Annotated[
        str | None, typer.Option("--card", metavar="BATCH", help="Print the whole card of one batch (always JSON).")
    ] = None,
    json: Json = False,
) -> None:
    """List the batches of a store, oldest first: version, rows, when, and what they were made from.

    Example:

        counterlog history synthetic
        counterlog history synthetic --card sim-0c5be1d47a90
    """
    from counterlog.synth.store import open_store

    opened = open_store(store)
    if card is not None:
        print_json(opened.card(card))
        return
    batches = opened.history()
    if json:
        listed = ("batch", "version", "rows", "created", "parents")
        print_json({"store": store, "batches": [{key: entry[key] for key in listed} for entry in batches]})
        return
    _show(batches)


def _show(batches: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if not batches:
        print("The store has no batch yet.")
        return
    table = Table("version", "batch", "rows", "created (UTC)", "model", "log", "parents")
    table.columns[0].justify = table.columns[2].justify = "right"
    for column in table.columns:
        column.overflow = "fold"  # a batch's name is there to be copied, so it is never cut
    for narrow in (0, 1, 2):
        table.columns[narrow].no_wrap = True
    for entry in batches:
        card = entry["card"]
        cells = (
            str(entry["version"]),
            entry["batch"],
            f"{entry['rows']:,}",
            entry["created"][:16].replace("T", " "),
            (card["model"] or {}).get("name", ""),
            (card["log"] or {}).get("name", ""),
            ", ".join(entry["parents"]),
        )
        table.add_row(*map(Text, cells))  # names are data, not markup
    Console().print(table)
