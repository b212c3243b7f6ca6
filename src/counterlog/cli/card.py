"""An identification card on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from counterlog.query import Card

_RUNGS = {"L1": "association", "L2": "intervention", "L3": "counterfactual"}


def show_card(card: Card) -> None:
    """Print a card as labelled sentences."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True, style="dim")
    grid.add_column(overflow="fold")
    for label, text in rows(card):
        grid.add_row(label, Text(text))
    Console(highlight=False).print(grid)


def rows(card: Card) -> list[tuple[str, str]]:
    """The card as pairs of a label and a sentence."""
    known = (
        f"from the observed columns ({card.criterion})" if card.identified else f"not without the model: {card.because}"
    )
    found = [
        ("asks for", card.estimand),
        ("rung", f"{card.rung}, {_RUNGS.get(card.rung, '')}"),
        ("identified", known),
    ]
    if card.identified and card.adjust_for:
        found.append(("adjusts for", ", ".join(card.adjust_for)))
    found += [("or" if k else "would need", text) for k, text in enumerate(card.would_need)]
    found.append(("rests on", card.rests_on))
    found += [("assumes" if k == 0 else "", text) for k, text in enumerate(card.assumptions)]
    if card.overlap:
        found.append(("overlap", f"{card.overlap['status']}: {card.overlap['message']}"))
    found.append(("sensitivity", card.sensitivity))
    if card.interval:
        found.append(("interval", card.interval))
    return found
