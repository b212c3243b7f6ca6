"""What can be wrong with outcome, exposure, propensity and position."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from counterlog.logs.numeric import Numbers, parse_numbers
from counterlog.logs.problems import Problem, Severity, first, listing, plural
from counterlog.logs.raw import RawTable

#: Kind -> (what a value is, the way out of another).
_RANGE = {
    "rating": ("a rating is a finite number", ""),
    "click": ("a click is 0 or 1", "other values need --outcome-kind count, rating or positive"),
    "count": ("a count is 0, 1, 2, ...", "fractions need --outcome-kind positive or rating"),
    "positive": ("a positive outcome is above 0", "drop the zeros, or model whether there was any as a click"),
}
_MANY_LEVELS = 50


def read_numbers(raw: RawTable, name: str, role: str, truth: bool = False) -> tuple[Numbers | None, list[Problem]]:
    """The numbers of a column, and what in it is none or not finite; None if there is no such column or no number in
    it.
    """
    column = raw.column(name)
    if column is None:
        return None, []
    numbers = parse_numbers(column, truth)
    if numbers is None:
        message = f"the {role} in column {name!r} is {column.type}; it must be numbers"
        return None, [raw.problem(f"{role}_type", name, "error", np.ones(raw.rows, bool), message)]
    found = []
    if numbers.bad.any():
        shown = numbers.shown(first(numbers.bad))
        comma = any(isinstance(x, str) and x.replace(",", "", 1).strip("+- ").isdigit() and "," in x for x in shown)
        cure = "write decimals with a point" if comma else "write numbers, or leave the field empty where there is none"
        message = (
            f"{_values(numbers.bad)} in column {name!r} {_are(numbers.bad)} no number: {listing(shown)}{{where}}; "
            f"{cure}"
        )
        found.append(raw.problem(f"{role}_not_number", name, "error", numbers.bad, message))
    if numbers.infinite.any():
        shown = numbers.shown(first(numbers.infinite))
        message = (
            f"{_values(numbers.infinite)} in column {name!r} {_are(numbers.infinite)} not finite: "
            f"{listing(shown)}{{where}}; "
            "replace or drop the rows"
        )
        found.append(raw.problem(f"{role}_not_finite", name, "error", numbers.infinite, message))
    return numbers, found


def check_exposure(raw: RawTable, name: str) -> tuple[Numbers | None, list[Problem]]:
    """Exposure is 0 or 1 in every row."""
    numbers, found = read_numbers(raw, name, "exposure", truth=True)
    if numbers is None:
        return None, found
    found += _missing(
        raw, name, "exposure", numbers, "error", "say for every row whether the item was shown (1) or not (0)"
    )
    odd = numbers.finite & ~np.isin(numbers.values, (0.0, 1.0))
    found += _odd(
        raw, name, "exposure_range", numbers, odd, "exposure is 0 or 1", "counts of impressions need one row each"
    )
    values = numbers.values[numbers.finite]
    if len(values) > 1 and np.all(values == 1):
        message = (
            f"column {name!r} is 1 in every row: every event was an exposure, and what was not shown is not in "
            "the log; "
            "the propensity of exposure cannot be learned from these rows alone"
        )
        found.append(raw.problem("constant_exposure", name, "warning", np.ones(raw.rows, bool), message))
    if len(values) and np.all(values == 0):
        message = f"column {name!r} is 0 in every row: nothing was ever exposed, so there is no outcome to learn from"
        found.append(raw.problem("nothing_exposed", name, "error", np.ones(raw.rows, bool), message))
    return numbers, found


def check_outcome(
    raw: RawTable, name: str, kind: str, exposure: Numbers | None
) -> tuple[Numbers | None, list[Problem]]:
    """The outcome lies in the range of its kind wherever something was exposed, and is absent elsewhere."""
    numbers, found = read_numbers(raw, name, "outcome", truth=kind == "click")
    if numbers is None:
        return None, found
    unexposed = np.zeros(raw.rows, bool) if exposure is None else exposure.values == 0
    values, finite = numbers.values, numbers.finite & ~unexposed
    odd = {
        "rating": np.zeros(raw.rows, bool),
        "click": finite & ~np.isin(values, (0.0, 1.0)),
        "count": finite & ((values < 0) | (values != np.floor(values))),
        "positive": finite & (values <= 0),
    }[kind]
    found += _odd(raw, name, "outcome_range", numbers, odd, *_RANGE[kind])
    found += _missing_outcome(raw, name, kind, numbers, exposure)
    unseen = unexposed & numbers.finite & (values != 0)
    if unseen.any():
        message = (
            f"{plural(int(unseen.sum()))} with an outcome in column {name!r} but exposure 0{{where}}: what was "
            "not shown has no "
            "outcome; set exposure to 1 or empty the outcome"
        )
        found.append(raw.problem("outcome_without_exposure", name, "error", unseen, message))
    placeholder = unexposed & numbers.finite & (values == 0)
    if placeholder.any() and kind in ("rating", "positive"):
        message = (
            f"{plural(int(placeholder.sum()))} with 0 in column {name!r} where exposure is 0{{where}}: read as "
            "missing, as the "
            f"{kind} of what was not shown is unknown, not 0"
        )
        found.append(raw.problem("zero_placeholder", name, "warning", placeholder, message))
    return numbers, found + _remarks(raw, name, kind, numbers, finite, exposure is not None)


def _remarks(raw: RawTable, name: str, kind: str, numbers: Numbers, seen: np.ndarray, exposed: bool) -> list[Problem]:
    found = []
    levels, counts = np.unique(numbers.values[seen], return_counts=True)
    total = int(counts.sum())
    every = np.ones(raw.rows, bool)
    if kind == "rating" and len(levels) > 1 and levels[0] == 0 and counts[0] == counts.max():
        gap = levels[1] - levels[0]
        usual = float(np.median(np.diff(levels[1:]))) if len(levels) > 2 else gap
        if 2 * counts[0] > total or gap > 1.5 * usual:
            shown = ", ".join(f"{x:g}" for x in levels[1:7])
            message = (
                f"{plural(int(counts[0]))} of {total:,} with rating 0 in column {name!r}, the most frequent "
                f"value, beside {shown}: "
                "if 0 means 'not rated', drop these rows"
            )
            found.append(raw.problem("zero_unrated", name, "warning", seen & (numbers.values == 0), message))
    if kind == "rating" and len(levels) > _MANY_LEVELS:
        message = (
            f"column {name!r} has {len(levels):,} different ratings; a rating has a few ordered levels, a "
            "measured amount is "
            "--outcome-kind positive"
        )
        found.append(raw.problem("many_levels", name, "warning", every, message))
    if len(levels) == 1 and total > 1:
        if kind == "click" and levels[0] == 1 and not exposed:
            message = (
                f"every row has a click of 1 in column {name!r} and there is no exposure column: what else was shown "
                "is unknown"
            )
            found.append(raw.problem("clicks_only", name, "warning", every, message))
        else:
            message = (
                f"the outcome in column {name!r} is {levels[0]:g} in every row: nothing distinguishes one event from "
                "another"
            )
            found.append(raw.problem("constant_outcome", name, "warning", every, message))
    return found


def _missing_outcome(raw: RawTable, name: str, kind: str, numbers: Numbers, exposure: Numbers | None) -> list[Problem]:
    if exposure is None:
        return _missing(
            raw, name, "outcome", numbers, "error", "an interaction without an outcome says nothing; drop the row"
        )
    seen = numbers.missing & (exposure.values == 1)
    if not seen.any() or kind in ("rating", "positive"):  # shown and not rated: an everyday event
        return []
    message = (
        f"{plural(int(seen.sum()))} with exposure 1 and no {kind} in column {name!r}{{where}}: write 0 where nothing "
        "happened"
    )
    return [raw.problem("null_outcome", name, "warning", seen, message)]


def check_propensity(raw: RawTable, name: str) -> tuple[Numbers | None, list[Problem]]:
    """A propensity lies in (0, 1]: what was logged did happen."""
    numbers, found = read_numbers(raw, name, "propensity")
    if numbers is None:
        return None, found
    found += _missing(
        raw, name, "propensity", numbers, "error", "every logged event has a probability; leave the role out otherwise"
    )
    odd = numbers.finite & ((numbers.values <= 0) | (numbers.values > 1))
    above = bool(np.any(numbers.values[odd] > 1))
    cure = (
        "inverse propensities (weights) must be turned over" if above else "what was logged did happen, so it was not 0"
    )
    found += _odd(raw, name, "propensity_range", numbers, odd, "a propensity lies above 0 and is at most 1", cure)
    values = numbers.values[numbers.finite]
    if len(values) > 1 and np.all(values == 1):
        message = (
            f"every propensity in column {name!r} is 1: nothing was left to chance, so there is nothing to weight by"
        )
        found.append(raw.problem("constant_propensity", name, "warning", np.ones(raw.rows, bool), message))
    return numbers, found


def check_position(raw: RawTable, name: str, exposure: Numbers | None) -> tuple[Numbers | None, list[Problem]]:
    """A position is a whole number from 1."""
    numbers, found = read_numbers(raw, name, "position")
    if numbers is None:
        return None, found
    odd = numbers.finite & ((numbers.values < 1) | (numbers.values != np.floor(numbers.values)))
    zero = bool(np.any(numbers.values[odd] == 0))
    cure = "add 1 to positions counted from 0" if zero else "number the ranks of the slate 1, 2, 3, ..."
    found += _odd(raw, name, "position_range", numbers, odd, "a position is a whole number from 1", cure)
    seen = numbers.missing if exposure is None else numbers.missing & (exposure.values == 1)
    if seen.any():
        message = f"{plural(int(seen.sum()))} without a position in column {name!r}{{where}}"
        found.append(raw.problem("null_position", name, "warning", seen, message))
    values = numbers.values[numbers.finite]
    if len(values) > 1 and np.all(values == values[0]):
        message = f"every position in column {name!r} is {values[0]:g}: its effect cannot be learned"
        found.append(raw.problem("constant_position", name, "warning", np.ones(raw.rows, bool), message))
    return numbers, found


def check_context(raw: RawTable, name: str) -> list[Problem]:
    """A context varies and is mostly known."""
    column = raw.column(name)
    if column is None:
        return []
    if pa.types.is_nested(column.type) or pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
        message = f"context {name!r} is {column.type}; it must be text, numbers, true or false, or times"
        return [raw.problem("context_type", name, "error", np.ones(raw.rows, bool), message)]
    found = []
    levels = pc.unique(column).drop_null()
    null = column.is_null().to_numpy()
    if pa.types.is_string(column.type):
        null |= pc.equal(pc.utf8_trim_whitespace(column), "").fill_null(False).to_numpy()
    if len(levels) == 1 and raw.rows > 1 and not null.any():
        message = f"context {name!r} is {levels[0].as_py()!r} in every row: it distinguishes nothing; leave it out"
        found.append(raw.problem("constant_context", name, "warning", np.ones(raw.rows, bool), message))
    if null.any():
        message = f"{plural(int(null.sum()))} without a value in context {name!r}{{where}}"
        found.append(raw.problem("null_context", name, "warning", null, message))
    if pa.types.is_string(column.type) and len(levels) > 1000 and 2 * len(levels) > raw.rows:
        message = f"context {name!r} has {len(levels):,} levels in {raw.rows:,} rows: is it an id or a free text?"
        found.append(raw.problem("context_levels", name, "warning", np.ones(raw.rows, bool), message))
    return found


def _missing(raw: RawTable, name: str, role: str, numbers: Numbers, severity: Severity, cure: str) -> list[Problem]:
    if not numbers.missing.any():
        return []
    message = f"{plural(int(numbers.missing.sum()))} without {role} in column {name!r}{{where}}: {cure}"
    return [raw.problem(f"null_{role}", name, severity, numbers.missing, message)]


def _odd(raw: RawTable, name: str, code: str, numbers: Numbers, odd: np.ndarray, rule: str, cure: str) -> list[Problem]:
    if not odd.any():
        return []
    shown = listing(numbers.shown(np.flatnonzero(odd)[:20]))
    tail = f"; {cure}" if cure else ""
    message = f"{_values(odd)} in column {name!r} out of range: {shown}{{where}}; {rule}{tail}"
    return [raw.problem(code, name, "error", odd, message)]


def _values(mask: np.ndarray) -> str:
    return plural(int(mask.sum()), "value")


def _are(mask: np.ndarray) -> str:
    return "is" if int(mask.sum()) == 1 else "are"
