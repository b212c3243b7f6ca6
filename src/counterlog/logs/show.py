"""Logs and descriptions as they show themselves: a few lines of HTML in a notebook, a page or a picture on disk."""

from __future__ import annotations

import os
import tempfile
from html import escape
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from counterlog.errors import InputError

if TYPE_CHECKING:
    from counterlog.logs.describe import Description
    from counterlog.logs.log import InteractionLog

FORMATS = (".html", ".png", ".svg")
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem}"
    "td,th{text-align:left;padding:.1rem .8rem .1rem "
    "0;vertical-align:top}figure{display:inline-block;margin:.5rem 1rem .5rem 0}"
)


def summary_html(log: InteractionLog) -> str:
    """A log in a notebook: its size, its roles, its outcome."""
    roles = ", ".join(f"{role} = {column}" for role, column in log.roles.columns().items())
    kind = (
        "clicks without impressions"
        if log.clicks_only
        else "events with exposure"
        if log.roles.exposure
        else "interactions"
    )
    found = log.describe()
    lines = [
        *facts(found),
        ("roles", roles),
        ("kind of log", kind),
        *((("licence", log.licence),) if log.licence else ()),
    ]
    lines += [("remark", note) for note in log.notes[:5]]
    if log.user_features.names or log.item_features.names:
        lines.append(("features", f"{len(log.user_features.names)} of users, {len(log.item_features.names)} of items"))
    return f"<div><b>InteractionLog {_safe(log.name)}</b>{_table(lines)}</div>"


def description_html(found: Description) -> str:
    """A description in a notebook."""
    return f"<div><b>{_safe(found.name)}</b>{_table(facts(found))}</div>"


def write_description(found: Description, path: str | PathLike[str]) -> Path:
    """Write a description as a page (``.html``, self-contained) or as one picture (``.png``, ``.svg``).

    Raises
    ------
    InputError
        For another suffix.
    """
    target = Path(path)
    suffix = target.suffix.lower()
    if suffix not in FORMATS:
        raise InputError(f"cannot write {target}: the suffix must be one of {', '.join(FORMATS)}")
    content = _page(found).encode() if suffix == ".html" else _picture(found, suffix)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, work = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(work).chmod(0o644)
        Path(work).replace(target)
    finally:
        Path(work).unlink(missing_ok=True)
    return target


def _page(found: Description) -> str:
    import vl_convert

    from counterlog.logs.plots import charts

    figures = "".join(
        f"<figure>{vl_convert.vegalite_to_svg(chart.to_dict())}</figure>" for chart in charts(found).values()
    )
    title = f"Description of {_safe(found.name)}"
    head = f'<head><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style></head>'
    body = f"<body><h1>{title}</h1>{_table(facts(found))}{figures}</body>"
    return f'<!doctype html><html lang="en">{head}{body}</html>'


def _picture(found: Description, suffix: str) -> bytes:
    import vl_convert

    from counterlog.logs.plots import all_charts

    spec = all_charts(found).to_dict()
    return vl_convert.vegalite_to_png(spec, scale=2) if suffix == ".png" else vl_convert.vegalite_to_svg(spec).encode()


def facts(found: Description) -> list[tuple[str, str]]:
    """The description as (what, value) lines for people."""
    exposure, outcome = found.exposure, found.outcome
    concentration = (
        f"Gini {exposure.gini:.3f}; the top 1% have {exposure.top_1pct_share:.1%}, "
        f"the least exposed 80% {exposure.long_tail_share:.1%}; {exposure.items_for_half:,} items have half"
    )
    popularity = f"{_quantiles(found.item_popularity.quantiles)}; {exposure.never_exposed:,} items never exposed"
    lines = [
        ("rows, users, items", f"{found.rows:,} rows, {found.users:,} users, {found.items:,} items"),
        ("density", f"{found.density:.4g} ({found.pairs:,} different pairs)"),
        ("events per user", _quantiles(found.user_activity.quantiles)),
        ("exposures per item", popularity),
        ("exposure of items", concentration),
    ]
    if exposure.rate is not None:
        lines.append(("exposed rows", f"{exposure.total:,} ({exposure.rate:.1%})"))
    if outcome.mean is not None:
        levels = ", ".join(f"{level}: {count:,}" for level, count in list(outcome.levels.items())[:12])
        lines.append(
            (
                "outcome",
                f"{outcome.column} ({outcome.kind}), mean {outcome.mean:.4g}" + (f"; {levels}" if levels else ""),
            )
        )
    if found.time.first:
        lines.append(("time (UTC)", f"{found.time.first} to {found.time.last}"))
    if found.drift and found.drift.first_half_mean is not None and found.drift.second_half_mean is not None:
        halves = f"mean outcome {found.drift.first_half_mean:.4g} and {found.drift.second_half_mean:.4g}"
        shift = f"item shares differ by {found.drift.item_shift:.2f} (0 the same, 1 disjoint)"
        lines.append(("first and second half", f"{halves}; {shift}"))
    for context in found.contexts:
        shown = ", ".join(f"{g.level}: {g.rows:,}" for g in context.top[:5])
        lines.append((f"context {context.column}", f"{context.levels:,} levels; {shown}"))
    return lines


def _quantiles(found: dict[str, float]) -> str:
    if not found:
        return "none"
    return f"median {found['q50']:,.4g}, 90% up to {found['q90']:,.4g}, at most {found['max']:,.4g}"


def _table(rows: list[tuple[str, str]]) -> str:
    return (
        "<table>"
        + "".join(f"<tr><th>{_safe(k)}</th><td style='text-align:left'>{_safe(v)}</td></tr>" for k, v in rows)
        + "</table>"
    )


def _safe(text: str, limit: int = 1000) -> str:
    return escape(text if len(text) <= limit else text[: limit - 3] + "...")
