"""One log with every fault that can be planted side by side: all are found in one run, each in its column."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from counterlog.logs import check

HEADER = "user,item,ts,exposure,position,propensity,plays,device,surface,plays2"
#: What each row plants: (row, [(code, column), ...]); every other field is in order.
ROWS: list[tuple[str, list[tuple[str, str]]]] = [
    ("u1,a,2024-01-01T10:00:00Z,1,1,0.5,3,ios,home,1", []),
    ("u1,b,2024-01-01T11:00:00Z,1,2,0.5,0,web,home,1", []),
    (",a,2024-01-02T10:00:00Z,1,1,0.5,1,ios,home,1", [("null_id", "user")]),
    ("u2,,2024-01-02T11:00:00Z,1,1,0.5,1,ios,home,1", [("null_id", "item")]),
    ("u2 ,b,2024-01-03T10:00:00Z,1,1,0.5,1,ios,home,1", [("id_space", "user")]),
    ("u2, b,2024-01-03T11:00:00Z,1,1,0.5,1,ios,home,1", [("id_space", "item")]),
    ("U2,b,2024-01-04T10:00:00Z,1,1,0.5,1,ios,home,1", [("id_case", "user")]),
    ("u2,A,2024-01-04T11:00:00Z,1,1,0.5,1,ios,home,1", [("id_case", "item")]),
    ("nan,b,2024-01-05T10:00:00Z,1,1,0.5,1,ios,home,1", [("id_word", "user")]),
    ("u2,None,2024-01-05T11:00:00Z,1,1,0.5,1,ios,home,1", [("id_word", "item")]),
    ("u\u200b3,b,2024-01-06T10:00:00Z,1,1,0.5,1,ios,home,1", [("id_invisible", "user")]),
    ("u2,c\u200b,2024-01-06T11:00:00Z,1,1,0.5,1,ios,home,1", [("id_invisible", "item")]),
    ("9.00719925E+15,b,2024-01-07T10:00:00Z,1,1,0.5,1,ios,home,1", [("id_scientific", "user")]),
    ("u2,1.2E+10,2024-01-07T11:00:00Z,1,1,0.5,1,ios,home,1", [("id_scientific", "item")]),
    ("u3,a,2024-01-08T10:00:00Z,1,1,0.5,2,ios,home,1", []),
    ("u3,a,2024-01-08T10:00:00Z,1,1,0.5,2,ios,home,1", [("duplicate_event", "user")]),
    ("u3,a,2024-01-08T10:00:00Z,1,1,0.5,5,ios,home,1", [("conflicting_outcome", "item")]),
    ("u3,b,yesterday,1,1,0.5,1,ios,home,1", [("timestamp_unparsable", "ts")]),
    ("u3,c,2024-01-09T10:00:00,1,1,0.5,1,ios,home,1", [("mixed_zones", "ts")]),
    ("u3,d,,1,1,0.5,1,ios,home,1", [("null_timestamp", "ts")]),
    ("u4,a,1024-01-09T10:00:00Z,1,1,0.5,1,ios,home,1", [("timestamp_far", "ts")]),
    ("u4,b,2024-01-10T10:00:00Z,2,1,0.5,1,ios,home,1", [("exposure_range", "exposure")]),
    ("u4,c,2024-01-10T11:00:00Z,,1,0.5,1,ios,home,1", [("null_exposure", "exposure")]),
    ("u4,d,2024-01-10T12:00:00Z,maybe,1,0.5,1,ios,home,1", [("exposure_not_number", "exposure")]),
    ("u4,e,2024-01-10T13:00:00Z,inf,1,0.5,1,ios,home,1", [("exposure_not_finite", "exposure")]),
    ("u5,a,2024-01-11T10:00:00Z,0,1,0.5,4,ios,home,1", [("outcome_without_exposure", "plays")]),
    ("u5,b,2024-01-11T11:00:00Z,1,0,0.5,1,ios,home,1", [("position_range", "position")]),
    ("u5,c,2024-01-11T12:00:00Z,1,first,0.5,1,ios,home,1", [("position_not_number", "position")]),
    ("u5,d,2024-01-11T13:00:00Z,1,nan,0.5,1,ios,home,1", [("position_not_finite", "position")]),
    ("u5,e,2024-01-11T14:00:00Z,1,,0.5,1,ios,home,1", [("null_position", "position")]),
    ("u6,a,2024-01-12T10:00:00Z,1,1,0,1,ios,home,1", [("propensity_range", "propensity")]),
    ("u6,b,2024-01-12T11:00:00Z,1,1,4,1,ios,home,1", [("propensity_range", "propensity")]),
    ("u6,c,2024-01-12T12:00:00Z,1,1,half,1,ios,home,1", [("propensity_not_number", "propensity")]),
    ("u6,d,2024-01-12T13:00:00Z,1,1,-inf,1,ios,home,1", [("propensity_not_finite", "propensity")]),
    ("u6,e,2024-01-12T14:00:00Z,1,1,,1,ios,home,1", [("null_propensity", "propensity")]),
    ("u7,a,2024-01-13T10:00:00Z,1,1,0.5,2.5,ios,home,1", [("outcome_range", "plays")]),
    ("u7,b,2024-01-13T11:00:00Z,1,1,0.5,-1,ios,home,1", [("outcome_range", "plays")]),
    ('u7,c,2024-01-13T12:00:00Z,1,1,0.5,"2,5",ios,home,1', [("outcome_not_number", "plays")]),
    ("u7,d,2024-01-13T13:00:00Z,1,1,0.5,inf,ios,home,1", [("outcome_not_finite", "plays")]),
    ("u7,e,2024-01-13T14:00:00Z,1,1,0.5,,ios,home,1", [("null_outcome", "plays")]),
    ("u8,a,2024-01-14T10:00:00Z,1,1,0.5,1,,home,1", [("null_context", "device")]),
    ("u8,b,2024-01-14T11:00:00Z,1,1,0.5,1", [("ragged_row", "")]),
]
WHOLE = [("constant_context", "surface"), ("missing_column", "hour")]

ITEMS = """item,price,title,brand,colour,size,weight,id2
a,1,Rain,x,red,1,1,
b,2,Steam,x,blue,one,2,
c,inf,Speed,x,red,3,3,
d,,Four,x,blue,4,4,
e,5,Five,x,red,5,5,
e,6,Six,x,red,6,6,
,7,Seven,x,red,7,7,
zz,8,Eight,x,red,8,8,
"""
ITEM_FAULTS = [
    ("feature_not_finite", "price"),
    ("null_feature", "price"),
    ("feature_levels", "title"),
    ("constant_feature", "brand"),
    ("mixed_feature", "size"),
    ("feature_levels", "size"),
    ("constant_feature", "id2"),
    ("duplicate_features", "item"),
    ("null_id", "item"),
    ("features_without_events", "item"),
    ("missing_features", "item"),
]
USER_FAULTS = [("no_features", "user"), ("missing_features", "user")]


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    (tmp_path / "log.csv").write_text("\n".join([HEADER, *(row for row, _ in ROWS)]) + "\n", "utf-8")
    (tmp_path / "items.csv").write_text(ITEMS, "utf-8")
    (tmp_path / "users.csv").write_text("user\nu1\nu3\n", "utf-8")
    return tmp_path


ROLES = {
    "timestamp": "ts",
    "exposure": "exposure",
    "position": "position",
    "propensity": "propensity",
    "outcome": "plays",
    "outcome_kind": "count",
    "context": "device,surface,hour",
}


def test_every_planted_fault_is_reported_in_one_run(faulty: Path) -> None:
    found = check(faulty / "log.csv", items=faulty / "items.csv", users=faulty / "users.csv", **ROLES)
    reported = {(p.code, p.column) for p in found.problems}
    planted = {fault for _, faults in ROWS for fault in faults} | set(WHOLE) | set(ITEM_FAULTS) | set(USER_FAULTS)
    assert len(planted) >= 45
    assert planted - reported == set()
    # and nothing is cried out that was not planted
    assert reported - planted == set()
    assert not found.ok


def test_faults_name_the_row_that_holds_them(faulty: Path) -> None:
    found = check(faulty / "log.csv", items=faulty / "items.csv", users=faulty / "users.csv", **ROLES)
    by_fault = {(p.code, p.column): p for p in found.problems if p.column in HEADER.split(",")}
    for number, (_, faults) in enumerate(ROWS, 1):
        for fault in faults:
            if fault in by_fault and fault not in ITEM_FAULTS:
                assert number in by_fault[fault].examples, (fault, by_fault[fault])
                assert by_fault[fault].message.strip()


def test_the_shell_prints_all_of_them_and_ends_with_2(faulty: Path, run_cli) -> None:
    options = [word for role, column in ROLES.items() for word in (f"--{role.replace('_', '-')}", column)]
    done = run_cli("check", "log.csv", *options, "--items", "items.csv", "--users", "users.csv", "--json", cwd=faulty)
    assert done.status == 2
    found = json.loads(done.stdout)
    assert set(found) >= {"ok", "rows", "users", "items", "problems"}
    assert len({(p["code"], p["column"]) for p in found["problems"]}) >= 45
    assert [p["severity"] for p in found["problems"]] == sorted(p["severity"] for p in found["problems"])
    assert "plays" in done.stderr
