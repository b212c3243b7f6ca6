"""Timestamps of any spelling as instants in UTC."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from counterlog.logs.numeric import MISSING, Numbers, parse_numbers, to_numpy

UTC = pa.timestamp("us", "UTC")
_ZONE = r"\d[ ]?(Z|z|UTC|[+-]\d{2}:?\d{2}|[+-]\d{2})$"
_UNITS = {"seconds": 1_000_000.0, "milliseconds": 1_000.0, "microseconds": 1.0, "nanoseconds": 0.001}
#: 1900-01-01 and 2100-01-01 in microseconds: outside, a unit or a century went wrong.
PLAUSIBLE = (-2_208_988_800_000_000, 4_102_444_800_000_000)


@dataclass(frozen=True)
class Times:
    """A column read as instants.

    ``micros`` int64 ``[rows]``, microseconds since 1970 UTC, 0 where ``missing`` or ``bad`` (no time). ``zoned`` marks
    entries that state a zone; times without one are read as UTC. ``odd_unit`` marks numbers whose size speaks for
    another unit than that of most. ``reading`` says how numbers were read (``seconds``, ``dates``, ...); empty for
    times written as times.
    """

    micros: np.ndarray
    missing: np.ndarray
    bad: np.ndarray
    zoned: np.ndarray
    odd_unit: np.ndarray
    column: pa.ChunkedArray
    reading: str = ""
    zones: int = field(default=0)

    @property
    def good(self) -> np.ndarray:
        """Mask of the entries that are a time."""
        return ~(self.missing | self.bad)

    @property
    def mixed_zones(self) -> np.ndarray:
        """Mask of the smaller group where some times state a zone and others do not."""
        bare = self.good & ~self.zoned
        zoned = self.good & self.zoned
        if not bare.any() or not zoned.any():
            return np.zeros(len(self.micros), bool)
        return bare if bare.sum() <= zoned.sum() else zoned

    def arrow(self) -> pa.ChunkedArray:
        """The instants as an Arrow column, null where there is none."""
        return pa.chunked_array([pa.array(self.micros, pa.int64(), mask=~self.good).cast(UTC)])


def parse_times(column: pa.ChunkedArray) -> Times | None:
    """Read a column as instants; None if its type can hold none."""
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return _from_time(column, zoned=bool(getattr(kind, "tz", None)))
    if not pa.types.is_string(kind):
        numbers = None if pa.types.is_boolean(kind) else parse_numbers(column)
        return None if numbers is None else _from_numbers(numbers)
    numbers = parse_numbers(column)
    if numbers is not None and not numbers.bad.any():
        return _from_numbers(numbers)
    times = _from_text(column)
    if numbers is not None and numbers.given.sum() > times.good.sum():
        return _from_numbers(numbers)
    return times


def _from_time(column: pa.ChunkedArray, zoned: bool) -> Times:
    missing = to_numpy(column.is_null())
    kind = UTC if zoned else pa.timestamp("us")
    # unsafe: nanoseconds are cut to microseconds
    micros = to_numpy(column.cast(kind, safe=False).cast(pa.int64()).fill_null(0))
    none = np.zeros(len(micros), bool)
    return Times(micros, missing, none, np.full(len(micros), zoned), none, column)


def _from_text(column: pa.ChunkedArray) -> Times:
    text = pc.utf8_trim_whitespace(column)
    missing = to_numpy(pc.or_kleene(pc.is_null(text), pc.is_in(text, value_set=pa.array(MISSING))).fill_null(True))
    zoned = to_numpy(pc.match_substring_regex(text, _ZONE).fill_null(False))
    # A date alone ends like an offset: 1968-05-01.
    zoned &= to_numpy(pc.match_substring_regex(text, r"^\d{4}-\d{2}-\d{2}[Tt ]").fill_null(False))
    text = pc.replace_substring_regex(text, r"(\.\d{6})\d+", r"\1")
    text = pc.replace_substring_regex(text, r"^(\d{4}-\d{2}-\d{2})[t ]", r"\1T")
    text = pc.replace_substring_regex(text, r"[ ]?(z|UTC)$", "Z")
    text = pc.replace_substring_regex(text, r" ([+-]\d{2}:?\d{2})$", r"\1")
    text = pc.if_else(pa.array(missing), pa.scalar(None, pa.string()), text)
    offsets = pc.struct_field(pc.extract_regex(text, r"(?P<zone>Z|[+-]\d{2}:?\d{2})$"), "zone").filter(pa.array(zoned))
    zones = len(pc.unique(offsets).drop_null())
    micros = np.zeros(len(text), np.int64)
    bad = np.zeros(len(text), bool)
    for mask, kind in ((zoned, UTC), (~zoned & ~missing, pa.timestamp("us"))):
        if mask.any():
            where = np.flatnonzero(mask)
            micros[where], bad[where] = _cast(text.take(pa.array(where)), kind)
    return Times(micros, missing, bad & ~missing, zoned, np.zeros(len(text), bool), column, zones=zones)


def _cast(text: pa.ChunkedArray, kind: pa.DataType) -> tuple[np.ndarray, np.ndarray]:
    """Microseconds and a mask of what is no ISO 8601 time."""
    try:
        return to_numpy(text.cast(kind).cast(pa.int64()).fill_null(0)), to_numpy(text.is_null())
    except pa.ArrowInvalid:
        pass  # some entry is no time: let pandas tell which
    import pandas as pd

    parsed = pd.to_datetime(pd.Series(text.to_pylist(), dtype=object), format="ISO8601", utc=True, errors="coerce")
    bad = parsed.isna().to_numpy()
    return np.where(bad, 0, parsed.dt.tz_localize(None).to_numpy().astype("datetime64[us]").astype(np.int64)), bad


def _from_numbers(numbers: Numbers) -> Times:
    good = numbers.finite
    bad = numbers.bad | numbers.infinite
    values = np.where(good, numbers.values, 0.0)
    none = np.zeros(len(values), bool)
    zoned = np.ones(len(values), bool)
    if good.any():
        dates = _as_dates(values[good])
        if dates is not None:
            micros = np.zeros(len(values), np.int64)
            micros[good] = dates
            return Times(micros, numbers.missing, bad, none, none, numbers.column, "dates")
    sizes = np.abs(values)
    unit = np.select([sizes < 1e11, sizes < 1e14, sizes < 1e17], [0, 1, 2], 3)
    most = int(np.bincount(unit[good], minlength=4).argmax()) if good.any() else 0
    name = list(_UNITS)[most]
    micros = _scaled(numbers.column, values, _UNITS[name])
    return Times(micros, numbers.missing, bad, zoned, good & (unit != most), numbers.column, name)


def _scaled(column: pa.ChunkedArray, values: np.ndarray, factor: float) -> np.ndarray:
    """Microseconds, without going through float where the column holds integers."""
    if pa.types.is_integer(column.type) and factor >= 1:
        whole = to_numpy(column.cast(pa.int64(), safe=False).fill_null(0))
        if len(whole) == 0 or np.abs(whole).max() < 2**62 / factor:
            return whole * int(factor)
    scaled = np.round(values * factor)
    return np.where(np.abs(scaled) < 2**62, scaled, 0).astype(np.int64)


def _as_dates(values: np.ndarray) -> np.ndarray | None:
    """Microseconds of numbers that are all written as YYYYMMDD or YYYYMMDDhhmmss; None if any is not."""
    if values.min() < 19000101 or values.max() >= 21000101000000 or np.any(values != np.floor(values)):
        return None
    long = values >= 1e13
    if not (long.all() or not long.any()):
        return None
    days, clock = (
        np.divmod(values.astype(np.int64), 1_000_000) if long.all() else (values.astype(np.int64), np.int64(0))
    )
    year, month, day = days // 10_000, days // 100 % 100, days % 100
    hour, minute, second = clock // 10_000, clock // 100 % 100, clock % 100
    if np.any(
        (year < 1900)
        | (year >= 2100)
        | (month < 1)
        | (month > 12)
        | (day < 1)
        | (hour > 23)
        | (minute > 59)
        | (second > 59)
    ):
        return None
    months = (year - 1970).astype("datetime64[Y]").astype("datetime64[M]") + (month - 1)
    stamps = months.astype("datetime64[D]") + (day - 1)
    if np.any(stamps.astype("datetime64[M]") != months):
        return None
    return stamps.astype("datetime64[us]").astype(np.int64) + (hour * 3600 + minute * 60 + second) * 1_000_000
