"""The audit as one self-contained page: no script, no network, everything that comes from a log escaped."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from counterlog.auditing.card import card_rows
from counterlog.auditing.finding import number
from counterlog.logs.readable import readable

if TYPE_CHECKING:
    import jinja2

    from counterlog.auditing.result import Audit

#: Stands in the head of every page of ours, so that a later run may replace it.
GENERATOR = "counterlog audit"


def render(audit: Audit) -> str:
    """The whole page, the same bytes for the same audit."""
    from markupsafe import Markup

    environment = _environment()
    style = environment.loader.get_source(environment, "report.css")[0]  # type: ignore[union-attr]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    # The charts' markup comes from our renderer, which escapes what it is given; nothing else is exempt from escaping.
    charts = [(chart, Markup(chart.svg)) for chart in audit.charts if chart.rows]
    return environment.get_template("report.html.j2").render(
        audit=audit,
        charts=charts,
        generator=GENERATOR,
        style=Markup(style),
        policy=f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'",
    )


def render_compact(audit: Audit) -> str:
    """A small table for a notebook: no pictures, no style sheet."""
    return _environment().get_template("compact.html.j2").render(audit=audit)


def is_report(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a page that `render` made."""
    try:
        with Path(path).open("rb") as file:
            head = file.read(2_000)
    except OSError:
        return False
    return f'<meta name="generator" content="{GENERATOR}">'.encode() in head


@cache
def _environment() -> jinja2.Environment:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("counterlog.auditing", "templates"),
        autoescape=True,
        # Markup is not plain text and passes unchanged.
        finalize=readable,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["number"] = _shown
    environment.filters["words"] = lambda name: name.replace("_", " ")
    environment.filters["sentences"] = card_rows
    environment.filters["scalars"] = _scalars
    environment.filters["tables"] = _tables
    return environment


def _scalars(details: Mapping[str, Any]) -> dict[str, Any]:
    """The single numbers and short texts of a finding's details."""
    return {k: v for k, v in details.items() if v is not None and not isinstance(v, list | dict)}


def _tables(details: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The details that are lists of rows."""
    return {k: v for k, v in details.items() if isinstance(v, list) and v and isinstance(v[0], dict)}


def _shown(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else number(value)
