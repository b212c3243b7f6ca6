"""Findings on a log: planted faults are found, and what is fine is left alone."""

from __future__ import annotations

import json

import numpy as np
import pytest

from counterlog.auditing import Audit, Finding, audit
from counterlog.auditing.finding import number, percent, worst
from counterlog.errors import InputError, UnknownNameError

from .worlds import grid, impressions, log_of


def test_worst():
    assert worst([]) == "PASS"
    assert worst(["PASS", "FAIL", "REVIEW"]) == "FAIL"
    assert worst(["REVIEW", "PASS"]) == "REVIEW"


def test_a_finding_is_plain_data():
    found = Finding("x", "PASS", np.float64(2), (np.float32(1), 3), "m", "a", {"n": np.arange(2), "nan": np.nan})
    text = json.dumps(found.to_json(), allow_nan=False)
    assert json.loads(text)["details"] == {"n": [0, 1], "nan": None}
    assert Finding("x", "PASS", float("nan"), (0, float("inf")), "m", "a").to_json()["interval"] is None
    with pytest.raises(InputError, match="not 'GOOD'"):
        Finding("x", "GOOD", None, None, "m", "a")  # type: ignore[arg-type]


def test_numbers_in_sentences():
    assert [number(v) for v in (0, 0.12345, 1234.5, -0.5, float("nan"))] == ["0", "0.123", "1,234", "-0.500", "unknown"]
    assert [percent(v) for v in (0.0312, 0.00001, 1, 0.998)] == ["3.1%", "under 0.1%", "100.0%", "99.80%"]


def test_unbiased_impressions_pass_and_say_what_was_left_out():
    found = audit(impressions(0))
    assert found.verdict == "PASS"
    assert found.skipped.keys() == {"naive_vs_corrected", "likeness", "propensity_calibration"}
    for finding in found.findings:
        assert finding.message.endswith(".")
        assert finding.advice
        assert finding.sees
        assert finding.cannot_see
        assert finding.quantity
        if finding.interval is not None:
            assert finding.value is not None
            assert finding.interval[0] <= finding.value <= finding.interval[1]
            assert "90% interval" in finding.message


def test_same_seed_same_audit_and_findings_by_name():
    log = impressions(1, popularity=0.8)
    first, second = audit(log, rng=3), audit(log, rng=3)
    assert first.to_json() == second.to_json()
    assert first["popularity_gini"].status != "PASS"
    assert audit(log, rng=4)["popularity_gini"].interval != first["popularity_gini"].interval
    with pytest.raises(UnknownNameError, match=r"did you mean 'popularity_gini'"):
        first["gini"]
    with pytest.raises(UnknownNameError, match="no fit was given"):
        first["naive_vs_corrected"]
    assert repr(first).startswith("Audit: ")


@pytest.mark.parametrize(
    ("world", "finding"),
    [
        ({"popularity": 0.5}, "popularity_gini"),
        ({"popularity": 1.0}, "long_tail"),
        ({"popularity": 1.5}, "popularity_top_1pct"),
        ({"selection": 0.7}, "outcome_by_popularity"),
        ({"examination": 0.85}, "position"),
    ],
)
def test_declared_bias_is_found(world, finding):
    """10 worlds each; 9 must be found."""
    found = sum(audit(impressions(seed, **world), rng=seed)[finding].status != "PASS" for seed in range(10))
    assert found >= 9


def test_clicks_alone_and_ratings_alone_never_pass():
    rows = {"user": np.arange(40) % 20, "item": np.arange(40) % 13, "click": np.ones(40)}
    found = audit(log_of(rows, 20, 13))
    assert found["what_was_shown"].status == "REVIEW"
    assert "unknown" in found["what_was_shown"].message
    ratings = {"user": np.arange(40) % 20, "item": np.arange(40) % 13, "rating": np.arange(40) % 5 + 1.0}
    assert audit(log_of(ratings, 20, 13, outcome="rating"))["what_was_shown"].status == "REVIEW"


