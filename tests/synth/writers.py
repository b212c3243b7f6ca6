"""Writers for the store's tests: processes that append at once, or are killed while they do. Run as a script.

The children are forked before the parent has used the Delta library, so they cost milliseconds instead of imports.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Iterator

import deltalake  # noqa: F401 - before the children are forked, so that none waits for the import
import numpy as np
import pyarrow as pa

from counterlog.synth.provenance import make_card
from counterlog.synth.store import open_store


def rows_of(batch: str, seed: int, rows: int = 1000, chunk: int = 300) -> Iterator[pa.RecordBatch]:
    """A small synthetic log, the same for the same arguments however it is cut."""
    rng = np.random.default_rng(seed)
    table = pa.table(
        {
            "user": pa.array([f"u{k}" for k in rng.integers(0, 50, rows)]),
            "item": rng.integers(0, 20, rows),
            "rating": rng.integers(1, 6, rows).astype(np.int8),
            "propensity": rng.random(rows),
            "source": pa.array(["synthetic"] * rows),
            "rung": pa.array(["L2"] * rows),
            "batch": pa.array([batch] * rows),
        }
    )
    yield from table.to_batches(max_chunksize=chunk)


SCHEMA = next(rows_of("x", 0, 1)).schema


def card_of(seed: int, **arguments: object) -> dict:
    return make_card("simulate", seed=seed, intervention={"fix": {"exposure": 1}}, arguments=arguments)


def append(path: str, seed: int, rows: int = 1000) -> tuple[str, int]:
    card = card_of(seed)
    batch = card["batch"]
    return batch, open_store(path, create=True).append(rows_of(batch, seed, rows), SCHEMA, card)


def _child(path: str, seeds: range, pipe: int, rows: int) -> None:
    for seed in seeds:
        batch, version = append(path, seed, rows)
        os.write(pipe, f"{batch} {version}\n".encode())


def _fork(path: str, seeds: range, rows: int) -> tuple[int, int]:
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.close(read)
            _child(path, seeds, write, rows)
            status = 0
        finally:
            os._exit(status)
    os.close(write)
    return pid, read


def _acknowledged(read: int) -> list[tuple[str, int]]:
    with os.fdopen(read) as lines:
        return [(batch, int(version)) for batch, version in (line.split() for line in lines)]


def together(path: str, processes: int, appends: int) -> dict:
    """Let processes append at once."""
    children = [_fork(path, range(k * appends, (k + 1) * appends), 50) for k in range(processes)]
    done = [_acknowledged(read) for _, read in children]
    statuses = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid, _ in children]
    return {"acknowledged": [entry for entries in done for entry in entries], "statuses": statuses}


def killed(path: str, kills: int, fresh: bool) -> dict:
    """Kill a writer at a random moment, again and again: in one store, or in a new store each time.

    The moments are spread over what a child needs for its first appends on this machine.
    """
    rng = random.Random(0)
    start = time.perf_counter()
    pid, read = _fork(f"{path}-unhurt", range(1), 2000)
    os.waitpid(pid, 0)
    _acknowledged(read)
    usual = time.perf_counter() - start
    done, stores = [], []
    for number in range(kills):
        here = f"{path}-{number}" if fresh else path
        pid, read = _fork(here, range(number * 1000, number * 1000 + 1000), 2000)
        time.sleep(rng.uniform(0, 1.3 * usual if fresh else 2.5 * usual))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        found = _acknowledged(read)
        done += found
        stores.append([here, found])
    return {"acknowledged": done, "stores": stores}


if __name__ == "__main__":
    mode, path, *numbers = sys.argv[1:]
    first, second = map(int, numbers)
    print(json.dumps(together(path, first, second) if mode == "together" else killed(path, first, bool(second))))
