"""Provenance cards: everything that a batch was made from, so that it can be checked and made again."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import pyarrow as pa

from counterlog.errors import InputError, StoreError
from counterlog.synth.blocks import DataHasher, data_hash

__all__ = [
    "DataHasher",
    "batch_id",
    "check_batch_name",
    "data_hash",
    "library_versions",
    "make_card",
    "validate_card",
]

#: The form of a card; a reader refuses what is newer than it knows.
CARD_FORMAT = 1
_PREFIX = {"simulate": "sim", "counterfactual": "cf", "augment": "aug"}
_LIBRARIES = ("torch", "pyro-ppl", "numpy", "pyarrow", "deltalake")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_HEX = re.compile(r"[0-9a-f]{64}")


def make_card(
    kind: str,
    *,
    seed: int,
    intervention: Any,
    arguments: Mapping[str, Any],
    model: Mapping[str, Any] | None = None,
    fit: Mapping[str, Any] | None = None,
    log: Mapping[str, Any] | None = None,
    identification: Any = None,
    audit: Any = None,
    parents: Sequence[str] = (),
    batch: str | None = None,
    created: dt.datetime | None = None,
) -> dict[str, Any]:
    """The card of a batch that is about to be written; a store adds ``rows``, ``schema`` and ``data_hash``.

    Parameters
    ----------
    kind
        The verb that makes the batch: ``simulate``, ``counterfactual``, ``augment``, ...
    seed
        Of the batch (not of the fit).
    intervention
        As JSON or an object with ``to_json()``; None for the world as it was.
    arguments
        The other arguments, or the whole recipe: enough to make the batch again.
    model
        ``name``, ``source_hash``, ``parameters``.
    fit
        ``hash``, ``seed``, ``steps``.
    log
        ``name``, ``hash``, ``licence`` of the real log.
    identification, audit
        The identification card and the audit's verdicts, as JSON or an object with ``to_json()``; NaN becomes null.
    parents
        Batches that this one was made from.
    batch
        Its name; by default `batch_id` of what was asked for.
    created
        Now, by default. It stands in the card only, never in the data.

    Returns
    -------
    dict
        JSON-able, accepted by `validate_card`.

    Raises
    ------
    InputError
        A field that has no JSON form, or is not what a card holds there.
    """
    moment = created or dt.datetime.now(dt.UTC)
    if moment.tzinfo is None:
        raise InputError(f"created must say its time zone; {moment.isoformat()} does not")
    card = {
        "format": CARD_FORMAT,
        "batch": batch or batch_id(kind, (fit or {}).get("hash"), intervention, arguments, seed),
        "kind": kind,
        "created": moment.astimezone(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "model": _json(model, "model"),
        "fit": _json(fit, "fit"),
        "log": _json(log, "log"),
        "intervention": _json(intervention, "intervention"),
        "arguments": _json(dict(arguments), "arguments"),
        "seed": _json(seed, "seed"),
        "versions": library_versions(),
        "identification": _json(identification, "identification", lenient=True),
        "audit": _json(audit, "audit", lenient=True),
        "parents": list(parents),
    }
    validate_card(card)
    return card


def batch_id(kind: str, fit_hash: str | None, intervention: Any, arguments: Mapping[str, Any], seed: int) -> str:
    """A name that depends on what was asked for and on nothing else, such as ``sim-0c5be1d47a90``."""
    asked = {
        "kind": kind,
        "fit": fit_hash,
        "intervention": _json(intervention, "intervention"),
        "arguments": _json(dict(arguments), "arguments"),
        "seed": _json(seed, "seed"),
    }
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True, separators=(",", ":"), allow_nan=False).encode())
    return f"{_PREFIX.get(kind, kind)}-{digest.hexdigest()[:12]}"


def library_versions() -> dict[str, str]:
    """Installed versions of what decides about a batch's bytes: counterlog, Python and the numerical libraries."""
    import platform

    from counterlog import __version__

    found = {"counterlog": __version__, "python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # a store can be read without torch
            continue
    return found


def check_batch_name(name: object) -> str:
    """``name`` if it can name a batch (and hence a file inside the store).

    Raises
    ------
    StoreError
        For anything but letters, digits, ``-``, ``_`` and ``.``, the first a letter or digit, 100 at most.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise StoreError(
            f"{name!r} cannot name a batch: use letters, digits, '-', '_' and '.', "
            "beginning with a letter or digit, at most 100"
        )
    return name


def _object_with(*keys: str) -> Callable[[Any], bool]:
    return lambda value: value is None or (isinstance(value, dict) and all(key in value for key in keys))


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _moment(value: Any) -> bool:
    try:
        return isinstance(value, str) and dt.datetime.fromisoformat(value).utcoffset() == dt.timedelta(0)
    except ValueError:
        return False


#: Field -> (what it must be, in words; the test).
_FIELDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "kind": ("the verb that made the batch", lambda v: isinstance(v, str) and bool(v)),
    "created": ("a moment in UTC such as 2026-01-31T12:00:00Z", _moment),
    "model": ("null or an object with name and source_hash", _object_with("name", "source_hash")),
    "fit": ("null or an object with hash", _object_with("hash")),
    "log": ("null or an object with name and hash", _object_with("name", "hash")),
    "intervention": ("JSON", lambda v: True),
    "arguments": ("an object", lambda v: isinstance(v, dict)),
    "seed": ("a whole number", _whole),
    "versions": (
        "an object of version texts",
        lambda v: isinstance(v, dict) and all(isinstance(x, str) for x in v.values()),
    ),
    "identification": ("null or an object", lambda v: v is None or isinstance(v, dict)),
    "parents": (
        "a list of batch names",
        lambda v: isinstance(v, list) and all(isinstance(x, str) and _NAME.fullmatch(x) for x in v),
    ),
}
_DATA_FIELDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "rows": ("a whole number of rows, 0 or more", lambda v: _whole(v) and v >= 0),
    "data_hash": (
        "64 hexadecimal digits (SHA-256 of the data)",
        lambda v: isinstance(v, str) and bool(_HEX.fullmatch(v)),
    ),
    "schema": (
        "a list of {name, type}",
        lambda v: isinstance(v, list) and all(isinstance(x, dict) and {"name", "type"} <= set(x) for x in v),
    ),
}


def validate_card(card: Any, *, complete: bool = False) -> None:
    """Refuse a card that is not one.

    Parameters
    ----------
    card
        What should be a card. Fields that this version does not know are allowed.
    complete
        Also ask for what only the data can tell: ``rows``, ``data_hash``, ``schema``. Where present they are
        always checked.

    Raises
    ------
    InputError
        Naming the field, what it holds and what it should hold.
    StoreError
        For a batch name that is none.
    """
    if not isinstance(card, dict):
        raise InputError(f"a card is a JSON object; this is a {type(card).__name__}")
    known: Any = card.get("format")
    if not _whole(known) or not 1 <= known <= CARD_FORMAT:
        raise InputError(
            f"field 'format' of the card is {known!r}; this counterlog reads cards up to format {CARD_FORMAT}"
        )
    wanted = ["batch", *_FIELDS, *(_DATA_FIELDS if complete else ())]
    missing = [name for name in wanted if name not in card]
    if missing:
        raise InputError(f"the card has no field {', '.join(map(repr, missing))}; make cards with make_card")
    check_batch_name(card["batch"])
    for name, (words, test) in (_FIELDS | _DATA_FIELDS).items():
        if name in card and not test(card[name]):
            raise InputError(f"field {name!r} of the card is {_short(card[name])}; expected {words}")
    _json(card, "card")


def card_text(card: Mapping[str, Any], indent: int | None = None) -> str:
    """The card as strict JSON: the same card, the same text."""
    return json.dumps(card, sort_keys=True, ensure_ascii=False, allow_nan=False, indent=indent)


def read_card(text: str, where: str) -> dict[str, Any]:
    """The card in ``text``, found at ``where``.

    Raises
    ------
    StoreError
        When it is not JSON, or not a complete card.
    """
    try:
        card = json.loads(text)
        validate_card(card, complete=True)
    except ValueError as error:  # JSONDecodeError and InputError are both
        raise StoreError(f"the card of {where} is damaged: {error}") from error
    return card


def _json(value: Any, where: str, *, lenient: bool = False) -> Any:
    """``value`` as plain JSON, or an error that says where inside it there is no such form."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if math.isfinite(value):
            return float(value)
        if lenient:
            return None
        raise InputError(f"{where} is {value}, which JSON cannot hold; give a finite number")
    if isinstance(value, Mapping):
        wrong = next((key for key in value if not isinstance(key, str)), None)
        if wrong is not None:
            raise InputError(f"{where} has the key {wrong!r}; the keys of a card are text")
        return {key: _json(entry, f"{where}.{key}", lenient=lenient) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_json(entry, f"{where}[{i}]", lenient=lenient) for i, entry in enumerate(value)]
    for method in ("to_json", "tolist"):
        if hasattr(value, method):
            return _json(getattr(value, method)(), where, lenient=lenient)
    raise InputError(f"{where} is a {type(value).__name__}, which has no JSON form: {_short(value)}")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def complete_card(card: Mapping[str, Any], *, rows: int, data_hash: str, schema: pa.Schema) -> dict[str, Any]:
    """The card with what its data turned out to be.

    Raises
    ------
    StoreError
        The card already says something else: these are not the data that it describes.
    """
    found = {
        "rows": rows,
        "data_hash": data_hash,
        "schema": [{"name": field.name, "type": str(field.type)} for field in schema],
    }
    for name, value in found.items():
        if name in card and card[name] != value:
            raise StoreError(
                f"batch {card['batch']}: the card says {name} {_short(card[name])}, the data give {_short(value)}; "
                "the libraries or the arguments are not those of the card, so nothing was stored"
            )
    whole = _json(dict(card) | found, "card")
    validate_card(whole, complete=True)
    return whole
