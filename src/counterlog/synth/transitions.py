"""From which outcome to which: a counterfactual log as a table and a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from counterlog.synth.counterfactuals import CounterfactualLog

#: More distinct outcomes than this are drawn as points instead of tiles.
TILES = 12
#: Points of a picture; more events are sampled evenly.
POINTS = 2_000


def transitions(twin: CounterfactualLog) -> pd.DataFrame:
    """How many events went from which outcome to which, in the draw that is written out: ``factual``,
    ``counterfactual``, ``events``, and their ``share`` among the events with that factual outcome.
    """
    outcome = twin.question.events.log.roles.outcome
    seen = twin.table.select([outcome, f"{outcome}_counterfactual"]).to_pandas().dropna()
    seen.columns = ["factual", "counterfactual"]
    found = seen.groupby(["factual", "counterfactual"]).size().rename("events").reset_index()
    found["share"] = found.events / found.groupby("factual").events.transform("sum")
    return found


def chart(twin: CounterfactualLog) -> Any:
    """The same as an Altair chart: tiles for few outcomes, else expected against factual outcomes, a point an event."""
    import altair as alt

    name = twin.question.fit.scm.outcome
    title = f"{name} under {twin.question.do.describe()}"
    found = transitions(twin)
    if max(found.factual.nunique(), found.counterfactual.nunique()) <= TILES:
        base = alt.Chart(found, title=title).encode(
            x=alt.X("factual:O", title=f"{name} as it was"),
            y=alt.Y("counterfactual:O", title="in the other world", sort="descending"),
        )
        tiles = base.mark_rect().encode(
            color=alt.Color("share:Q", title="share of the column", scale=alt.Scale(scheme="blues", domain=[0, 1])),
            tooltip=["factual", "counterfactual", "events", "share"],
        )
        dark = alt.condition("datum.share > 0.5", alt.value("white"), alt.value("black"))
        text = base.mark_text().encode(text=alt.Text("events:Q", format=","), color=dark)
        return (tiles + text).properties(width=240, height=240)
    outcome = twin.question.events.log.roles.outcome
    points = twin.table.select([outcome, f"{outcome}_counterfactual_mean"]).to_pandas().dropna()
    points.columns = ["factual", "expected"]
    points = points.iloc[:: max(1, len(points) // POINTS)]
    ends = [float(points.min().min()), float(points.max().max())]
    line = alt.Chart(alt.Data(values=[{"v": v} for v in ends])).mark_line(color="#999999").encode(x="v:Q", y="v:Q")
    dots = (
        alt.Chart(points, title=title)
        .mark_circle(opacity=0.3)
        .encode(x=alt.X("factual:Q", title=f"{name} as it was"), y=alt.Y("expected:Q", title="in the other world"))
    )
    return (line + dots).properties(width=320, height=320)
