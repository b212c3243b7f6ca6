"""Numbers out of columns of any type, element by element: what is missing, what is no number, what is not finite."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

#: Texts that mean "no value" where a number is wanted; an id may well be called so.
MISSING = ("", "NA", "N/A", "n/a", "<NA>", "null", "NULL", "None")
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_NOT_FINITE = r"(?i)^[+-]?(inf|infinity|nan)$"
_TRUTH = ("true", "false")
#: As a number is written; ``0031`` is a label, and so is what is too long for a number that is exact.
_PLAIN = r"^-?(0|[1-9]\d{0,14})(\.\d{1,15})?$"
_WHOLE = r"^-?(0|[1-9]\d{0,14})$"


@dataclass(frozen=True)
class Numbers:
    """A column read as numbers.

    ``values`` float64 ``[rows]``, NaN where missing, not a number or NaN. ``missing`` and ``bad`` (not a number) are
    masks.
    """

    values: np.ndarray
    missing: np.ndarray
    bad: np.ndarray
    column: pa.ChunkedArray

    @property
    def given(self) -> np.ndarray:
        """Mask of the entries that hold a number, finite or not."""
        return ~(self.missing | self.bad)

    @property
    def infinite(self) -> np.ndarray:
        """Mask of the entries given as NaN or infinite."""
        return self.given & ~np.isfinite(self.values)

    @property
    def finite(self) -> np.ndarray:
        """Mask of the entries that hold a finite number."""
        return np.isfinite(self.values)

    def shown(self, indices: np.ndarray) -> list[object]:
        """The values as they stand in the source."""
        return [self.column[int(i)].as_py() for i in indices]


def parse_numbers(column: pa.ChunkedArray, truth: bool = False) -> Numbers | None:
    """Read a column as numbers; None if its type holds no numbers at all (dates, lists ...).

    Parameters
    ----------
    column
        Numbers, booleans or text.
    truth
        Whether the texts ``true`` and ``false`` mean 1 and 0.
    """
    kind = column.type
    if pa.types.is_string(kind):
        return _from_text(column, truth)
    if pa.types.is_null(kind):
        empty = np.full(len(column), np.nan)
        return Numbers(empty, np.ones(len(column), bool), np.zeros(len(column), bool), column)
    if not (
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_decimal(kind)
    ):
        return None
    # unsafe: an integer beyond 2^53 may round; ids never come here
    values = to_numpy(column.cast(pa.float64(), safe=False))
    missing = to_numpy(column.is_null())
    return Numbers(values, missing, np.zeros(len(values), bool), column)


def numbers_if_all(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column of text as numbers if all its values are written as such, else as it is.

    For sources without types, such as CSV: ``9`` and ``10`` are then in the order of numbers. Missing ones are null.
    """
    if not pa.types.is_string(column.type):
        return column
    text = pc.utf8_trim_whitespace(column)
    missing = pc.or_kleene(pc.is_null(text), pc.is_in(text, value_set=pa.array(MISSING)))
    given = text.filter(pc.invert(missing))
    if not len(given) or not pc.all(pc.match_substring_regex(given, _PLAIN)).as_py():
        return column
    whole = pc.all(pc.match_substring_regex(given, _WHOLE)).as_py()
    known = pc.if_else(missing, pa.scalar(None, pa.string()), text)
    return known.cast(pa.int64() if whole else pa.float64())


def to_numpy(column: pa.ChunkedArray | pa.Array) -> np.ndarray:
    """A NumPy array of a column of numbers or booleans; nulls become NaN."""
    return np.asarray(column.to_numpy(zero_copy_only=False) if isinstance(column, pa.Array) else column.to_numpy())


def _from_text(column: pa.ChunkedArray, truth: bool) -> Numbers:
    text = pc.utf8_trim_whitespace(column)
    missing = to_numpy(pc.or_kleene(pc.is_null(text), pc.is_in(text, value_set=pa.array(MISSING))).fill_null(True))
    try:
        values = to_numpy(pc.if_else(pa.array(missing), pa.scalar(None, pa.string()), text).cast(pa.float64()))
        return Numbers(values, missing, np.zeros(len(values), bool), column)
    except pa.ArrowInvalid:
        pass  # some entry is no number: look at each
    number = to_numpy(pc.match_substring_regex(text, _NUMBER).fill_null(False))
    special = to_numpy(pc.match_substring_regex(text, _NOT_FINITE).fill_null(False))
    usable = (number | special) & ~missing
    values = to_numpy(pc.if_else(pa.array(usable), text, pa.scalar(None, pa.string())).cast(pa.float64()))
    if truth:
        lower = pc.utf8_lower(text)
        named = [to_numpy(pc.equal(lower, word).fill_null(False)) for word in _TRUTH]
        values = np.where(named[0], 1.0, np.where(named[1], 0.0, values))
        usable |= named[0] | named[1]
    return Numbers(values, missing, ~usable & ~missing, column)
