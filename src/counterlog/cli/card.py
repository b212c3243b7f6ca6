"""An identification card on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from counterlog.query import Card


def show_card(card: Card) -> None:
    """Print a card as labelled sentences."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from counterlog.auditing.card import card_rows

    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(overflow="fold")
    for label, text in card_rows(card.to_json()):
        grid.add_row(label, Text(text))
    Console(highlight=False).print(grid)
