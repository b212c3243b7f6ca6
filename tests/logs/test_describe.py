"""A description says the same as a computation by hand, and does not look at users times items."""

from __future__ import annotations

import json
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterlog.errors import InputError, UnknownNameError
from counterlog.logs import describe, from_frame, gini, top_share
from counterlog.logs.concentration import lorenz
from counterlog.logs.plots import charts, plot_context
from counterlog.logs.show import facts, write_description

COUNTS = st.lists(st.integers(0, 50), min_size=1, max_size=40)


@given(COUNTS)
def test_gini_is_the_mean_absolute_difference_over_twice_the_mean(counts: list[int]) -> None:
    x = np.array(counts, float)
    expected = np.abs(x[:, None] - x[None, :]).mean() / (2 * x.mean()) if x.sum() else 0.0
    assert gini(x) == pytest.approx(expected, abs=1e-12)


@given(COUNTS, st.sampled_from([0.01, 0.1, 0.29, 0.5, 1.0]))
def test_top_share_is_that_of_the_largest_at_least_one(counts: list[int], share: float) -> None:
    k = max(1, round(len(counts) * share * 100) // 100)
    expected = sum(sorted(counts)[::-1][:k]) / sum(counts) if sum(counts) else 0.0
    assert top_share(np.array(counts), share) == pytest.approx(expected)


@given(COUNTS)
def test_the_lorenz_curve_rises_below_the_diagonal(counts: list[int]) -> None:
    curve = lorenz(np.array(counts))
    assert curve[0] == (0.0, 0.0)
    assert curve[-1] == pytest.approx((1.0, 1.0))
    assert all(a[0] < b[0] and a[1] <= b[1] + 1e-12 for a, b in pairwise(curve))
    if sum(counts):
        assert all(y <= x + 1e-9 for x, y in curve)


def rich_log():
    rng = np.random.default_rng(0)
    n = 400
    exposure = rng.integers(0, 2, n)
    table = pa.table(
        {
            "user": [f"u{i}" for i in rng.integers(0, 30, n)],
            "item": rng.integers(0, 25, n),
            "ts": 1_700_000_000 + np.sort(rng.integers(0, 20 * 86_400, n)),
            "e": exposure,
            "k": rng.integers(1, 5, n),
            "y": pa.array(rng.integers(1, 6, n).astype(float), mask=exposure == 0),
            "device": [["ios", "web", None][i] for i in rng.integers(0, 3, n)],
            "<b>": ["x", "y"] * (n // 2),
        }
    )
    items = pa.table({"item": np.arange(30), "price": np.arange(30.0)})
    return from_frame(
        table,
        items=items,
        timestamp="ts",
        exposure="e",
        position="k",
        outcome="y",
        outcome_kind="rating",
        context="device,<b>",
        name="<i>rich</i>",
    )


def test_numbers_agree_with_a_computation_by_hand() -> None:
    log = rich_log()
    found = describe(log)
    rows = log.table.to_pylist()
    shown = [r for r in rows if r["e"] == 1]
    assert (found.rows, found.users, found.items) == (400, len({r["user"] for r in rows}), 30)
    assert found.density == len({(r["user"], r["item"]) for r in rows}) / (found.users * 30)
    per_item = np.array([sum(r["item"] == i for r in shown) for i in range(30)])
    assert found.exposure.total == len(shown)
    assert found.exposure.gini == pytest.approx(gini(per_item))
    assert found.exposure.top_1pct_share == per_item.max() / len(shown)
    assert found.exposure.never_exposed == (per_item == 0).sum()
    assert found.exposure.long_tail_share == np.sort(per_item)[:24].sum() / len(shown)
    assert np.sort(per_item)[::-1][: found.exposure.items_for_half].sum() * 2 >= len(shown)
    assert found.exposure.rate == len(shown) / 400
    assert found.outcome.mean == pytest.approx(np.mean([r["y"] for r in shown]))
    assert found.outcome.levels == {str(i): sum(r["y"] == i for r in shown) for i in range(1, 6)}
    assert sum(g.rows for g in found.positions) == 400
    first = [r["y"] for r in shown if r["k"] == 1]
    assert found.positions[0].mean == pytest.approx(np.mean(first))
    assert sum(g.rows for g in found.time.by_hour) == sum(g.rows for g in found.time.by_weekday) == 400
    assert found.time.first == min(r["ts"] for r in rows).strftime("%Y-%m-%dT%H:%M:%SZ")
    monday = sum(r["ts"].weekday() == 0 for r in rows)
    assert found.time.by_weekday[0].level == "Monday"
    assert found.time.by_weekday[0].rows == monday
    noon = [r for r in rows if r["ts"].hour == 12]
    assert found.time.by_hour[12].rows == len(noon)
    assert found.drift is not None
    assert found.drift.unit == "day"
    assert {g.level: g.rows for g in found.drift.points} == {
        day: sum(str(r["ts"].date()) == day for r in rows) for day in {str(r["ts"].date()) for r in rows}
    }
    device = found.contexts[0]
    assert (device.levels, device.missing) == (2, sum(r["device"] is None for r in rows))
    assert {g.level: g.rows for g in device.top} == {
        level: sum(r["device"] == level for r in rows) for level in ("ios", "web")
    }


def test_weeks_start_on_monday_and_months_on_the_first() -> None:
    days = np.datetime64("2023-01-01") + np.arange(0, 400, 7)
    n = len(days)
    columns = {"user": [str(i) for i in range(n)], "item": ["a", "b"] * (n // 2), "t": days}
    weekly = from_frame(pa.table(columns), timestamp="t")
    drift = describe(weekly).drift
    assert drift is not None
    assert drift.unit == "week"
    assert {np.datetime64(g.level).astype("datetime64[D]").astype(object).weekday() for g in drift.points} == {0}
    far = np.array(["2015-01-17", "2019-03-02", "2019-03-30"], "datetime64[D]")
    monthly = describe(from_frame(pa.table({"user": list("abc"), "item": list("xyz"), "t": far}), timestamp="t")).drift
    assert monthly is not None
    assert [(g.level, g.rows) for g in monthly.points] == [("2015-01-01", 1), ("2019-03-01", 2)]
    assert monthly.item_shift == 1.0


def test_a_hundred_thousand_squared_takes_seconds() -> None:
    n = 120_000
    ids = [f"x{i}" for i in range(n)]
    log = from_frame(pa.table({"user": ids, "item": ids, "rating": [1 + i % 5 for i in range(n)]}), outcome="rating")
    start = time.perf_counter()
    found = describe(log)
    assert time.perf_counter() - start < 10
    assert found.density == pytest.approx(1 / n)
    assert found.exposure.top_1pct_share == pytest.approx(0.01)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.floats(0.5, 5)), min_size=1, max_size=12))
def test_json_is_strict_whatever_the_log(rows: list) -> None:
    user, item, rating = zip(*rows, strict=True)
    log = from_frame(pa.table({"user": user, "item": item, "y": rating}), outcome="y", outcome_kind="positive")
    text = json.dumps(describe(log).to_json(), allow_nan=False)
    assert {"rows", "users", "items", "density", "exposure", "outcome", "time"} <= set(json.loads(text))


def test_without_outcome_time_or_exposure() -> None:
    found = describe(from_frame(pa.table({"user": ["a"], "item": ["x"]})))
    assert found.outcome.mean is None
    assert found.to_json()["time"] == {"first": None, "last": None, "by_hour": [], "by_weekday": []}
    assert found.drift is None
    assert set(charts(found)) == {"activity", "items", "popularity"}


def test_nothing_exposed_of_what_can_be_seen() -> None:
    table = pa.table({"user": ["a", "b"], "item": ["x", "y"], "e": [1, 0], "click": pa.array([None, 0], pa.int8())})
    found = describe(from_frame(table, exposure="e", outcome="click"))
    assert found.outcome.mean is None
    assert found.outcome.missing == 1
    assert found.exposure.never_exposed == 1


def test_charts_and_pages(tmp_path: Path) -> None:
    found = describe(rich_log())
    drawn = charts(found)
    assert set(drawn) >= {"activity", "items", "popularity", "outcome", "drift", "position", "hour", "context device"}
    for chart in drawn.values():
        assert chart.to_dict()["$schema"]
    page = write_description(found, tmp_path / "new" / "report.html").read_text("utf-8")
    assert "<svg" in page
    assert "<i>rich" not in page
    assert "http-equiv" not in page
    assert "<script" not in page
    assert write_description(found, tmp_path / "p.svg").read_text("utf-8").startswith("<svg")
    assert write_description(found, tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []
    with pytest.raises(InputError, match=r"\.html, \.png, \.svg"):
        write_description(found, tmp_path / "p.pdf")
    with pytest.raises(UnknownNameError, match="device"):
        plot_context(found, "devise")
    assert "<i>" not in found._repr_html_()
    assert any(name == "outcome" for name, _ in facts(found))


def test_amounts_get_a_histogram_instead_of_levels() -> None:
    table = pa.table({"user": ["a", "b", "c"], "item": ["x", "y", "z"], "dwell": [0.3, 2.0, 700.0]})
    found = describe(from_frame(table, outcome="dwell"))
    assert found.outcome.levels == {}
    assert found.outcome.spread is not None
    assert sum(n for _, _, n in found.outcome.spread.histogram) == 3
    assert charts(found)["outcome"].to_dict()
