"""The Delta Lake side of a store: make the table, commit a file with its card, read the commits back.

The commits are read from their JSON files, as the Delta protocol defines them, because ``DeltaTable.history`` finds
none where the path contains ``#`` or ``?``.
"""

from __future__ import annotations

import json
import os
import random
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from counterlog.errors import StoreError

NAME = "counterlog"
FORMAT_KEY = "counterlog.format"
FORMAT = "1"
#: Data files are recognised by their end, so that those of a killed writer can be told from anybody else's.
DATA_SUFFIX = ".counterlog.parquet"
_COMMIT = re.compile(r"(\d{20})\.json")
_DECODED = re.compile(r"%[0-9a-fA-F]{2}")
#: Tries of a commit in conflict with other writers; with the waits between them this is about a minute.
_TRIES = 100
#: Every so many versions the log is summed up in a checkpoint, so that opening stays quick.
_CHECKPOINT = 50


@dataclass(frozen=True)
class Commit:
    """One commit that added a batch: which file, and the text of its card."""

    version: int
    batch: str
    file: str
    rows: int
    card: str


def usable(folder: Path) -> Path:
    """The absolute form of a store's path.

    Raises
    ------
    StoreError
        The path contains what looks like a percent-encoded character: the Delta library would decode it and write
        elsewhere.
    """
    absolute = Path(os.path.abspath(folder))
    found = _DECODED.search(str(absolute))
    if found:
        raise StoreError(
            f"a store cannot stand under a path with {found.group()!r} in it ({absolute}); rename the folder"
        )
    return absolute


def has_log(folder: Path) -> bool:
    """Whether a Delta table stands in ``folder``."""
    log = folder / "_delta_log"
    return log.is_dir() and any(_COMMIT.fullmatch(name) or name.endswith(".parquet") for name in os.listdir(log))


def open_table(folder: Path) -> Any:
    """The ``DeltaTable`` of a store.

    Raises
    ------
    StoreError
        It cannot be read, or was not made by counterlog, or by a newer one.
    """
    from deltalake import DeltaTable

    try:
        table = DeltaTable(str(folder))
        metadata = table.metadata()
    except Exception as error:  # the library raises its own types, OSError and others for a damaged log
        raise failure(f"{folder} is a Delta table that cannot be read", error) from error
    known = metadata.configuration.get(FORMAT_KEY)
    if metadata.name != NAME or known is None:
        raise StoreError(f"{folder} is a Delta table, but not a counterlog store; give another folder")
    if known != FORMAT:
        raise StoreError(f"{folder} is a store of format {known}; this counterlog reads {FORMAT}. Install a newer one")
    return table


def create_table(folder: Path, schema: pa.Schema) -> Any:
    """Make an empty table (version 0) and open it; that another process was quicker is no error."""
    from deltalake import CommitProperties, DeltaTable

    settings = {
        FORMAT_KEY: FORMAT,
        "delta.appendOnly": "true",  # a batch is immutable, for other tools too
        "delta.enableExpiredLogCleanup": "false",  # cards live in the commits: none may expire
        "delta.logRetentionDuration": "interval 36500 days",
    }
    try:
        DeltaTable.create(
            str(folder),
            schema,
            mode="error",
            name=NAME,
            description="Synthetic batches with their provenance cards, one commit each.",
            configuration=settings,
            raise_if_key_not_exists=False,
            # With retries the slower of two creators would put its columns on top of the quicker one's, as version 1.
            commit_properties=CommitProperties(max_commit_retries=0),
        )
    except Exception as error:
        if not has_log(folder):
            raise failure(f"cannot make a store in {folder}", error) from error
    return open_table(folder)


def table_schema(table: Any) -> pa.Schema:
    """The columns of a table as Arrow types."""
    return pa.schema(table.schema().to_arrow())


def commits(folder: Path, newest_first: bool = False) -> Iterator[Commit]:
    """Every commit that added a batch, by version."""
    log = folder / "_delta_log"
    try:
        names = sorted(filter(_COMMIT.fullmatch, os.listdir(log)), reverse=newest_first)
    except FileNotFoundError:
        return
    for name in names:
        found = _read_commit(log / name)
        if found is not None:
            yield found


def last_version(folder: Path) -> int:
    """The newest version of the table; -1 where there is none."""
    log = folder / "_delta_log"
    names = os.listdir(log) if log.is_dir() else []
    return max((int(name[:20]) for name in names if _COMMIT.fullmatch(name)), default=-1)


