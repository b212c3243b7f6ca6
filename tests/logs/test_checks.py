"""Single faults and their remarks; what is fine is not reported."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from counterlog.errors import InputError
from counterlog.logs import check, from_frame


def codes(columns: dict[str, Any], **roles: Any) -> dict[str, int]:
    n = len(next(iter(columns.values())))
    frame = {"user": [f"u{i}" for i in range(n)], "item": [f"i{i % 3}" for i in range(n)], **columns}
    return {p.code: p.rows for p in check(pa.table(frame), **roles).problems}


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("rating", [0.5, 5.0, -3.0], [float("inf")]),
        ("click", [0, 1, 1], [2, -1, 0.5]),
        ("count", [0, 3, 2.0], [2.5, -1]),
        ("positive", [0.1, 40], [0, -0.0, -2]),
    ],
)
def test_each_kind_has_its_range(kind: str, good: list, bad: list) -> None:
    assert codes({"y": pa.array(good, pa.float64())}, outcome="y", outcome_kind=kind) == {}
    found = codes({"y": pa.array([*good, *bad], pa.float64())}, outcome="y", outcome_kind=kind)
    assert found == {"outcome_not_finite" if kind == "rating" else "outcome_range": len(bad)}


def test_true_and_false_are_clicks() -> None:
    log = from_frame(pa.table({"user": ["a", "b"], "item": ["x", "y"], "click": [True, False]}), outcome="click")
    assert log.outcome is not None
    assert log.outcome.tolist() == [1, 0]
    assert codes({"click": ["True", "false", "1"]}, outcome="click") == {}


def test_the_outcome_of_what_was_not_shown_may_be_empty_or_zero_but_not_something() -> None:
    exposure = [1, 0, 0, 1]
    roles = {"exposure": "e", "outcome": "y"}
    assert codes({"e": exposure, "y": [3, None, None, 2]}, **roles, outcome_kind="rating") == {}
    assert codes({"e": exposure, "y": [3, None, 4, 2]}, **roles, outcome_kind="rating") == {
        "outcome_without_exposure": 1
    }
    assert codes({"e": exposure, "y": [3, 0, 0, 2]}, **roles, outcome_kind="positive") == {"zero_placeholder": 2}
    assert codes({"e": exposure, "y": [1, 0, 0, None]}, **roles, outcome_kind="click") == {"null_outcome": 1}


def test_a_zero_placeholder_becomes_missing_in_the_log() -> None:
    table = pa.table({"user": ["a", "b"], "item": ["x", "y"], "e": [1, 0], "rating": [3, 0]})
    log = from_frame(table, exposure="e", outcome="rating")
    assert log.levels == (3.0,)
    assert log.table["rating"].to_pylist() == [3, None]


def test_zero_as_a_true_level_is_no_matter() -> None:
    assert codes({"y": [0, 1, 2, 3, 0, 1, 2, 2]}, outcome="y", outcome_kind="rating") == {}
    assert codes({"y": [0, 6, 7, 8, 0, 0]}, outcome="y", outcome_kind="rating") == {"zero_unrated": 3}
    assert codes({"y": [0, 1, 0, 0, 2, 0]}, outcome="y", outcome_kind="rating") == {"zero_unrated": 4}


def test_remarks_on_what_does_not_vary() -> None:
    assert codes({"click": [1, 1, 1]}, outcome="click") == {"clicks_only": 3}
    assert codes({"y": [2, 2]}, outcome="y", outcome_kind="rating") == {"constant_outcome": 2}
    assert codes({"e": [1, 1]}, exposure="e") == {"constant_exposure": 2}
    assert codes({"e": [0, 0]}, exposure="e") == {"nothing_exposed": 2}
    assert codes({"p": [1.0, 1.0]}, propensity="p") == {"constant_propensity": 2}
    assert codes({"k": [2, 2]}, position="k") == {"constant_position": 2}
    assert codes({"c": ["x", "x"]}, context="c") == {"constant_context": 2}
    assert codes({"user": ["a", "a", "a"], "item": ["x", "y", "z"]}) == {"single_user": 3}
    assert codes({"user": ["a", "b"], "item": ["x", "x"]}) == {"single_item": 2}
    assert codes({"y": [i / 7 for i in range(60)]}, outcome="y", outcome_kind="rating") == {"many_levels": 60}


def test_repeats_without_a_time_are_odd_for_ratings_only() -> None:
    pairs = {"user": ["a", "a", "b"], "item": ["x", "x", "y"]}
    assert codes({**pairs, "click": [1, 0, 1]}, outcome="click") == {}
    assert codes({**pairs, "rating": [1, 1, 2]}, outcome="rating") == {"duplicate_event": 1}
    assert codes({**pairs, "rating": [1, 3, 2]}, outcome="rating") == {"conflicting_outcome": 1}
    assert codes({**pairs, "ts": [1, 2, 3], "rating": [1, 1, 2]}, outcome="rating", timestamp="ts") == {}
    assert codes({**pairs, "ts": [1, 1, 3], "click": [1, 1, 0]}, outcome="click", timestamp="ts") == {
        "duplicate_event": 1
    }


def test_wrong_types_name_the_type() -> None:
    nested = pa.array([[1], [2]])
    assert codes({"y": nested}, outcome="y", outcome_kind="count") == {"outcome_type": 2}
    assert codes({"e": nested}, exposure="e") == {"exposure_type": 2}
    assert codes({"t": nested}, timestamp="t") == {"timestamp_type": 2}
    assert codes({"c": nested}, context="c") == {"context_type": 2}
    assert codes({"c": pa.nulls(2)}, context="c") == {"null_context": 2}
    assert codes({"user": [1.5, 2.5], "item": ["x", "y"]}) == {"id_type": 2}
    assert codes({"user": [True, False], "item": ["x", "y"]}) == {"id_type": 2}


def test_an_outcome_kind_needs_an_outcome() -> None:
    with pytest.raises(InputError, match="no column is named as the outcome"):
        codes({"y": [1, 2]}, outcome_kind="rating")


def test_ids_that_end_in_point_zero() -> None:
    found = check(pa.table({"user": ["1.0", "2.0", "3.0"], "item": ["a", "b", "c"]}))
    assert [(p.code, p.column, p.rows) for p in found.problems] == [("id_float", "user", 3)]


def test_accents_encoded_in_two_ways() -> None:
    found = check(pa.table({"user": ["caf\u00e9", "cafe\u0301", "caf\u00e9"], "item": ["a", "b", "c"]}))
    assert [(p.code, p.rows, p.examples) for p in found.problems] == [("id_case", 1, (2,))]


def test_one_error_is_one_sentence_and_more_are_a_list() -> None:
    table = pa.table({"user": ["a", None], "item": ["x", "y"], "click": [2, 1]})
    with pytest.raises(InputError) as caught:
        from_frame(table, outcome="click", name="events")
    assert str(caught.value).startswith("events: 2 problems must be mended:\n  - ")
    with pytest.raises(InputError, match=r"^events: 1 row without an id in column 'user' \(row 2\)"):
        from_frame(table, name="events")


def test_a_check_shows_itself() -> None:
    found = check(pa.table({"user": ["a", None], "item": ["<x>", "<x>"]}))
    assert "1 row without an id" in found.to_text()
    assert "&lt;x&gt;" in found._repr_html_()
    assert found.to_json()["problems"][0]["severity"] == "error"
    assert check(pa.table({"user": ["a", "b"], "item": ["x", "y"]})).to_text().endswith("no problem found")


def test_large_logs_are_checked_in_full() -> None:
    n = 300_000
    table = pa.table({"user": [f"u{i % 5000}" for i in range(n)], "item": [str(i % 977) for i in range(n)]})
    bad = table.append_column("click", pa.array([0] * (n - 1) + [7]))
    found = check(bad, outcome="click")
    assert (found.users, found.items) == (5000, 977)
    assert [(p.code, p.rows, p.examples) for p in found.errors] == [("outcome_range", 1, (n,))]
