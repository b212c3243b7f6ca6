"""Copies of the cards beside the table, for people and other tools; the commits remain the truth."""

from __future__ import annotations

import logging
import os
import secrets
from pathlib import Path

from counterlog.errors import StoreError
from counterlog.synth import deltalog, provenance

_CARDS = "_cards"
_LATEST = "card.json"


def write_missing(folder: Path, only: deltalog.Commit | None = None) -> None:
    """Bring the copies of the cards up to date: those of all batches, or of one, and that of the newest.

    A copy that the disk refuses is a warning in the log, no error: the batch and its card are committed, and the next
    one to open the store writes the copy.
    """
    try:
        _write_missing(folder, only)
    except StoreError:
        raise
    except OSError as error:
        logging.getLogger(__name__).warning("a card is not beside the table of %s yet: %s", folder, error)


def _write_missing(folder: Path, only: deltalog.Commit | None) -> None:
    cards = folder / _CARDS
    wanted = [only] if only else list(deltalog.commits(folder))
    there = set(os.listdir(cards)) if cards.is_dir() else set()
    for commit in wanted:
        if f"{commit.batch}.json" not in there:
            cards.mkdir(exist_ok=True)
            _replace(cards / f"{commit.batch}.json", _pretty(commit))
    # Writers may end in another order than they committed: look again until the newest is what was written.
    latest = folder / _LATEST
    newest = _newest(folder)
    while newest is not None:
        text = _pretty(newest)
        if not latest.exists() or latest.read_text(encoding="utf-8") != text:
            _replace(latest, text)
        seen, newest = newest, _newest(folder)
        if newest == seen:
            return


def _newest(folder: Path) -> deltalog.Commit | None:
    return next(deltalog.commits(folder, newest_first=True), None)


def _pretty(commit: deltalog.Commit) -> str:
    card = provenance.read_card(commit.card, f"batch {commit.batch}")
    return provenance.card_text(card, indent=2) + "\n"


def _replace(path: Path, text: str) -> None:
    """Write a file atomically: readers see the old one or the new one."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        with draft.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    deltalog.sync(path.parent)
