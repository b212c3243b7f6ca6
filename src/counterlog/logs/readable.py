"""Text of users made safe for pages and pictures."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_CONTROLS = r"\x00-\x08\x0b-\x1f\x7f-\x9f"
_DIRECTIONS = r"\u200e\u200f\u202a-\u202e\u2066-\u2069"
_UNREADABLE = re.compile(rf"[{_CONTROLS}{_DIRECTIONS}\ud800-\udfff\ufffe\uffff]")


def readable(value: Any) -> Any:
    """``value`` with every character that can garble or break a page replaced in its texts, at any depth.

    Control characters (a NUL ends the process of the chart renderer), lone surrogates (they have no UTF-8) and marks
    that reverse the direction of writing become U+FFFD.
    """
    if isinstance(value, Mapping):
        return {readable(key): readable(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [readable(entry) for entry in value]
    return _UNREADABLE.sub("\N{REPLACEMENT CHARACTER}", value) if type(value) is str else value
