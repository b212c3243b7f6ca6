"""A versioned store of batches: a Delta Lake table in which every commit is one immutable batch with its card."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from counterlog.errors import StoreError, unknown_name
from counterlog.synth import cards, deltalog, parquet, provenance
from counterlog.synth.blocks import DataHasher, blocks, stored_schema


def open_store(path: str | os.PathLike[str], create: bool = False) -> Store:
    """Open a store of batches.

    Parameters
    ----------
    path
        A folder on a local file system.
    create
        Let a missing or empty folder become a store. It is made by the first ``append``, which knows the columns; until
        then nothing is written.

    Raises
    ------
    StoreError
        There is no store, or something else is there.
    """
    folder = deltalog.usable(Path(path))
    if folder.exists() and not folder.is_dir():
        raise StoreError(f"{folder} is a file, not a store; give a folder")
    if _table(folder) is None and not create:
        if folder.exists():
            raise StoreError(f"{folder} is empty, not a store yet; `counterlog simulate ... --out {folder}` fills it")
        raise StoreError(f"there is no store at {folder}; `counterlog simulate ... --out {folder}` makes one")
    store = Store(folder)
    if folder.exists() and os.access(folder, os.W_OK):
        cards.write_missing(folder)
    return store


def _table(folder: Path) -> Any | None:
    """The table; None for a missing folder and one in which no batch was ever finished. What is not ours raises."""
    if not folder.exists():
        return None
    try:
        foreign = [] if deltalog.has_log(folder) else [name for name in os.listdir(folder) if not _left_behind(name)]
        ready = deltalog.has_log(folder)  # asked last: another process may have made the store meanwhile
    except OSError as error:
        raise deltalog.failure(f"cannot look into {folder}", error) from error
    if ready:
        return deltalog.open_table(folder)
    if foreign:
        raise StoreError(
            f"{folder} exists and is not a store (it holds {', '.join(sorted(foreign)[:3])}); give another folder"
        )
    return None


def _left_behind(name: str) -> bool:
    return name == "_delta_log" or name.endswith(deltalog.DATA_SUFFIX)


@dataclass(frozen=True)
class Store:
    """Batches in the order of their versions. Made by `open_store`; safe to use from many processes at once.

    Version 0 is the empty table; each batch is one version. The commits are the truth; ``_cards/BATCH.json`` and
    ``card.json`` (the newest) are copies of the cards in them, written again by `open_store` where they are missing.
    """

    path: Path

    def append(self, chunks: Iterable[pa.RecordBatch], schema: pa.Schema, card: Mapping[str, Any]) -> int:
        """Write one batch: all of it becomes visible in one commit, or nothing of it.

        Memory is bounded by one chunk and one block of rows. A batch that is there already is not written again if its
        data are the same.

        Parameters
        ----------
        chunks
            The rows, in chunks of any size. The same rows give the same bytes of data however they are cut.
        schema
            Of the chunks. There must be a text column ``batch`` that holds the card's ``batch`` in every row.
        card
            From `make_card`. If it has ``rows``, ``schema`` or ``data_hash`` already, the data must agree.

        Returns
        -------
        int
            The version.

        Raises
        ------
        StoreError
            The columns do not fit those of the store, the data do not fit the card, the name is taken by other data, or
            the disk refuses.
        InputError
            The card is not one.
        """
        provenance.validate_card(dict(card))
        batch = card["batch"]
        stored = stored_schema(schema)
        if "batch" not in stored.names or stored.field("batch").type != pa.string():
            raise StoreError(f"a batch needs a text column 'batch'; columns: {', '.join(stored.names)}")
        table = _table(self.path)
        if table is not None:
            stored = _in_order_of(deltalog.table_schema(table), stored, self.path)
        taken = deltalog.find(self.path, batch) if table is not None and deltalog.holds(table, batch) else None
        made = _make_folders(self.path) if table is None else []
        file = self.path / f"{batch}-{secrets.token_hex(6)}{deltalog.DATA_SUFFIX}"
        try:
            hasher = parquet.write_rows(None if taken else file, blocks(chunks, stored), stored, batch)
            whole = provenance.complete_card(card, rows=hasher.rows, data_hash=hasher.hexdigest(), schema=stored)
            if not taken:
                if table is None:
                    table = deltalog.create_table(self.path, stored)
                    _in_order_of(deltalog.table_schema(table), stored, self.path, reorder=False)
                text = provenance.card_text(whole)
                taken = deltalog.commit_file(self.path, table, file.name, batch, hasher.rows, text)
        except BaseException as error:
            _discard(self.path, file, made)
            if isinstance(error, OSError) and not isinstance(error, StoreError):
                raise deltalog.failure(f"cannot write batch {batch} to {self.path}", error) from error
            raise
        if taken.file != file.name:  # the name was taken, before or meanwhile
            _discard(self.path, file, [])
            there = provenance.read_card(taken.card, f"batch {batch} in {self.path}")
            if there["data_hash"] != whole["data_hash"]:
                raise StoreError(
                    f"batch {batch} is in {self.path} already (version {taken.version}) with other data; "
                    "a batch never changes, so give the new one another name or seed"
                )
        cards.write_missing(self.path, only=taken)
        return taken.version

    def history(self) -> list[dict[str, Any]]:
        """One entry a batch, oldest first: ``batch``, ``version``, ``rows``, ``created``, ``parents``, ``card``."""
        entries = []
        for commit in deltalog.commits(self.path):
            card = provenance.read_card(commit.card, f"batch {commit.batch} in {self.path}")
            entry = {"batch": commit.batch, "version": commit.version, "rows": commit.rows}
            entries.append(entry | {"created": card["created"], "parents": card["parents"], "card": card})
        return entries

    def card(self, batch: str) -> dict[str, Any]:
        """The card of a batch, from its commit."""
        commit = self._chosen(batch, None)[0]
        return provenance.read_card(commit.card, f"batch {batch} in {self.path}")

    def schema(self) -> pa.Schema:
        """The columns of every batch.

        Raises
        ------
        StoreError
            Nothing was ever written.
        """
        table = _table(self.path)
        if table is None:
            raise StoreError(f"{self.path} has no batch yet")
        return deltalog.table_schema(table)

    def scan(self, batch: str | None = None, version: int | None = None) -> Iterator[pa.RecordBatch]:
        """The rows in chunks, in the order in which they were written; memory is bounded by one chunk.

        Parameters
        ----------
        batch
            Only this batch; all by default.
        version
            The store as it was at this version; as it is now by default.

        Raises
        ------
        UnknownNameError
            No such batch, or no such version.
        StoreError
            A data file is missing or damaged.
        """
        return parquet.read_rows(self.path, self._chosen(batch, version), self.schema())

    def read(self, batch: str | None = None, version: int | None = None) -> pa.Table:
        """The rows of `scan` as one table."""
        return pa.Table.from_batches(list(self.scan(batch, version)), schema=self.schema())

    def count(self, batch: str | None = None, version: int | None = None) -> int:
        """How many rows `scan` will give, without reading them."""
        return sum(commit.rows for commit in self._chosen(batch, version))

    def verify(self) -> list[dict[str, Any]]:
        """Read every batch and compare its data with its card: ``batch``, ``version``, ``ok``, ``message``."""
        found = []
        for commit in deltalog.commits(self.path):
            message = ""
            try:
                card = provenance.read_card(commit.card, f"batch {commit.batch}")
                hasher = DataHasher(self.schema())
                for chunk in parquet.read_rows(self.path, [commit], self.schema()):
                    hasher.update(chunk)
                if hasher.hexdigest() != card["data_hash"]:
                    message = f"the data hash is {hasher.hexdigest()}, the card says {card['data_hash']}"
            except StoreError as error:
                message = str(error)
            found.append({"batch": commit.batch, "version": commit.version, "ok": not message, "message": message})
        return found

    def vacuum(self, hours: float = 168.0) -> list[str]:
        """Delete data files that belong to no batch (a writer was killed) and return their names.

        Files younger than ``hours`` are left alone: their writer may still be at work.
        """
        used = {commit.file for commit in deltalog.commits(self.path)}
        limit = time.time() - hours * 3600
        orphans = [p for p in self.path.glob(f"*{deltalog.DATA_SUFFIX}") if p.name not in used]
        old = [p for p in orphans if p.stat().st_mtime <= limit]
        for path in old:
            path.unlink(missing_ok=True)
        return sorted(path.name for path in old)

    def _chosen(self, batch: str | None, version: int | None) -> list[deltalog.Commit]:
        last = deltalog.last_version(self.path)
        if version is not None and not 0 <= version <= last:
            raise unknown_name("version", str(version), [str(v) for v in range(last + 1)])
        known = [c for c in deltalog.commits(self.path) if version is None or c.version <= version]
        if batch is None:
            return known
        chosen = [commit for commit in known if commit.batch == batch]
        if not chosen:
            cure = "" if version is None else f"This is the store at version {version}."
            raise unknown_name("batch", str(batch), [commit.batch for commit in known], cure)
        return chosen


def _in_order_of(table: pa.Schema, given: pa.Schema, where: Path, reorder: bool = True) -> pa.Schema:
    """``given`` in the order of the table's columns, if the two agree on names and types."""
    missing = [name for name in table.names if name not in given.names]
    extra = [name for name in given.names if name not in table.names]
    other = [
        f"{name!r} is {given.field(name).type} here and {table.field(name).type} there"
        for name in given.names
        if name in table.names and given.field(name).type != table.field(name).type
    ]
    parts = [f"missing: {', '.join(missing)}"] * bool(missing) + [f"not in the store: {', '.join(extra)}"] * bool(extra)
    if not reorder and not parts and not other and given.names != table.names:
        parts = [f"another order: {', '.join(table.names)}"]
    if parts or other:
        raise StoreError(
            f"the columns of the batch are not those of {where} ({'; '.join(parts + other)}); "
            "use another store, or the same columns"
        )
    return pa.schema([given.field(name) for name in table.names])


def _make_folders(folder: Path) -> list[Path]:
    """Make the folder and those above it; returns what was made, innermost first."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise deltalog.failure(f"cannot make {folder}", error) from error
    return missing


def _discard(folder: Path, file: Path, made: list[Path]) -> None:
    """Take back what a failed append wrote; what belongs to a commit or to anybody else stays."""
    if all(commit.file != file.name for commit in deltalog.commits(folder)):
        file.unlink(missing_ok=True)
    for path in made:
        try:
            path.rmdir()
        except OSError:  # not empty: another writer's, or already a store
            return
