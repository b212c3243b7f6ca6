"""Synthetic rows: twins pass, copies and strangers do not, and what an intervention is meant to change is no fault."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from counterlog.auditing import audit
from counterlog.errors import InputError

from .worlds import impressions, log_of

BIASED = {"popularity": 0.8}


def real(seed: int = 0, **changes: object):
    return impressions(seed, world=seed, **{**BIASED, **changes})


def twin(seed: int = 0, **changes: object) -> pa.Table:
    return impressions(seed + 1_000, world=seed, **{**BIASED, **changes}).table


def likeness(found) -> dict[str, str]:
    return {f.name.removeprefix("likeness_"): f.status for f in found.findings if f.name.startswith("likeness")}


def statuses(log, synthetic) -> dict[str, str]:
    return likeness(audit(log, synthetic=synthetic))


def batch(table: pa.Table, kind: str = "simulate", **card: object) -> SimpleNamespace:
    return SimpleNamespace(table=table, card={"batch": "sim-1", "kind": kind, "intervention": None, **card})


@pytest.mark.parametrize("size", [{}, {"rows": 600}, {"rows": 12_000}, {"items": 1_000, "users": 500, "rows": 1_500}])
def test_twins_pass_whatever_the_sizes(size):
    shape = {k: v for k, v in size.items() if k != "rows"} if len(size) == 1 else size
    for seed in range(4):
        assert set(statuses(real(seed, **shape), twin(seed, **size)).values()) == {"PASS"}


def test_copies_fail_though_their_marginals_are_perfect():
    found = statuses(real(), real().table)
    assert found.pop("copies") == "FAIL"
    assert set(found.values()) == {"PASS"}


def test_a_third_of_copies_is_seen_and_measured():
    mixed = pa.concat_tables([real().table.slice(0, 1_000), twin().slice(0, 2_000)])
    found = audit(real(), synthetic=mixed)["likeness_copies"]
    assert found.status == "REVIEW"
    assert found.value == pytest.approx(1 / 3, abs=0.06)
    assert found.interval[0] < found.value < found.interval[1]


def test_another_popularity_fails_unless_it_was_meant():
    uniform = twin(popularity=0)
    assert statuses(real(), uniform)["popularity"] in ("REVIEW", "FAIL")
    meant = {"fix": {}, "shift": {}, "replace": {"exposure": {"name": "uniform"}}, "cut": []}
    found = audit(real(), synthetic=batch(uniform, intervention=meant))
    assert likeness(found)["popularity"] == "PASS"
    assert "meant" in found["likeness_popularity"].advice
    assert found["likeness_popularity"].value > 0.1
    assert found.about["synthetic"]["intervention"] == meant
    nothing = {"fix": {}, "shift": {}, "replace": {}, "cut": []}
    assert statuses(real(), batch(uniform, intervention=nothing))["popularity"] != "PASS"


def test_outcomes_of_another_kind_fail():
    table = twin()
    flipped = table.set_column(3, "click", pa.array(1 - table["click"].to_numpy()))
    found = audit(real(), synthetic=flipped)["likeness_outcome"]
    assert found.status == "FAIL"
    assert found.details["mean_synthetic"] > found.details["mean_real"] + 0.2


def test_outcomes_that_ignore_the_item_are_found():
    table = twin(rows=20_000)
    mixed = np.random.default_rng(0).permutation(table.num_rows)
    shuffled = table.set_column(3, "click", pa.array(table["click"].to_numpy()[mixed]))
    assert statuses(real(rows=20_000), shuffled)["outcome_by_item"] != "PASS"
    assert statuses(real(rows=20_000), table)["outcome_by_item"] == "PASS"


def test_equal_activity_is_found_unless_set_by_hand():
    even = twin(activity=0.0)
    assert statuses(real(), even)["activity"] == "REVIEW"
    assert statuses(real(), batch(even, arguments={"per_user": 15}))["activity"] == "PASS"


def test_items_and_columns_that_the_log_does_not_know():
    table = twin()
    moved = table.set_column(1, "item", pa.array(table["item"].to_numpy() + 60))
    found = audit(real(), synthetic=moved)["likeness_unseen"]
    assert found.status in ("REVIEW", "FAIL")
    assert found.value == pytest.approx(np.mean(moved["item"].to_numpy() >= 100))
    assert statuses(real(), table.drop_columns(["position"]))["schema"] == "REVIEW"
    assert statuses(real(), table.drop_columns(["click"]))["schema"] == "FAIL"
    text = table.set_column(4, "position", table["position"].cast(pa.string()))
    assert statuses(real(), text)["schema"] == "REVIEW"


def test_new_users_are_no_fault():
    table = twin()
    new = table.set_column(0, "user", pa.array(table["user"].to_numpy() + 10_000))
    assert set(statuses(real(), new).values()) == {"PASS"}


def test_counterfactual_rows_are_not_called_copies():
    found = audit(real(), synthetic=batch(real().table, kind="counterfactual"))
    assert set(likeness(found)) == {"schema", "unseen"}
    assert "by construction" in found.skipped["likeness_copies"]


def test_real_rows_of_a_mixed_batch_are_left_out():
    both = pa.concat_tables([real().table, twin()])
    source = pa.array(["real"] * real().rows + ["synthetic"] * real().rows)
    assert statuses(real(), both.append_column("source", source))["copies"] == "PASS"


def test_positive_outcomes_are_compared_in_cells():
    rng = np.random.default_rng(0)

    def dwell(scale: float) -> dict[str, np.ndarray]:
        return {
            "user": rng.integers(0, 100, 3_000),
            "item": rng.integers(0, 50, 3_000),
            "exposure": np.ones(3_000),
            "dwell": rng.lognormal(0, 1, 3_000) * scale,
        }

    log = log_of(dwell(1), 100, 50, outcome="dwell")
    assert statuses(log, pa.table(dwell(1)))["outcome"] == "PASS"
    assert statuses(log, pa.table(dwell(3)))["outcome"] == "FAIL"


def test_what_is_no_batch_is_refused():
    with pytest.raises(InputError, match="not a int"):
        audit(real(), synthetic=3)
    with pytest.raises(InputError, match=r"no column 'item'; columns: user"):
        audit(real(), synthetic=twin().drop_columns(["item"]))
    with pytest.raises(InputError, match="no exposed row in 0 synthetic rows"):
        audit(real(), synthetic=twin().slice(0, 0))
    bad = twin().set_column(3, "click", pa.array(["x"] * 3_000))
    with pytest.raises(InputError, match="column 'click' of the synthetic rows is string"):
        audit(real(), synthetic=bad)


def test_a_store_gives_its_newest_batch(tmp_path):
    from counterlog.synth.provenance import make_card
    from counterlog.synth.store import open_store

    store = open_store(tmp_path / "store", create=True)
    for name, table in (("copy", real().table), ("twin", twin())):
        card = make_card("simulate", seed=0, intervention=None, arguments={}, batch=name)
        whole = table.append_column("batch", pa.array([name] * table.num_rows))
        store.append(whole.to_batches(), whole.schema, card)
    for given in (tmp_path / "store", str(tmp_path / "store"), store):
        found = audit(real(), synthetic=given)
        assert found.about["synthetic"]["batch"] == "twin"
        assert found["likeness_copies"].status == "PASS"
