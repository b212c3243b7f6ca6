"""An identification card as labelled sentences, for a page and for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

RUNGS = {"L1": "association", "L2": "intervention", "L3": "counterfactual"}


def card_rows(card: Any) -> list[tuple[str, str]]:
    """A card's JSON as pairs of a label and a sentence; nothing for what is no card.

    A card may come from a store that another version wrote: what it lacks is left out.
    """
    if not isinstance(card, Mapping) or "identified" not in card:
        return []
    rung = _text(card, "rung")
    found = [
        ("asks for", _text(card, "estimand")),
        *_listed("warning", _texts(card, "warnings")),
        ("rung", f"{rung}, {RUNGS[rung]}" if rung in RUNGS else rung),
        ("identified", _verdict(card)),
    ]
    if card["identified"]:
        found.append(("adjusts for", ", ".join(_texts(card, "adjust_for"))))
    found += _listed("would need", _texts(card, "would_need"))
    found.append(("rests on", _text(card, "rests_on")))
    found += _listed("assumes", _texts(card, "assumptions"))
    overlap = card.get("overlap")
    if isinstance(overlap, Mapping) and overlap:
        found.append(("overlap", f"{_text(overlap, 'status')}: {_text(overlap, 'message')}"))
    found += [("sensitivity", _text(card, "sensitivity")), ("interval", _text(card, "interval"))]
    return [(label, text) for label, text in found if text]


def _verdict(card: Mapping[str, Any]) -> str:
    if card["identified"]:
        criterion = _text(card, "criterion")
        return "from the observed columns" + (f" ({criterion})" if criterion else "")
    because = _text(card, "because")
    return "not without the model" + (f": {because}" if because else "")


def _text(card: Mapping[str, Any], key: str) -> str:
    value = card.get(key)
    return "" if value is None else str(value)


def _texts(card: Mapping[str, Any], key: str) -> list[str]:
    value = card.get(key)
    return [str(entry) for entry in value] if isinstance(value, Sequence) and not isinstance(value, str) else []


def _listed(label: str, texts: Sequence[str]) -> list[tuple[str, str]]:
    return [(label if k == 0 else " ", text) for k, text in enumerate(texts)]
