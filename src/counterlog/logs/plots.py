"""A description as charts (altair). One function a picture; ``charts`` gives all that the log has data for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from counterlog.logs.describe import Description, Group, Spread

if TYPE_CHECKING:
    import altair as alt

_WIDTH, _HEIGHT = 320, 200


def plot_activity(found: Description) -> alt.Chart:
    """How many users have how many events (edges at powers of two)."""
    return _histogram(found.user_activity, "events per user", "users", "User activity")


def plot_popularity(found: Description) -> alt.LayerChart:
    """The Lorenz curve of exposure over items: the further below the diagonal, the more unequal."""
    import altair as alt

    data = [{"items": 100 * x, "exposures": 100 * y} for x, y in found.exposure.lorenz]
    share = alt.Scale(domain=[0, 100])
    curve = alt.Chart(alt.Data(values=data)).mark_area(opacity=0.5, line=True).encode(
        x=alt.X("items:Q", title="% of items, least exposed first", scale=share),
        y=alt.Y("exposures:Q", title="% of exposures", scale=share),
    )  # fmt: skip
    equal = alt.Chart(alt.Data(values=[{"items": 0, "exposures": 0}, {"items": 100, "exposures": 100}]))
    line = equal.mark_line(strokeDash=[4, 4], color="gray").encode(x="items:Q", y="exposures:Q")
    title = f"Exposure of items: Gini {found.exposure.gini:.3f}, top 1% {100 * found.exposure.top_1pct_share:.1f}%"
    return alt.layer(curve, line).properties(title=title, width=_WIDTH, height=_HEIGHT)


def plot_items(found: Description) -> alt.Chart:
    """How many items have how many exposures (edges at powers of two)."""
    return _histogram(found.item_popularity, "exposures per item", "items", "Item popularity")


def plot_outcome(found: Description) -> alt.Chart:
    """The outcome over exposed rows: a bar a level, or a histogram of an amount."""
    import altair as alt

    outcome = found.outcome
    name = outcome.column or "outcome"
    if outcome.levels or outcome.spread is None:
        data = [{"level": level, "rows": rows} for level, rows in outcome.levels.items()]
        return (
            alt.Chart(alt.Data(values=data))
            .mark_bar()
            .encode(x=alt.X("level:N", sort=None, title=name), y=alt.Y("rows:Q", title="exposed rows"))
            .properties(title="Outcome", width=_WIDTH, height=_HEIGHT)
        )
    return _histogram(outcome.spread, name, "exposed rows", "Outcome")


def plot_drift(found: Description) -> alt.VConcatChart:
    """Rows and mean outcome over time."""
    import altair as alt

    points = found.drift.points if found.drift else ()
    unit = found.drift.unit if found.drift else "day"
    data = alt.Data(values=_rows(points))
    base = alt.Chart(data).encode(x=alt.X("level:T", title=unit))
    rows = (
        base.mark_bar().encode(y=alt.Y("rows:Q", title=f"rows a {unit}")).properties(width=_WIDTH, height=_HEIGHT // 2)
    )
    mean = base.mark_line(point=True).encode(y=alt.Y("mean:Q", title="mean outcome", scale=alt.Scale(zero=False)))
    return alt.vconcat(rows, mean.properties(width=_WIDTH, height=_HEIGHT // 2)).properties(title="Over time")


def plot_position(found: Description) -> alt.VConcatChart:
    """Rows and mean outcome by position in the slate."""
    return _two_bars(found.positions, "position", "Position")


def plot_context(found: Description, column: str) -> alt.VConcatChart:
    """Rows and mean outcome by the most frequent levels of a context, or by ``hour`` and ``weekday``.

    Raises
    ------
    UnknownNameError
        If the log has no such context.
    """
    from counterlog.errors import unknown_name

    groups = {"hour": found.time.by_hour, "weekday": found.time.by_weekday} | {c.column: c.top for c in found.contexts}
    if column not in groups:
        raise unknown_name("context", column, groups)
    return _two_bars(groups[column], column, f"By {column}")


def charts(found: Description) -> dict[str, Any]:
    """Every chart for which the log has data, by name."""
    drawn: dict[str, Any] = {
        "activity": plot_activity(found),
        "items": plot_items(found),
        "popularity": plot_popularity(found),
    }
    if found.outcome.mean is not None:
        drawn["outcome"] = plot_outcome(found)
    if found.drift:
        drawn["drift"] = plot_drift(found)
    if found.positions:
        drawn["position"] = plot_position(found)
    if found.time.by_hour:
        drawn["hour"] = plot_context(found, "hour")
    drawn |= {f"context {c.column}": plot_context(found, c.column) for c in found.contexts}
    return drawn


def all_charts(found: Description) -> alt.ConcatChart:
    """Every chart in one picture, three a row."""
    import altair as alt

    return alt.concat(*charts(found).values(), columns=3).resolve_scale(color="independent")


def _histogram(spread: Spread, x: str, y: str, title: str) -> alt.Chart:
    import altair as alt

    data = [{"bin": _edge(low, high), "count": count} for low, high, count in spread.histogram]
    return (
        alt.Chart(alt.Data(values=data))
        .mark_bar()
        .encode(x=alt.X("bin:N", sort=None, title=x), y=alt.Y("count:Q", title=y))
        .properties(title=title, width=_WIDTH, height=_HEIGHT)
    )


def _edge(low: float, high: float) -> str:
    if high == 0:
        return "0"
    if low < 1:
        return f"{low:g} to {high:g}"
    return f"{low:g}" if high - low == 1 else f"{low:g} to {high - 1:g}"


def _two_bars(groups: Sequence[Group], x: str, title: str) -> alt.VConcatChart:
    import altair as alt

    base = alt.Chart(alt.Data(values=_rows(groups))).encode(x=alt.X("level:N", sort=None, title=x))
    rows = base.mark_bar().encode(y=alt.Y("rows:Q", title="rows")).properties(width=_WIDTH, height=_HEIGHT // 2)
    mean = base.mark_point(filled=True).encode(y=alt.Y("mean:Q", title="mean outcome", scale=alt.Scale(zero=False)))
    return alt.vconcat(rows, mean.properties(width=_WIDTH, height=_HEIGHT // 2)).properties(title=title)


def _rows(groups: Sequence[Group]) -> list[dict[str, Any]]:
    return [{"level": g.level, "rows": g.rows, "mean": g.mean} for g in groups]
