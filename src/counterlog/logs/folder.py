"""A log on disk: Parquet and JSON, checked by hash, written whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from dataclasses import asdict
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from counterlog import __version__
from counterlog.errors import StoreError
from counterlog.logs.log import Features, InteractionLog
from counterlog.logs.roles import Roles
from counterlog.logs.vocabulary import Vocabulary

FORMAT = "counterlog log"
VERSION = 1
_MANIFEST = "log.json"


def is_saved(path: str | PathLike[str]) -> bool:
    """Whether a path is a folder that ``save_log`` wrote."""
    manifest = Path(path) / _MANIFEST
    try:
        return bool(json.loads(manifest.read_text("utf-8")).get("format") == FORMAT)
    except (OSError, ValueError, AttributeError):
        return False


def save_log(log: InteractionLog, path: str | PathLike[str], *, force: bool = False) -> Path:
    """Write a log as a folder of Parquet and JSON.

    Parameters
    ----------
    log
        The log.
    path
        The folder. An existing log is replaced only with ``force``; anything else that stands there is left alone.
    force
        Replace a log that is there.

    Raises
    ------
    StoreError
        If something stands there.
    OSError
        If the disk is full or the place not writable; what stood there before is as it was.
    """
    target = Path(path)
    _refuse(target, force)
    target.parent.mkdir(parents=True, exist_ok=True)
    # A sibling, so that the rename stays on one file system and either the old or the new log is there, whole.
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        _write(log, work)
        work.chmod(0o755)
        _put(work, target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return target


def load_log(path: str | PathLike[str]) -> InteractionLog:
    """Read a log that ``save_log`` wrote.

    Raises
    ------
    StoreError
        If it is none, is damaged, or was written by a newer version.
    """
    folder = Path(path)
    if not is_saved(folder):
        raise StoreError(f"{folder} is no saved log: it has no readable {_MANIFEST}; save_log writes one")
    manifest = json.loads((folder / _MANIFEST).read_text("utf-8"))
    if manifest.get("version", 0) > VERSION:
        raise StoreError(
            f"{folder} was written by a newer counterlog ({manifest.get('counterlog')}); this is {__version__}"
        )
    try:
        roles = Roles(**{**manifest["roles"], "context": tuple(manifest["roles"]["context"])})
        users, user_features = _read_side(folder, "user", manifest["user_features"])
        items, item_features = _read_side(folder, "item", manifest["item_features"])
        table = pq.read_table(folder / "events.parquet").replace_schema_metadata(None)
        log = InteractionLog(
            table,
            roles,
            users,
            items,
            user_features,
            item_features,
            manifest["name"],
            manifest["licence"],
            tuple(manifest["notes"]),
        )
    except (KeyError, TypeError, ValueError, OSError, pa.ArrowException) as error:
        raise StoreError(
            f"the saved log {folder} is damaged: {type(error).__name__}: {error}; save it again"
        ) from error
    if log.hash != manifest["hash"]:
        raise StoreError(
            f"the saved log {folder} is not what was written: its hash differs; save it again from the source"
        )
    return log


def _write(log: InteractionLog, folder: Path) -> None:
    pq.write_table(log.table, folder / "events.parquet", compression="zstd")
    for vocabulary, features in ((log.users, log.user_features), (log.items, log.item_features)):
        columns: dict[str, Any] = {"id": vocabulary.ids, "missing": features.missing}
        # Numbered, because a feature may be called id or missing; the names stand in the manifest.
        columns |= {f"f{i}": np.ascontiguousarray(features.values[:, i]) for i in range(len(features.names))}
        pq.write_table(pa.table(columns), folder / f"{vocabulary.kind}s.parquet", compression="zstd")
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "counterlog": __version__,
        "name": log.name,
        "licence": log.licence,
        "notes": list(log.notes),
        "rows": log.rows,
        "users": len(log.users),
        "items": len(log.items),
        "roles": asdict(log.roles),
        "user_features": list(log.user_features.names),
        "item_features": list(log.item_features.names),
        "hash": log.hash,
    }
    (folder / _MANIFEST).write_text(json.dumps(manifest, indent=2, ensure_ascii=False), "utf-8")


def _read_side(folder: Path, kind: str, names: list[str]) -> tuple[Vocabulary, Features]:
    table = pq.read_table(folder / f"{kind}s.parquet")
    ids = table["id"].combine_chunks()
    values = [np.asarray(table[f"f{i}"].to_numpy(), dtype=np.float32) for i in range(len(names))]
    block = np.stack(values, axis=1) if values else np.zeros((len(ids), 0), np.float32)
    return Vocabulary(kind, ids), Features(tuple(names), block, np.asarray(table["missing"].to_numpy(), dtype=bool))


def _refuse(target: Path, force: bool) -> None:
    if not os.path.lexists(target):
        return
    if is_saved(target):
        if not force:
            raise StoreError(f"{target} holds a saved log; choose another path, or force the replacement")
        return
    if not target.is_dir() or any(target.iterdir()):
        raise StoreError(
            f"{target} exists and is no saved log, so it is not replaced, not even by force; choose another path"
        )


def _put(work: Path, target: Path) -> None:
    """Swap the new folder in; the old one goes last."""
    if not target.exists():
        try:
            work.rename(target)
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                raise StoreError(
                    f"{target} was written by another process in the meantime; choose another path"
                ) from error
            raise
        return
    old = Path(tempfile.mkdtemp(prefix=f".{target.name}.old.", dir=target.parent))
    target.rename(old / "log")
    try:
        work.rename(target)
    except OSError:
        (old / "log").rename(target)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)
