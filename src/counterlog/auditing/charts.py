"""The pictures of an audit: small tables drawn by altair, as SVG without script and with the same bytes every time."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from counterlog.logs.readable import readable

Row = Mapping[str, Any]
#: Colours that can be told apart by colour-blind readers, on white and on black (after Okabe and Ito).
BLUE, ORANGE = "#3b8bc2", "#d97706"
WIDTH, HEIGHT = 380, 240
#: ``currentColor`` makes text and lines follow the page, in daylight and in the dark.
_THEME: dict[str, Any] = {
    "background": None,
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": "currentColor",
        "titleColor": "currentColor",
        "titleFontWeight": "normal",
        "gridColor": "currentColor",
        "gridOpacity": 0.12,
        "domainColor": "currentColor",
        "domainOpacity": 0.5,
        "tickColor": "currentColor",
        "tickOpacity": 0.5,
        "labelFontSize": 11,
        "titleFontSize": 12,
        "labelLimit": 120,
        "titleLimit": 230,
    },
    "legend": {"labelColor": "currentColor", "titleColor": "currentColor", "orient": "top", "labelFontSize": 12},
}


@dataclass(frozen=True, eq=False)
class Chart:
    """One picture: its data as rows, and how to draw them.

    Parameters
    ----------
    name
        Short and stable.
    title, caption
        What is shown, and how to read it. Plain text.
    rows
        The data, one mapping a mark.
    draw
        Makes the altair chart from an `altair.Data`.
    """

    name: str
    title: str
    caption: str
    rows: Sequence[Row]
    draw: Callable[[Any], Any]

    def to_altair(self) -> Any:
        """The picture as an altair chart, to be changed or shown in a notebook."""
        import altair as alt

        return self.draw(alt.Data(values=[dict(row) for row in self.rows]))

    @cached_property
    def svg(self) -> str:
        """The picture as an SVG element, to stand in a page with others."""
        import vl_convert

        return _own_ids(vl_convert.vegalite_to_svg(readable(self.to_altair().to_dict()), config=_THEME), self.name)

    def to_json(self) -> dict[str, Any]:
        """Name, title, caption and data."""
        return {
            "name": self.name,
            "title": self.title,
            "caption": self.caption,
            "rows": [dict(row) for row in self.rows],
        }


def _own_ids(svg: str, name: str) -> str:
    """Name the ids of an SVG after its chart: the renderer counts them over the whole process."""
    names = {old: f"{name}-{i}" for i, old in enumerate(dict.fromkeys(re.findall(r'\bid="([A-Za-z_]+\d+)"', svg)))}
    for old, new in names.items():
        svg = svg.replace(f'id="{old}"', f'id="{new}"').replace(f"url(#{old})", f"url(#{new})")
    return svg


def lines(x: str, y: str, *, log: bool = False) -> Callable[[Any], Any]:
    """Draws rows ``x, y, series`` as lines, on request with logarithmic axes."""

    def draw(data: Any) -> Any:
        import altair as alt

        scale = alt.Scale(type="log", nice=False) if log else alt.Scale(nice=False)
        axis = alt.Axis(tickCount=6)
        base = alt.Chart(data).encode(
            x=alt.X("x:Q", title=x, scale=scale, axis=axis),
            y=alt.Y("y:Q", title=y, scale=scale, axis=axis),
            color=alt.Color("series:N", title=None, scale=alt.Scale(range=[BLUE, ORANGE]), sort=None),
            strokeDash=alt.StrokeDash("series:N", title=None, sort=None, scale=alt.Scale(range=[[1, 0], [5, 3]])),
        )
        return base.mark_line(strokeWidth=2).properties(width=WIDTH, height=HEIGHT)

    return draw


def bars(x: str, y: str, *, legend: bool = True) -> Callable[[Any], Any]:
    """Draws rows ``x, y, series`` as bars side by side, in the order of the rows."""

    def draw(data: Any) -> Any:
        import altair as alt

        return (
            alt.Chart(data)
            .mark_bar()
            .encode(
                x=alt.X("x:N", title=x, sort=None, axis=alt.Axis(labelAngle=0, labelOverlap=True)),
                xOffset=alt.XOffset("series:N", sort=None),
                y=alt.Y("y:Q", title=y),
                color=alt.Color(
                    "series:N",
                    title=None,
                    scale=alt.Scale(range=[BLUE, ORANGE]),
                    sort=None,
                    legend=alt.Legend() if legend else None,
                ),
            )
            .properties(width=WIDTH, height=HEIGHT)
        )

    return draw


def intervals(x: str, y: str) -> Callable[[Any], Any]:
    """Draws rows ``x, y, low, high`` as dots with whiskers, in the order of the rows."""

    def draw(data: Any) -> Any:
        import altair as alt

        base = alt.Chart(data).encode(
            x=alt.X("x:N", title=x, sort=None, axis=alt.Axis(labelAngle=0, labelOverlap=True)),
        )
        scale = alt.Scale(zero=False, nice=True)
        whiskers = base.mark_rule(color=BLUE, strokeWidth=2).encode(y=alt.Y("low:Q", title=y, scale=scale), y2="high:Q")
        dots = base.mark_point(color=BLUE, filled=True, size=50, opacity=1).encode(y=alt.Y("y:Q", title=y, scale=scale))
        return (whiskers + dots).properties(width=WIDTH, height=HEIGHT)

    return draw
