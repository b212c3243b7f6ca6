"""Implied independences: quiet in a world that is as the graph says, loud where an edge is missing."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from scipy.stats import binom
from tests.identification.known_logs import drawn, world
from tests.identification.worlds import program

import counterlog as cl
from counterlog.errors import InputError
from counterlog.identification import Independence, independences
from counterlog.identification.implied import implied
from counterlog.identification.independences import _holm, clustered_t

IMPLIED = [("hour", "budget", ()), ("hour", "click", ("exposure",)), ("budget", "exposure", ())]


def test_the_graph_implies_what_d_separation_says() -> None:
    assert implied(world, drawn(0)) == IMPLIED
    linked = program("hour -> exposure -> click; hour -> click; taste -> hour, click", ("taste",))
    assert implied(linked, drawn(0)) == [], "every pair has an edge"


def test_what_is_unseen_ties_what_it_acts_on() -> None:
    tied = program("taste -> hour, budget; hour -> exposure; budget, exposure -> click", ("taste",))
    assert ("hour", "budget", ()) not in implied(tied, drawn(0))
    assert ("budget", "exposure", ("hour",)) in implied(tied, drawn(0))


def test_selected_rows_are_conditioned_on() -> None:
    """Rows without an exposure column are the exposed cells; exposure is a common effect of hour and budget here."""
    scm = program("hour -> exposure; budget -> exposure; exposure -> click")
    every = drawn(0)
    shown = every.table.filter(pc.equal(every.table["exposure"], 1)).drop_columns(["exposure"])
    exposed = cl.from_frame(shown, outcome="click", context=("hour", "budget"))
    assert ("budget", "hour", ()) in implied(scm, every)
    assert all({a, b} != {"hour", "budget"} for a, b, _ in implied(scm, exposed)), "a common effect was selected on"
    assert ("hour", "click", ("exposure",)) in implied(scm, exposed)
    masked = drawn(0, masked=True)
    assert ("hour", "click", ("exposure",)) in implied(world, masked)
    found = {(f.a, f.b): f.rows for f in independences(world, masked)}
    assert found["hour", "click"] == int(np.sum(masked.exposure == 1)) < found["hour", "budget"] == masked.rows


def test_a_clean_world_stays_quiet() -> None:
    for seed in range(3):
        found = independences(world, drawn(seed, persistence=1.5))
        assert [(f.a, f.b, f.given) for f in found] == IMPLIED
        assert not any(f.rejected for f in found)
        assert all("no evidence against it" in str(f) for f in found)


def test_a_missing_edge_is_found() -> None:
    for seed in range(3):
        found = {(f.a, f.b): f for f in independences(world, drawn(seed, planted=0.5))}
        assert found["hour", "budget"].rejected
        assert "contradicted by the log" in str(found["hour", "budget"])


def test_a_bent_common_cause_is_explained_away() -> None:
    """hour -> exposure is wavy and hour -> budget straight; given the hour, budget and exposure are independent, and
    without it they are not.
    """
    right = program("hour -> budget, exposure; exposure, budget -> click")
    wrong = program("hour -> budget; exposure, budget -> click; hour -> click")
    log = drawn(2, users=100, planted=1.0, wave=3.0)
    assert {(f.a, f.b): f.rejected for f in independences(right, log)}["budget", "exposure"] is False
    assert any(f.rejected for f in independences(wrong, log) if {f.a, f.b} == {"budget", "exposure"})


def naive_t(log: cl.InteractionLog) -> float:
    """hour against budget as if rows were independent."""
    hour, budget = (log.table[name].to_numpy() for name in ("hour", "budget"))
    products = (hour - hour.mean()) * (budget - budget.mean())
    return float(products.mean() / products.std() * np.sqrt(len(products)))


def test_habits_of_users_are_no_dependence() -> None:
    """With 60 users of 20 rows each, users' habits make the unclustered test reject at 5% in about half of the clean
    worlds; the clustered one stays near its rate.
    """
    naive = clustered = 0
    for seed in range(100):
        log = drawn(seed, persistence=1.5)
        hour, budget = (log.table[name].to_numpy() for name in ("hour", "budget"))
        products = (hour - hour.mean()) * (budget - budget.mean())
        naive += abs(naive_t(log)) > 1.96
        clustered += abs(clustered_t(products, log.user_codes, log.item_codes)) > 2.02
    assert naive > 30
    assert clustered < binom.ppf(0.999, 100, 0.05)


@pytest.mark.slow
def test_the_false_alarm_rate_over_all_tests_is_kept() -> None:
    """150 clean worlds at a family-wise rate of 10%, user effects of 1.5 standard deviations: no more alarms than the
    99.9% quantile of the binomial. This test itself fails by chance in one of 1,000 sets of seeds.
    """
    alarms = sum(
        any(f.rejected for f in independences(world, drawn(seed, persistence=1.5, wave=1.0), level=0.1))
        for seed in range(150)
    )
    assert alarms <= binom.ppf(0.999, 150, 0.1)


@pytest.mark.slow
def test_the_power_against_a_missing_edge() -> None:
    """A planted slope of 0.3 is found in nearly all of 40 worlds."""
    found = sum(
        any(f.rejected for f in independences(world, drawn(seed, planted=0.3)) if (f.a, f.b) == ("hour", "budget"))
        for seed in range(40)
    )
    assert found >= 36


def test_too_few_rows_say_so() -> None:
    found = independences(world, drawn(0, users=9, each=20))
    assert all(f.note.startswith("too few rows: 180") and f.p_value is None and not f.rejected for f in found)
    found = independences(world, drawn(0, users=5, each=60))
    assert all(f.note.startswith("too few users: 5") for f in found)
    assert "not tested, too few users" in str(found[0])


def test_text_columns_are_compared_level_by_level() -> None:
    log = drawn(1)
    rng = np.random.default_rng(0)
    plain = rng.choice(["phone", "web", "TV"], log.rows)
    late = np.where(log.table["hour"].to_numpy() + rng.normal(size=log.rows) > 0, "phone", plain)
    scm = program("device -> exposure; hour -> exposure; exposure -> click")
    for device, rejected in ((plain, False), (late, True)):
        table = log.table.drop_columns(["budget"]).append_column("device", pa.array(device))
        other = cl.from_frame(table, outcome="click", exposure="exposure", context=("hour", "device"))
        found = next(f for f in independences(scm, other) if {f.a, f.b} == {"device", "hour"})
        assert found.rejected is rejected


def test_large_logs_are_sampled_by_user_and_the_seed_decides() -> None:
    log = drawn(3, users=100)
    one, again, other = (independences(world, log, rng=rng, limit=500) for rng in (1, 1, 2))
    assert one == again != other
    assert all(300 < f.rows <= 500 for f in one)


def test_holm_steps_down() -> None:
    def result(p: float | None) -> Independence:
        return Independence("a", "b", (), None if p is None else 1.0, p, False, 1000)

    found = _holm([result(0.02), result(0.001), result(None), result(0.04)], 0.05)
    assert [f.rejected for f in found] == [True, True, False, True]
    found = _holm([result(0.03), result(0.001), result(0.04)], 0.05)
    assert [f.rejected for f in found] == [False, True, False]


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(InputError, match="between 0 and 1; given 5"):
        independences(world, drawn(0), level=5)
    with pytest.raises(InputError, match="at least 200 rows"):
        independences(world, drawn(0), limit=10)


def test_results_are_data() -> None:
    found = independences(world, drawn(0))[1]
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["given"] == ["exposure"]
    assert cl.independences is independences
