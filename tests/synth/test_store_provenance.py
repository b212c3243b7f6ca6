"""Cards: made from what was asked for, refused where a field is wrong, the same for the same request."""

from __future__ import annotations

import datetime as dt
import json
import math
from typing import Any

import numpy as np
import pytest

from counterlog.errors import InputError, StoreError
from counterlog.synth.provenance import batch_id, card_text, make_card, read_card, validate_card

HASH = "0" * 64
REQUEST: dict[str, Any] = {
    "seed": 3,
    "intervention": {"fix": {"exposure": 1}},
    "arguments": {"per_user": 5, "rows": None},
    "model": {"name": "self_selection", "source_hash": HASH, "parameters": {"dim": 8}},
    "fit": {"hash": HASH, "seed": 0, "steps": 1000},
    "log": {"name": "coat", "hash": HASH, "licence": "research"},
}


def complete(**changes: Any) -> dict[str, Any]:
    data = {"rows": 2, "data_hash": HASH, "schema": [{"name": "user", "type": "int64"}]}
    return make_card("simulate", **REQUEST) | data | changes


def test_a_card_says_what_the_batch_was_made_from() -> None:
    moment = dt.datetime(2026, 1, 31, 13, tzinfo=dt.timezone(dt.timedelta(hours=1)))
    card = make_card("simulate", **REQUEST, identification={"identified": True}, parents=["sim-1"], created=moment)
    assert card["created"] == "2026-01-31T12:00:00.000000Z"
    assert card["fit"]["hash"] == HASH
    assert card["identification"] == {"identified": True}
    assert {"counterlog", "python", "torch", "pyro-ppl", "numpy", "pyarrow", "deltalake"} <= set(card["versions"])
    assert json.loads(card_text(card)) == card
    validate_card(card)
    validate_card(complete(), complete=True)


def test_the_name_depends_on_the_request_alone() -> None:
    name = make_card("simulate", **REQUEST)["batch"]
    assert name == make_card("simulate", **REQUEST)["batch"] == batch_id("simulate", HASH, *_asked())
    assert name.startswith("sim-")
    assert len(name) == 16
    others = [
        {"seed": 4},
        {"intervention": None},
        {"arguments": {"per_user": 6, "rows": None}},
        {"fit": {"hash": "1" * 64}},
    ]
    names = {make_card("simulate", **(REQUEST | change))["batch"] for change in others}
    assert len(names | {name, make_card("augment", **REQUEST)["batch"]}) == 6


def _asked() -> tuple[Any, Any, int]:
    return REQUEST["intervention"], REQUEST["arguments"], REQUEST["seed"]


def test_numbers_of_numpy_and_objects_with_json_are_taken() -> None:
    class Fix:
        def to_json(self) -> dict:
            return {"fix": {"exposure": np.float32(1)}}

    card = make_card("simulate", seed=np.int64(3), intervention=Fix(), arguments={"cuts": np.arange(3), "pair": (1, 2)})
    assert card["intervention"] == {"fix": {"exposure": 1.0}}
    assert card["arguments"] == {"cuts": [0, 1, 2], "pair": [1, 2]}
    assert type(card["seed"]) is int


def test_nan_is_null_in_findings_and_refused_in_a_request() -> None:
    card = make_card("simulate", **REQUEST, identification={"sensitivity": math.nan}, audit=[math.inf])
    assert card["identification"] == {"sensitivity": None}
    assert card["audit"] == [None]
    with pytest.raises(InputError, match=r"arguments\.rate is nan"):
        make_card("simulate", **(REQUEST | {"arguments": {"rate": math.nan}}))
    with pytest.raises(InputError, match=r"arguments\.f is a function"):
        make_card(
            "simulate",
            **(REQUEST | {"arguments": {"f": card_text}}),
        )
    with pytest.raises(InputError, match="keys of a card are text"):
        make_card("simulate", **(REQUEST | {"arguments": {1: 2}}))
    with pytest.raises(InputError, match="time zone"):
        make_card("simulate", **REQUEST, created=dt.datetime(2026, 1, 1))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("format", 99),
        ("format", True),
        ("kind", ""),
        ("created", "yesterday"),
        ("created", "2026-01-01T00:00:00+02:00"),
        ("created", "2026-01-01T00:00:00"),
        ("model", {"name": "x"}),
        ("fit", {}),
        ("log", "coat"),
        ("arguments", []),
        ("seed", 1.5),
        ("seed", True),
        ("versions", {"numpy": 2}),
        ("identification", "yes"),
        ("parents", "sim-1"),
        ("parents", ["../x"]),
        ("rows", -1),
        ("rows", "2"),
        ("data_hash", "abc"),
        ("schema", ["user"]),
    ],
)
def test_a_wrong_field_is_named(field: str, value: Any) -> None:
    with pytest.raises(InputError, match=f"'{field}'"):
        validate_card(complete(**{field: value}), complete=True)


@pytest.mark.parametrize("field", sorted(set(complete()) - {"format", "audit"}))
def test_a_missing_field_is_named(field: str) -> None:
    card = complete()
    del card[field]
    with pytest.raises(InputError, match=f"no field '{field}'"):
        validate_card(card, complete=True)


def test_what_is_no_card_is_refused() -> None:
    with pytest.raises(InputError, match="this is a list"):
        validate_card([])
    with pytest.raises(StoreError, match="cannot name a batch"):
        validate_card(complete(batch="../../x"))
    for text in ("{", "[]", "{}"):
        with pytest.raises(StoreError, match="the card of here is damaged"):
            read_card(text, "here")


def test_fields_of_later_versions_are_kept() -> None:
    validate_card(complete(colour="blue"), complete=True)
