"""Naive against corrected mean, from an answer that has the right attributes."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from counterlog.auditing import audit
from counterlog.auditing.correction import CorrectionThresholds, check_correction
from counterlog.errors import InputError, RefusedError

from .worlds import grid


@dataclass(frozen=True)
class PlainCard:
    def to_json(self) -> dict[str, object]:
        return {"identified": False, "assumptions": ["the graph"]}

    def to_text(self) -> str:
        return "assumes: <the graph>"


def answer(estimate: float, low: float, high: float, naive: float | None = 3.0) -> SimpleNamespace:
    return SimpleNamespace(estimate=estimate, interval=(low, high), level=0.9, naive=naive, card=PlainCard())


@pytest.mark.parametrize(
    ("given", "status"),
    [
        (answer(2.5, 2.4, 2.6), "FAIL"),
        (answer(2.9, 2.85, 2.95), "REVIEW"),
        (answer(2.99, 2.985, 2.995), "PASS"),
        (answer(2.0, 1.0, 3.1), "PASS"),
    ],
)
def test_status_needs_both_a_clear_and_a_large_difference(given, status):
    found = check_correction(grid(0), given, CorrectionThresholds())
    assert found.status == status
    assert found.value == pytest.approx(3.0 - given.estimate)
    assert found.interval == pytest.approx((3.0 - given.interval[1], 3.0 - given.interval[0]))
    assert found.details["assumptions"] == ["the graph"]


def fake_fit(log, monkeypatch, given):
    import counterlog.query

    asked = {}

    def effect(fit, on, do, rng):
        asked.update(on=on, do=do)
        if isinstance(given, Exception):
            raise given
        return given

    monkeypatch.setattr(counterlog.query, "effect", effect)
    monkeypatch.setattr(counterlog.query, "fix", lambda **values: values)
    scm = SimpleNamespace(name="toy", outcome="stars", exposure="shown")
    return SimpleNamespace(scm=scm, log=log, hash="0" * 64), asked


def test_an_audit_with_a_fit(monkeypatch):
    log = grid(0)
    fit, asked = fake_fit(log, monkeypatch, answer(2.5, 2.4, 2.6))
    found = audit(log, fit=fit)
    assert asked == {"on": "stars", "do": {"shown": 1}}
    assert found["naive_vs_corrected"].status == found.verdict == "FAIL"
    assert "correction" in [chart.name for chart in found.charts]
    assert found.about["fit"] == {
        "model": "toy",
        "hash": "0" * 64,
        "card": {"identified": False, "assumptions": ["the graph"]},
    }
    assert found.card == found.to_json()["card"] == found.about["fit"]["card"]


@pytest.mark.parametrize(
    ("given", "why"),
    [(RefusedError("no honest"), "no honest"), (answer(2, 1, 3, None), "no naive answer")],
)
def test_no_answer_is_said_and_not_passed_over(monkeypatch, given, why):
    log = grid(0)
    fit, _ = fake_fit(log, monkeypatch, given)
    assert why in audit(log, fit=fit).skipped["naive_vs_corrected"]


def test_a_fit_of_another_log_is_refused(monkeypatch):
    fit, _ = fake_fit(grid(1), monkeypatch, answer(2, 1, 3))
    with pytest.raises(InputError, match="the fit belongs to another log"):
        audit(grid(0), fit=fit)