@pytest.mark.parametrize("outcome", ["click", "count", "dwell"])
def test_exposure_made_up_from_the_outcome_is_not_exposure(outcome):
    rows = {"user": np.arange(40) % 20, "item": np.arange(40) % 13, "exposure": np.ones(40), outcome: np.ones(40)}
    rows[outcome][:3] = 1 if outcome == "click" else 2
    assert audit(log_of(rows, 20, 13, outcome=outcome))["what_was_shown"].status == "REVIEW"


def test_a_robot_fails_activity():
    rng = np.random.default_rng(0)
    user = np.concatenate([np.arange(200), np.full(20_000, 200)])
    rows = {
        "user": user,
        "item": rng.integers(0, 50, len(user)),
        "exposure": np.ones(len(user)),
        "click": rng.integers(0, 2, len(user)).astype(float),
    }
    found = audit(log_of(rows, 201, 50))["user_activity"]
    assert found.status == "FAIL"
    assert found.value == pytest.approx(1.02, abs=0.01)


def test_within_items_tells_attention_from_placement():
    """Good items on top, no attention effect: the trend is there, within items it is not."""
    rng = np.random.default_rng(0)
    item = rng.integers(0, 60, 20_000)
    position = np.clip(np.round(item / 6 + rng.normal(0, 2, len(item))), 1, 10)
    rows = {
        "user": rng.integers(0, 300, len(item)),
        "item": item,
        "exposure": np.ones(len(item)),
        "position": position,
        "click": (rng.random(len(item)) < 0.6 - item / 120).astype(float),
    }
    found = audit(log_of(rows, 300, 60))["position"]
    assert found.status != "PASS"
    assert found.value < -0.2
    assert abs(found.details["within_items_change"]) < 0.05


def test_one_row_that_carries_all_the_weight():
    rng = np.random.default_rng(0)
    propensity = np.full(1_000, 0.5)
    propensity[0] = 1e-300
    rows = {
        "user": rng.integers(0, 100, 1_000),
        "item": rng.integers(0, 20, 1_000),
        "exposure": np.ones(1_000),
        "click": rng.integers(0, 2, 1_000).astype(float),
        "propensity": propensity,
    }
    found = audit(log_of(rows, 100, 20))["propensity_overlap"]
    assert found.status == "FAIL"
    assert found.value == pytest.approx(1)
    assert found.details["min_propensity"] == pytest.approx(1e-300)
    assert found.details["half_weight_share"] == pytest.approx(0.001)


def test_true_propensities_are_calibrated_and_others_are_not():
    log = grid(0, spread=0.7)
    assert audit(log)["propensity_calibration"].status == "PASS"
    table = log.table.set_column(4, "propensity", [np.sqrt(log.propensity)])
    wrong = log_of({c: table[c] for c in table.column_names}, 100, 60, outcome="rating")
    found = audit(wrong)["propensity_calibration"]
    assert found.status == "FAIL"
    assert found.interval[1] < 0


def test_items_never_shown_count():
    log = impressions(0, items=50)
    more = log_of({c: log.table[c] for c in log.table.column_names}, 200, 400)
    found = audit(more)
    assert found["long_tail"].details["never_exposed"] == 350
    assert found["popularity_gini"].status == "FAIL"


@pytest.mark.parametrize("rows", [1, 2, 9])
def test_tiny_logs_get_numbers_without_warnings(rows):
    columns = {"user": np.arange(rows), "item": np.zeros(rows, int), "exposure": np.ones(rows), "click": np.ones(rows)}
    columns |= {"position": np.ones(rows), "propensity": np.ones(rows)}
    found = audit(log_of(columns, rows, 1))
    json.dumps(found.to_json(), allow_nan=False)
    assert "<svg" in found.charts[0].svg


def test_nothing_shown_is_refused():
    rows = {"user": np.arange(3), "item": np.arange(3), "exposure": np.zeros(3), "click": np.full(3, np.nan)}
    with pytest.raises(InputError, match="no exposed row in 3 rows"):
        audit(log_of(rows, 3, 3))


def test_an_audit_is_the_worst_of_its_findings():
    found = Audit((Finding("a", "PASS", 1, None, "m.", "a"), Finding("b", "REVIEW", None, None, "m.", "a")))
    assert found.verdict == "REVIEW"