def _read_commit(path: Path) -> Commit | None:
    info: dict[str, Any] = {}
    file = None
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            action = json.loads(line)
            info = action.get("commitInfo", info)
            file = action.get("add", {}).get("path", file)
    except (OSError, ValueError) as error:
        raise failure(f"the commit {path} cannot be read", error) from error
    if file is None or "counterlogBatch" not in info:
        return None  # the creation, or the upkeep of another tool
    return Commit(int(path.stem), info["counterlogBatch"], file, int(info["counterlogRows"]), info["userMetadata"])


def holds(table: Any, batch: str) -> bool:
    """Whether the batch was committed, as far as this opened table knows."""
    return table.transaction_version(batch) is not None


def commit_file(folder: Path, table: Any, file: str, batch: str, rows: int, card: str) -> Commit:
    """Make a data file visible with its card in one atomic commit, and wait until the commit is on the disk.

    ``table`` is the folder's table as it was opened, however long ago. A batch has one commit at most: if another
    writer committed the same name first, its commit is returned and ``file`` stays invisible.

    Raises
    ------
    StoreError
        After about a minute of conflicts with other writers, or at once where the log cannot be written.
    """
    from deltalake import CommitProperties, PostCommitHookProperties, Transaction
    from deltalake.transaction import AddAction

    path = folder / file
    stat = path.stat()
    action = AddAction(file, stat.st_size, {}, int(stat.st_mtime * 1000), True, json.dumps({"numRecords": rows}))
    properties = CommitProperties(
        custom_metadata={"userMetadata": card, "counterlogBatch": batch, "counterlogRows": rows},
        max_commit_retries=20,
        app_transactions=[Transaction(batch, 1)],  # Delta refuses a concurrent commit of the same batch
    )
    # A checkpoint that fails after the commit would look like a failed commit: made apart, below.
    hooks = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)
    for attempt in range(_TRIES):
        if holds(table, batch):
            break
        try:
            table.create_write_transaction(
                [action],
                mode="append",
                schema=table.schema(),
                partition_by=[],
                commit_properties=properties,
                post_commithook_properties=hooks,
            )
            break
        except Exception as error:
            if find(folder, batch) is not None:  # committed all the same, by us or by another writer
                break
            if not _is_conflict(error) or attempt == _TRIES - 1:
                raise failure(f"cannot commit batch {batch} to {folder}", error) from error
            time.sleep(random.SystemRandom().uniform(0, min(1.0, 0.01 * 2**attempt)))
            table = open_table(folder)
    done = find(folder, batch)
    if done is None:
        raise StoreError(f"batch {batch} was committed to {folder} but its commit is gone; the log was changed by hand")
    sync(folder / "_delta_log" / f"{done.version:020d}.json")
    sync(folder / "_delta_log")
    if done.version % _CHECKPOINT == 0 and done.file == file:
        _checkpoint(folder)
    return done


def find(folder: Path, batch: str) -> Commit | None:
    """The commit of a batch, or None."""
    return next((commit for commit in commits(folder, newest_first=True) if commit.batch == batch), None)


def _is_conflict(error: Exception) -> bool:
    from deltalake.exceptions import CommitFailedError

    return isinstance(error, CommitFailedError) or "already exists" in str(error)


def _checkpoint(folder: Path) -> None:
    import logging

    try:
        open_table(folder).create_checkpoint()
    except Exception as error:  # the batch is safe; a checkpoint only saves time, and the next one is as good
        logging.getLogger(__name__).warning("no checkpoint of %s: %s", folder, error)


def sync(path: Path) -> None:
    """Wait until a file or folder is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def failure(what: str, error: BaseException) -> StoreError:
    """One message for the many ways in which a file system says no."""
    text = " ".join(str(error).split())
    if "No space left on device" in text or "os error 28" in text:
        cure = "no space left on the disk; free some, or choose another folder"
    elif "File too large" in text or "os error 27" in text:
        cure = "the file would be larger than this process may write (ulimit -f)"
    elif "Permission denied" in text or "os error 13" in text:
        cure = "permission denied; choose a folder that you may write to"
    elif "Read-only file system" in text or "os error 30" in text:
        cure = "the file system is read-only; choose another folder"
    else:
        cure = text or type(error).__name__
    return StoreError(f"{what}: {cure}")
