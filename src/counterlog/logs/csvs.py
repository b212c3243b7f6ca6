"""CSV files: every field as text, the separator found, the encoding never guessed."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv

from counterlog.errors import InputError
from counterlog.logs.raw import RawTable, duplicates

#: Tried in this order when a wanted column is not in the header as split by the first.
SEPARATORS = (",", "\t", ";", "|", " ")
_BLOCK = 1 << 24
_HEAD = 1 << 16


def read_csv(
    path: Path,
    wanted: Sequence[str] | None,
    *,
    key: str | None = None,
    separator: str | None = None,
    header: Sequence[str] | None = None,
) -> RawTable:
    """Read the wanted columns of a CSV file (``.gz``, ``.bz2`` and ``.zst`` too), each as text.

    Parameters
    ----------
    path
        The file: UTF-8, with or without a byte-order mark, fields quoted by ``"`` where needed.
    wanted
        Columns to take where they exist; all of them for None.
    key
        A column to look for where all are wanted.
    separator
        One character; found by trying comma, tab, semicolon, bar and space when left out.
    header
        Names of the columns of a file without a header line.

    Raises
    ------
    InputError
        If the file is empty, not UTF-8, or cannot be split into fields.
    """
    head = _head(path)
    if not head.strip():
        raise InputError(f"{path} is empty ({path.stat().st_size} bytes); a log needs a header and at least one row")
    names, used = (
        split_header(head, wanted or ((key,) if key else ()), separator, path)
        if header is None
        else (list(header), separator or ",")
    )
    twice = [name for name in duplicates(names) if wanted is None or name in wanted]
    if twice:
        raise InputError(
            f"{path}: the header names {twice[0]!r} more than once: {', '.join(names)}; rename one of them"
        )
    chosen = [i for i, name in enumerate(names) if wanted is None or name in wanted]
    return _read(path, names, chosen, used, skip=header is None)


def split_header(head: str, wanted: Sequence[str], separator: str | None, path: Path) -> tuple[list[str], str]:
    """The names in the first record, and the separator that splits it.

    A separator other than the comma is taken only if it yields every wanted column and the comma does not.
    """
    tried = [separator] if separator else list(SEPARATORS)
    splits: dict[str, list[str]] = {}
    for candidate in tried:
        try:
            records = csv.reader(io.StringIO(head, newline=""), delimiter=candidate, strict=False)
            splits[candidate] = next(record for record in records if record)
        except (StopIteration, csv.Error) as error:
            raise InputError(f"{path}: the first line is no header ({error or 'nothing in it'})") from error
    for candidate, names in splits.items():
        if names and set(wanted) <= set(names) and (wanted or len(names) > 1):
            return names, candidate
    # Nothing fits: the split with most of the wanted columns makes the best message; the comma among equals.
    best = max(splits, key=lambda s: len(set(wanted) & set(splits[s])))
    return splits[best], best


def _read(path: Path, names: list[str], chosen: list[int], separator: str, skip: bool) -> RawTable:
    skipped: list[tuple[int, str]] = []

    def note(row: pacsv.InvalidRow) -> str:
        number = row.number - 1 if skip else row.number
        skipped.append((number, row.text[:80] if len(skipped) < 3 else ""))
        return "skip"

    # Own names f0, f1, ... so that any header can be read, doubles included; one thread, so that rows have numbers.
    fields = [f"f{i}" for i in chosen]
    kinds = {f"f{i}": pa.string() for i in range(len(names))}
    with _opened(path) as stream:
        table = pacsv.read_csv(
            stream,
            read_options=pacsv.ReadOptions(
                **_naming(names, skip), skip_rows_after_names=int(skip), use_threads=False, block_size=_BLOCK
            ),
            parse_options=pacsv.ParseOptions(delimiter=separator, newlines_in_values=True, invalid_row_handler=note),
            convert_options=pacsv.ConvertOptions(
                column_types=kinds,
                include_columns=fields,
                strings_can_be_null=True,
                null_values=[""],
                quoted_strings_can_be_null=True,
            ),
        )
    table = table.rename_columns([names[i] for i in chosen]) if chosen else table.select([])
    return RawTable(str(path), table, tuple(names), True, separator, tuple(skipped), len(skipped))


def _naming(names: list[str], skip: bool) -> dict[str, object]:
    return {"autogenerate_column_names": True} if skip else {"column_names": [f"f{i}" for i in range(len(names))]}


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The decompressed bytes; what Arrow cannot read becomes one clear error."""
    try:
        with pa.input_stream(path, compression=_compression(path)) as stream:
            yield stream
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise InputError(
            f"{path} cannot be decompressed or split into fields: {' '.join(str(error).split())}"
        ) from error


def _compression(path: Path) -> str | None:
    return {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}.get(path.suffix.lower())


def _head(path: Path) -> str:
    """The beginning of the file as text, at least one whole line of it."""
    with _opened(path) as stream:
        raw = stream.read(_HEAD)
        while b"\n" not in raw and b"\r" not in raw and (more := stream.read(_HEAD)):
            raw += more
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(f"{path} is UTF-16, not UTF-8; convert it, for example with: iconv -f UTF-16 -t UTF-8")
    if raw.startswith(b"PK\x03\x04"):
        raise InputError(f"{path} is a zip archive (a spreadsheet?), not CSV; save it as CSV in UTF-8")
    _refuse_other_encodings(path)
    # The cut may go through a character of a later line.
    return raw.removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="ignore")


def _refuse_other_encodings(path: Path) -> None:
    """Read the file once as UTF-8; where it stops being that, say in which line and how to mend it."""
    decode = codecs.getincrementaldecoder("utf-8")().decode
    lines, tail = 1, b""
    with _opened(path) as stream:
        while True:
            block = stream.read(_BLOCK)
            try:
                decode(block, final=not block)
            except UnicodeDecodeError as error:
                before = error.object[: error.start]
                number = lines + before.count(b"\n")
                start = before.rfind(b"\n") + 1
                line = (tail if start == 0 else b"") + error.object[start : start + 200].split(b"\n")[0]
                shown = line.decode("latin-1").strip()[:60]
                raise InputError(
                    f"{path} is not UTF-8: byte 0x{error.object[error.start]:02x} in line {number} "
                    f"({shown!r} if it is Latin-1). No encoding is guessed; convert it, for example with: "
                    "iconv -f LATIN1 -t UTF-8"
                ) from error
            if b"\0" in block:
                raise InputError(f"{path} holds null bytes: it is binary or UTF-16, not a CSV file in UTF-8")
            if not block:
                return
            lines += block.count(b"\n")
            tail = block[block.rfind(b"\n") + 1 :][-200:]
