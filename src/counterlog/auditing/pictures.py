"""Which pictures an audit has, and the few numbers behind each, whatever the size of the log."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from counterlog.auditing.charts import Chart, bars, intervals, lines
from counterlog.auditing.exposed import Exposed
from counterlog.auditing.finding import Finding, number
from counterlog.logs.concentration import lorenz

#: Points on a curve: more could not be seen.
_POINTS = 120


def plot_lorenz(counts: np.ndarray) -> Chart:
    """Cumulative share of exposures against share of items, from the least shown item on."""
    rows: list[dict[str, Any]] = [{"x": x, "y": y, "series": "this log"} for x, y in lorenz(counts, _POINTS)]
    rows += [{"x": v, "y": v, "series": "all items alike"} for v in (0.0, 1.0)]
    return Chart(
        "lorenz",
        "Exposure over items (Lorenz curve)",
        "The further below the diagonal, the more of the exposure a few items have. Gini is twice the area between "
        "the lines.",
        rows,
        lines("share of items, the least shown first", "share of exposures"),
    )


def plot_popularity(counts: np.ndarray) -> Chart:
    """Exposures against popularity rank, both axes logarithmic; items never exposed are left out."""
    ordered = np.sort(counts)[::-1]
    ordered = ordered[ordered > 0]
    at = np.unique(np.geomspace(1, max(len(ordered), 1), _POINTS).astype(int)) - 1 if len(ordered) else np.empty(0, int)
    rows = [{"x": int(i) + 1, "y": int(ordered[i]), "series": "this log"} for i in at]
    level = counts.mean() if len(counts) else 0
    if level > 0 and len(ordered) > 1:
        rows += [{"x": x, "y": float(level), "series": "all items alike"} for x in (1, len(counts))]
    return Chart(
        "popularity",
        "Exposures by popularity rank",
        "Both axes are logarithmic. A straight falling line is the power law that recommenders usually show.",
        rows,
        lines("rank of the item", "exposures", log=True),
    )


def plot_activity(counts: np.ndarray) -> Chart:
    """Users by number of exposures, in bins that double."""
    active = counts[counts > 0]
    top = int(np.ceil(np.log2(active.max() + 1))) if len(active) else 1
    edges = [2**k for k in range(top + 1)]
    sizes = np.histogram(active, bins=edges)[0]
    labels = [f"{a:,}" if b - a == 1 else f"{a:,}–{b - 1:,}" for a, b in itertools.pairwise(edges)]
    rows = [{"x": label, "y": int(n), "series": "users"} for label, n in zip(labels, sizes, strict=True)]
    return Chart(
        "activity",
        "Users by number of exposures",
        "Each bar is twice as wide as the one before. A long right end means that a few users weigh much in every "
        "mean over events.",
        rows,
        bars("exposures of a user", "users", legend=False),
    )


def plot_means(finding: Finding, detail: str, key: str, name: str, title: str, caption: str, x: str, y: str) -> Chart:
    """Mean outcome with intervals by group, from a finding's details."""
    rows = [{"x": r[key], "y": r["mean"], "low": r["low"], "high": r["high"]} for r in finding.details[detail]]
    return Chart(name, title, caption, rows, intervals(x, y))


def plot_correction(finding: Finding, y: str) -> Chart:
    """The log's own mean beside the fit's, with its interval."""
    found = finding.details
    low, high = found["corrected_interval"]
    rows = [
        {"x": "log as it is", "y": found["naive"], "low": found["naive"], "high": found["naive"]},
        {"x": "corrected, exposure=1", "y": found["corrected"], "low": low, "high": high},
    ]
    caption = f"The whiskers are the fit's {found['level']:.0%} interval. They hold if the model's assumptions do."
    return Chart("correction", "Naive against corrected mean", caption, rows, intervals("", y))


def plot_two(
    name: str, title: str, caption: str, labels: Sequence[str], real: Iterable[float], made: Iterable[float], x: str
) -> Chart:
    """Shares in the real and in the synthetic log, side by side."""
    rows: list[dict[str, Any]] = []
    for label, a, b in zip(labels, real, made, strict=True):
        rows += [{"x": label, "y": float(a), "series": "real"}, {"x": label, "y": float(b), "series": "synthetic"}]
    return Chart(name, title, caption, rows, bars(x, "share of exposed rows"))


def plot_worlds(outcome: str, was: np.ndarray, other: np.ndarray) -> Chart:
    """From which outcome to which the events went: rows of a counterfactual batch, in the draw that was written out."""
    edges = np.unique(np.concatenate([was, other]))
    if len(edges) > 8:  # fifths of what was seen
        edges = np.unique(np.quantile(was, [0.2, 0.4, 0.6, 0.8, 1.0]))
    top = len(edges) - 1
    codes = [np.minimum(np.searchsorted(edges, values), top) for values in (was, other)]
    exact = bool(np.isin(was, edges).all() and np.isin(other, edges).all())
    names = [f"{edge:g}" if exact else f"≤ {number(edge)}" for edge in edges]
    names[-1:] = [f"> {number(edges[-2])}"] if top and not exact else names[-1:]
    counts = [np.bincount(code, minlength=len(names)) / max(1, len(was)) for code in codes]
    rows: list[dict[str, Any]] = []
    for name, before, after in zip(names, *counts, strict=True):
        rows += [{"x": name, "y": float(before), "series": "as it was"},
                 {"x": name, "y": float(after), "series": "in the other world"}]  # fmt: skip
    caption = "Shares of the events with an outcome, as it was and in the draw of the other world that was written out."
    return Chart("worlds", "Outcomes in two worlds", caption, rows, bars(outcome, "share of the events"))


def log_pictures(exposed: Exposed, findings: dict[str, Finding], outcome: str) -> list[Chart]:
    """The pictures of a log, for the findings that there are."""
    charts = [plot_lorenz(exposed.by_item), plot_popularity(exposed.by_item), plot_activity(exposed.by_user)]
    if "position" in findings:
        charts.append(
            plot_means(
                findings["position"],
                "by_position",
                "position",
                "position",
                "Outcome by position",
                "Means with 90% intervals, users as clusters. A fall may be attention or quality: see the finding.",
                "position",
                f"mean {outcome}",
            )
        )
    if "outcome_by_popularity" in findings:
        charts.append(
            plot_means(
                findings["outcome_by_popularity"],
                "by_decile",
                "decile",
                "deciles",
                "Outcome by popularity",
                "Means with 90% intervals, users as clusters; 10 is the most shown tenth of the items. Empty tenths "
                "are left out.",
                "tenth of the items by exposures",
                f"mean {outcome}",
            )
        )
    if "naive_vs_corrected" in findings:
        charts.append(plot_correction(findings["naive_vs_corrected"], f"mean {outcome}"))
    return charts
