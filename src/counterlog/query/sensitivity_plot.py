"""The picture of `sensitivity`: lines of equal answer over the strengths of an unseen cause."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from counterlog.query.sensitivity_result import Sensitivity

#: Can be told apart from the blues by colour-blind readers (after Okabe and Ito), as in the audit.
_ORANGE = "#d97706"
X_TITLE, Y_TITLE = "strength on exposure (log-odds)", "strength on the outcome (log-odds)"
_SIZE = 420


def contour_plot(found: Sensitivity) -> Any:
    """The answer as colour and contour lines over strength on exposure and on the outcome, as an Altair chart.

    The line of strengths that move the answer to ``to`` is orange; the program's own causes stand as points on its
    side.
    """
    import altair as alt

    limit = found.limit
    x = alt.X("a:Q", title=X_TITLE, scale=alt.Scale(domain=[0, limit], nice=False))
    title = Y_TITLE if "log-odds" in found.unit else f"strength on the outcome ({found.unit})"
    y = alt.Y("b:Q", title=title, scale=alt.Scale(domain=[-limit, limit], nice=False))
    a, b, answers = _fine(found)
    shade = alt.Color(
        "answer:Q", title=f"mean {found.on}", scale=alt.Scale(scheme="blues", zero=False), legend=alt.Legend()
    )
    heat = alt.Chart(alt.Data(values=_mosaic(a, b, answers))).mark_rect(clip=True, opacity=0.6)
    lines, labels = _contours(a, b, answers)
    grey = alt.Chart(alt.Data(values=lines)).mark_line(color="#333333", strokeWidth=0.8, opacity=0.6, clip=True)
    layers = [
        heat.encode(x=x, x2="a2:Q", y=y, y2="b2:Q", color=shade),
        grey.encode(x=x, y=y, detail="line:N", order="order:Q"),
        *_texts(labels, x, y, color="#333333", fontSize=9),
    ]
    if found.curve:
        thick = alt.Chart(alt.Data(values=_line(a, b, answers, found.to)))
        thick = thick.mark_line(color=_ORANGE, strokeWidth=3, clip=True)
        layers.append(thick.encode(x=x, y=y, detail="line:N", order="order:Q"))
    points = _points(found)
    if points:
        dots = alt.Chart(alt.Data(values=points)).mark_point(color="black", filled=True, size=45, opacity=1)
        layers += [dots.encode(x=x, y=y), *_texts(points, x, y, color="black", fontSize=11, align="left", dx=7)]
    said = [f"orange: what moves the answer from {found.estimate:.4g} to {found.to:.4g}, {found.to_is}"]
    if not found.curve:
        said = [f"nothing in this picture moves the answer from {found.estimate:.4g} to {found.to:.4g}"]
    heading = alt.Title(f"{found.on} under {found.do} with an unseen cause", subtitle=said, anchor="start")
    chart: Any = alt.layer(*layers).properties(width=_SIZE, height=_SIZE, title=heading)
    return chart


def _texts(rows: list[dict[str, Any]], x: Any, y: Any, **style: Any) -> list[Any]:
    """Labels, each above a white shadow of itself, so that they can be read on lines and on colour."""
    import altair as alt

    chart = alt.Chart(alt.Data(values=rows))
    shadow = chart.mark_text(
        **{**style, "color": "white"}, stroke="white", strokeWidth=3, strokeJoin="round", opacity=0.8
    )
    return [layer.encode(x=x, y=y, text="label:N") for layer in (shadow, chart.mark_text(**style))]


def _fine(found: Sensitivity) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Strengths on exposure ``[m]``, on the outcome ``[k]``, and the answers ``[k, m]``: the table, made finer by a
    spline, for it is a smooth surface.
    """
    from scipy.interpolate import RectBivariateSpline

    a = np.unique([row["a"] for row in found.table])
    b = np.unique([row["b"] for row in found.table])
    answers = np.empty((len(b), len(a)))
    for row in found.table:
        answers[np.searchsorted(b, row["b"]), np.searchsorted(a, row["a"])] = row["answer"]
    fine_a, fine_b = np.linspace(a[0], a[-1], 41), np.linspace(b[0], b[-1], 81)
    return fine_a, fine_b, np.clip(RectBivariateSpline(b, a, answers)(fine_b, fine_a), answers.min(), answers.max())


def _mosaic(a: np.ndarray, b: np.ndarray, answers: np.ndarray) -> list[dict[str, float]]:
    """Tiles with the mean answer of their corners."""
    middle = (answers[1:, 1:] + answers[:-1, 1:] + answers[1:, :-1] + answers[:-1, :-1]) / 4
    return [
        {
            "a": float(a[j]),
            "a2": float(a[j + 1]),
            "b": float(b[i]),
            "b2": float(b[i + 1]),
            "answer": float(middle[i, j]),
        }
        for i in range(len(b) - 1)
        for j in range(len(a) - 1)
    ]


def _line(a: np.ndarray, b: np.ndarray, answers: np.ndarray, level: float) -> list[dict[str, Any]]:
    """Points of the lines on which the answer is ``level``."""
    from contourpy import contour_generator

    return [
        {"a": float(x), "b": float(y), "line": f"{level:g}/{number}", "order": k}
        for number, line in enumerate(contour_generator(a, b, answers).lines(level))
        for k, (x, y) in enumerate(np.asarray(line))
    ]


def _contours(a: np.ndarray, b: np.ndarray, answers: np.ndarray) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Points of the lines of equal answer, and a label on each."""
    from matplotlib.ticker import MaxNLocator

    lines: list[dict[str, Any]] = []
    labels: list[dict[str, Any]] = []
    if np.ptp(answers) == 0:
        return lines, labels
    for level in MaxNLocator(9).tick_values(answers.min(), answers.max()):
        points = _line(a, b, answers, float(level))
        lines += points
        for name in {p["line"] for p in points}:
            near = min((p for p in points if p["line"] == name), key=lambda p: abs(p["a"] - 0.8 * a[-1]))
            labels.append({"a": near["a"], "b": near["b"], "label": f"{level:.4g}"})
    return lines, labels


def _points(found: Sensitivity) -> list[dict[str, Any]]:
    """The program's own causes inside the picture; those that would lie upon each other share a label."""
    side, near = -1.0 if found.opposed else 1.0, 0.06 * found.limit
    shown: list[dict[str, Any]] = []
    for cause in found.benchmarks:
        if max(cause.exposure, cause.outcome) > found.limit:
            continue
        place = {"a": cause.exposure, "b": side * cause.outcome}
        close = [p for p in shown if p["label"] and abs(p["a"] - place["a"]) < near and abs(p["b"] - place["b"]) < near]
        if close:
            close[0]["label"] += f", {cause.site}"
        shown.append({**place, "label": "" if close else cause.site})
    return shown
