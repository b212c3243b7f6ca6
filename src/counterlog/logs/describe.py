"""The empirical distributions of a log, as numbers. The work grows with the events, never with users times items."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from counterlog.logs.coding import encode
from counterlog.logs.concentration import gini, lorenz, top_share
from counterlog.logs.log import InteractionLog

_QUANTILES = {"min": 0.0, "q10": 0.1, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q90": 0.9, "q99": 0.99, "max": 1.0}
_MANY = 100


@dataclass(frozen=True)
class Spread:
    """How a count (or an amount) is spread over users, items or events."""

    mean: float
    quantiles: dict[str, float]
    gini: float
    #: Upper edges are exclusive: (from, to, how many), in powers of two.
    histogram: tuple[tuple[float, float, int], ...]


@dataclass(frozen=True)
class Exposure:
    """How exposure is spread over all known items; exposed rows count, or all rows where the log has no exposure
    column.
    """

    total: int
    gini: float
    top_1pct_share: float
    #: Share of the exposures that go to the least exposed 80% of the items.
    long_tail_share: float
    #: The fewest items that together have half of all exposures.
    items_for_half: int
    never_exposed: int
    lorenz: tuple[tuple[float, float], ...]
    #: Share of the rows that were exposed; None without an exposure column.
    rate: float | None


@dataclass(frozen=True)
class Outcome:
    """The outcome over exposed rows. ``levels`` counts each value; empty for amounts of more than 100 values."""

    column: str | None
    kind: str | None
    mean: float | None
    sd: float | None
    levels: dict[str, int]
    missing: int
    spread: Spread | None


@dataclass(frozen=True)
class Group:
    """The rows of one level of something, and the mean outcome of those exposed (None where none was)."""

    level: str
    rows: int
    mean: float | None


@dataclass(frozen=True)
class Time:
    """When: ISO 8601 in UTC, None without timestamps; rows and mean outcome by hour of the day and by day of the
    week.
    """

    first: str | None
    last: str | None
    by_hour: tuple[Group, ...]
    by_weekday: tuple[Group, ...]


@dataclass(frozen=True)
class Drift:
    """Change over time: rows and mean outcome a ``unit`` (day, week or month), and the log's first half against its
    second.

    ``item_shift`` is the total variation distance between the item shares of the two halves: 0 the same items, 1 no
    item in common.
    """

    unit: str
    points: tuple[Group, ...]
    first_half_mean: float | None
    second_half_mean: float | None
    item_shift: float


@dataclass(frozen=True)
class Context:
    """A circumstance: its most frequent levels (at most 20) and how many it has."""

    column: str
    levels: int
    missing: int
    top: tuple[Group, ...]


@dataclass(frozen=True)
class Description:
    """A log in numbers; ``density`` is the share of the user-by-item cells that occur."""

    name: str
    rows: int
    users: int
    items: int
    pairs: int
    density: float
    user_activity: Spread
    item_popularity: Spread
    exposure: Exposure
    outcome: Outcome
    time: Time
    drift: Drift | None
    positions: tuple[Group, ...]
    contexts: tuple[Context, ...]

    def to_json(self) -> dict[str, Any]:
        """Everything as a JSON-able dict, without NaN."""
        return {field.name: _plain(getattr(self, field.name)) for field in fields(self)}

    def _repr_html_(self) -> str:
        from counterlog.logs.show import description_html

        return description_html(self)


def describe(log: InteractionLog) -> Description:
    """The empirical distributions of a log.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from counterlog.logs import from_frame
    >>> log = from_frame(pa.table({"user": ["a", "b"], "item": ["x", "x"], "rating": [1, 4]}), outcome="rating")
    >>> found = describe(log)
    >>> found.density, found.outcome.mean, found.exposure.gini
    (1.0, 2.5, 0.0)
    """
    n_users, n_items = len(log.users), len(log.items)
    exposed = log.exposed
    seen = exposed if log.outcome is None else exposed & np.isfinite(log.outcome)
    values = np.full(log.rows, np.nan) if log.outcome is None else log.outcome
    pairs = _distinct(log.user_codes * n_items + log.item_codes)
    shown = np.bincount(log.item_codes[exposed], minlength=n_items)
    return Description(
        log.name,
        log.rows,
        n_users,
        n_items,
        pairs,
        pairs / (n_users * n_items),
        spread(np.bincount(log.user_codes, minlength=n_users)),
        spread(shown),
        _exposure(shown, None if log.exposure is None else float(exposed.mean())),
        _outcome(log, values, exposed, seen),
        _time(log, values, seen),
        _drift(log, values, seen),
        _positions(log, values, seen),
        tuple(_context(log, name, values, seen) for name in log.roles.context),
    )


def _distinct(values: np.ndarray) -> int:
    """How many different values; by sorting, as the hashing of np.unique is ten times slower on millions."""
    ordered = np.sort(values)
    return len(ordered) and int(np.count_nonzero(ordered[1:] != ordered[:-1])) + 1


def spread(values: np.ndarray) -> Spread:
    """Mean, quantiles, Gini coefficient and a histogram with edges at powers of two (0 apart)."""
    if not len(values):
        return Spread(0.0, {}, 0.0, ())
    quantiles = dict(zip(_QUANTILES, map(float, np.quantile(values, list(_QUANTILES.values()))), strict=True))
    bins = []
    if (zeros := int((values == 0).sum())) > 0:
        bins.append((0.0, 0.0, zeros))
    positive = values[values > 0]
    if len(positive):
        powers = np.floor(np.log2(positive)).astype(np.int64)
        counts = np.bincount(powers - powers.min())
        bins += [
            (2.0 ** (i + int(powers.min())), 2.0 ** (i + 1 + int(powers.min())), int(c)) for i, c in enumerate(counts)
        ]
    return Spread(float(np.mean(values)), quantiles, gini(values) if (values >= 0).all() else 0.0, tuple(bins))


def _exposure(shown: np.ndarray, rate: float | None) -> Exposure:
    total = int(shown.sum())
    ordered = np.sort(shown)[::-1]
    held = np.cumsum(ordered)
    tail = ordered[len(ordered) - int(len(ordered) * 0.8) :]
    return Exposure(
        total,
        gini(shown),
        top_share(shown, 0.01),
        float(tail.sum()) / total if total else 0.0,
        int(np.searchsorted(held, total / 2)) + 1 if total else 0,
        int((shown == 0).sum()),
        tuple(lorenz(shown)),
        rate,
    )


def _outcome(log: InteractionLog, values: np.ndarray, exposed: np.ndarray, seen: np.ndarray) -> Outcome:
    if log.outcome is None:
        return Outcome(None, None, None, None, {}, 0, None)
    kept = values[seen]
    levels, counts = np.unique(kept, return_counts=True)
    few = len(levels) <= _MANY and log.roles.outcome_kind != "positive"
    return Outcome(
        log.roles.outcome,
        log.roles.outcome_kind,
        float(kept.mean()) if len(kept) else None,
        float(kept.std()) if len(kept) else None,
        {_label(x): int(c) for x, c in zip(levels, counts, strict=True)} if few else {},
        int((exposed & ~np.isfinite(values)).sum()),
        spread(kept) if log.roles.outcome_kind in ("count", "positive") and len(kept) else None,
    )


def _time(log: InteractionLog, values: np.ndarray, seen: np.ndarray) -> Time:
    when = log.timestamp
    if when is None or not len(when):
        return Time(None, None, (), ())
    seconds = when.astype("datetime64[s]").astype(np.int64)
    hours = seconds // 3600 % 24
    days = (seconds // 86_400 + 3) % 7  # 1 January 1970 was a Thursday
    names = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
    return Time(
        _iso(when.min()),
        _iso(when.max()),
        _groups(hours, [f"{h:02d}" for h in range(24)], values, seen),
        _groups(days, names, values, seen),
    )


def _drift(log: InteractionLog, values: np.ndarray, seen: np.ndarray) -> Drift | None:
    when = log.timestamp
    if when is None or len(when) < 2 or when.min() == when.max():
        return None
    span = (when.max() - when.min()) / np.timedelta64(1, "D")
    unit = "day" if span <= 62 else "week" if span <= 800 else "month"
    step = "M" if unit == "month" else "D"
    numbers = when.astype(f"datetime64[{step}]").astype(np.int64)
    if unit == "week":  # from Monday on
        numbers -= (numbers + 3) % 7
    used = np.flatnonzero(np.bincount(numbers - numbers.min()))
    known = (used + numbers.min()).astype(f"datetime64[{step}]").astype("datetime64[D]")
    codes = np.searchsorted(used, numbers - numbers.min())
    late = when > np.partition(when, (len(when) - 1) // 2)[(len(when) - 1) // 2]
    shares = [np.bincount(log.item_codes[half], minlength=len(log.items)) for half in (~late, late)]
    shift = (
        0.5 * np.abs(shares[0] / max(1, shares[0].sum()) - shares[1] / max(1, shares[1].sum())).sum()
        if late.any()
        else 0.0
    )
    return Drift(
        unit,
        _groups(codes, [str(day) for day in known], values, seen),
        _mean(values[seen & ~late]),
        _mean(values[seen & late]),
        float(shift),
    )


def _positions(log: InteractionLog, values: np.ndarray, seen: np.ndarray) -> tuple[Group, ...]:
    if log.position is None:
        return ()
    known = np.isfinite(log.position)
    levels, codes = np.unique(log.position[known], return_inverse=True)
    return _groups(codes, [_label(x) for x in levels], values[known], seen[known])[:_MANY]


def _context(log: InteractionLog, name: str, values: np.ndarray, seen: np.ndarray) -> Context:
    levels, codes = encode(log.table[name])
    known = codes >= 0
    labels = [_label(level) for level in levels.to_pylist()]
    groups = _groups(codes[known], labels, values[known], seen[known])
    missing = int((~known).sum())
    top = sorted(groups, key=lambda g: (-g.rows, g.level))[:20]
    return Context(name, len(groups), missing, tuple(top))


def _groups(
    codes: np.ndarray, labels: list[str] | tuple[str, ...], values: np.ndarray, seen: np.ndarray
) -> tuple[Group, ...]:
    n = len(labels)
    rows = np.bincount(codes, minlength=n)
    counts = np.bincount(codes[seen], minlength=n)
    sums = np.bincount(codes[seen], weights=np.nan_to_num(values[seen]), minlength=n)
    known = bool(np.isfinite(values[seen]).any())
    return tuple(
        Group(label, int(rows[i]), float(sums[i] / counts[i]) if known and counts[i] else None)
        for i, label in enumerate(labels)
    )


def _mean(values: np.ndarray) -> float | None:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else None


def _label(value: object) -> str:
    """``4.0`` as ``4``, ``0.5`` as ``0.5``, text as it is."""
    return f"{float(value):.12g}" if isinstance(value, float | np.floating) else str(value)


def _iso(when: np.datetime64) -> str:
    text = str(when.astype("datetime64[us]"))
    return text.removesuffix(".000000") + "Z"


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if hasattr(value, "__dataclass_fields__"):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    return None if isinstance(value, float) and not np.isfinite(value) else value
