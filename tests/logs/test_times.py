"""Timestamps of any spelling are the same instant; what is ambiguous is refused."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterlog.errors import InputError
from counterlog.logs import check, from_frame
from counterlog.logs.times import parse_times

NOON = "2022-07-14T12:00:00"


def read(*values: object, kind: pa.DataType | None = None):
    return parse_times(pa.chunked_array([pa.array(list(values), kind)]))


def shown(times) -> list[str]:
    return [str(x) for x in times.micros.astype("datetime64[us]").astype("datetime64[s]")]


@pytest.mark.parametrize(
    "text",
    [
        "2022-07-14T12:00:00Z",
        "2022-07-14 12:00:00",
        "2022-07-14 12:00:00 UTC",
        "2022-07-14T14:00:00+02:00",
        "2022-07-14 14:00:00 +0200",
        "2022-07-14T12:00:00.000000000Z",
        "1657800000",
        "1657800000.0",
        "1657800000000",
        "1657800000000000",
        "1657800000000000000",
        "20220714120000",
    ],
)
def test_one_instant_in_many_spellings(text: str) -> None:
    assert shown(read(text)) == [NOON]


@pytest.mark.parametrize(
    "value",
    [
        dt.datetime(2022, 7, 14, 12),
        dt.datetime(2022, 7, 14, 14, tzinfo=dt.timezone(dt.timedelta(hours=2))),
        np.datetime64("2022-07-14T12:00:00.000000001"),
        1657800000,
        1657800000.0,
    ],
)
def test_typed_columns(value: object) -> None:
    assert shown(read(value)) == [NOON]


def test_days_before_1970_and_dates_as_numbers() -> None:
    assert shown(read("1968-05-01", "1971-02-03")) == ["1968-05-01T00:00:00", "1971-02-03T00:00:00"]
    assert shown(read(20220714, 20220303)) == ["2022-07-14T00:00:00", "2022-03-03T00:00:00"]
    assert read(20220714, 20220231).reading == "seconds"  # 31 February is no date
    assert shown(read("-5")) == ["1969-12-31T23:59:55"]
    assert shown(read(dt.date(1968, 5, 1))) == ["1968-05-01T00:00:00"]


def test_what_is_no_time_is_marked() -> None:
    times = read("2022-07-14", "2022-02-30", "14/07/2022", "soon", None)
    assert times.bad.tolist() == [False, True, True, True, False]
    assert times.missing.tolist() == [False, False, False, False, True]
    assert parse_times(pa.chunked_array([pa.array([True])])) is None
    assert parse_times(pa.chunked_array([pa.array([[1]])])) is None


def test_mixed_zones_mark_the_smaller_group() -> None:
    times = read("2022-07-14T12:00:00Z", "2022-07-14T12:00:00+01:00", "2022-07-14T12:00:00")
    assert times.mixed_zones.tolist() == [False, False, True]
    assert times.zones == 2
    found = check(pa.table({"user": ["a"] * 3, "item": list("xyz"), "ts": times.column}), timestamp="ts")
    assert [p.code for p in found.errors] == ["mixed_zones"]


def test_several_offsets_are_a_remark_and_mixed_units_too() -> None:
    frame = {"user": ["a", "b"], "item": ["x", "y"]}
    offsets = {**frame, "ts": ["2022-07-14T12:00:00Z", "2022-07-14T12:00:00+01:00"]}
    assert "several_zones" in {p.code for p in check(pa.table(offsets), timestamp="ts").warnings}
    units = {**frame, "ts": [1657800000, 1657800000000]}
    assert "mixed_units" in {p.code for p in check(pa.table(units), timestamp="ts").warnings}
    dates = {**frame, "ts": [20220714, 20220303]}
    assert "date_number" in {p.code for p in check(pa.table(dates), timestamp="ts").warnings}


def test_pandas_times_with_and_without_zone() -> None:
    naive = pd.to_datetime(["2022-07-14 12:00", None])
    frame = pd.DataFrame({"user": ["a", "b"], "item": ["x", "y"], "ts": naive})
    with pytest.raises(InputError, match="without a timestamp"):
        from_frame(frame, timestamp="ts")
    log = from_frame(frame.assign(ts=naive.fillna(naive[0]).tz_localize("Europe/Berlin")), timestamp="ts")
    assert log.timestamp is not None
    assert str(log.timestamp[0]) == "2022-07-14T10:00:00.000000"
    assert log.table.schema.field("ts").type == pa.timestamp("us", "UTC")


@given(st.lists(st.datetimes(dt.datetime(1900, 1, 2), dt.datetime(2099, 1, 1)), min_size=1, max_size=5))
def test_iso_text_round_trips(moments: list[dt.datetime]) -> None:
    times = read(*[m.isoformat() for m in moments])
    assert not times.bad.any()
    assert times.micros.astype("datetime64[us]").tolist() == moments


@given(st.lists(st.integers(-2_000_000_000, 4_000_000_000), min_size=1, max_size=5))
def test_epoch_seconds_as_numbers_and_as_text_agree(seconds: list[int]) -> None:
    number, text = read(*seconds), read(*map(str, seconds))
    assert np.array_equal(number.micros, text.micros)
