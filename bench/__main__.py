"""The benchmark suite: every speed as a ratio to a reference that is timed in the same run.

    python -m bench [--sizes S,M] [--batch 65536]

S is 6 thousand users, 4 thousand items, 1 million opportunities; M 200 thousand, 20 thousand, 5 million; L 1 million,
100 thousand, 20 million (L needs 8 GiB and some minutes). CPU seconds, one thread, medians of steps, the reference
before and after. A target stands beside each ratio; nothing here fails a build.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch

import counterlog as cl
from bench import otherworld
from bench.reference import auto_normal, numpy_simulation, torch_blocks
from bench.world import SIZES, bench_model, draw, log_of

TORCH = {"S": 0.6, "M": 0.7, "L": 0.75}
AUTO = {"S": 3.0, "M": 12.0, "L": 70.0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="S,M")
    parser.add_argument("--batch", type=int, default=65_536)
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, one thread, batch {args.batch:,}\n")
    print(f"{'what':<58}{'ours':>12}{'reference':>12}{'ratio':>8}   target", flush=True)
    for size in args.sizes.split(","):
        speed(size, args.batch)
    held_out("S", args.batch)
    step_cost(args.batch)
    memory()
    otherworld.report()


def line(what: str, ours: float, reference: float, ratio: float, target: str, unit: str) -> None:
    """One figure."""
    print(f"{what:<58}{ours:>9.3g} {unit:<3}{reference:>8.3g} {unit:<3}{ratio:>8.2f}   {target}", flush=True)


def timed(step: Callable[[int], float], first: int, number: int) -> list[float]:
    """CPU seconds of each of some steps."""
    seconds = []
    for k in range(first, first + number):
        began = time.process_time()
        step(k)
        seconds.append(time.process_time() - began)
    return seconds


def fit_steps(log: cl.InteractionLog, batch: int, skip: int, number: int) -> tuple[list[float], cl.Fit]:
    """CPU seconds of each step after the first ``skip``, and the fit."""
    stamps: list[float] = []
    made = cl.fit(
        bench_model, log, steps=skip + number, batch=batch, progress=lambda *_: stamps.append(time.process_time())
    )
    return list(np.diff(stamps[skip - 1 :])), made


def speed(size: str, batch: int) -> None:
    """Fit and simulate at one size."""
    users, items, rows = SIZES[size]
    data = draw(users, items, rows)
    log = log_of(data, users, items)
    reference, blocks = torch_blocks(data, users, items, batch)
    number = max(20, min(60, blocks))
    timed(reference, 0, blocks)  # builds the blocks
    before = timed(reference, 0, number)
    seconds, fitted = fit_steps(log, batch, max(blocks + 2, 5), number)
    after = timed(reference, 0, number)
    ours, theirs = (rows / blocks / statistics.median(s) / 1e6 for s in (seconds, before + after))
    line(
        f"fit {size}: million opportunities a second / plain torch",
        ours,
        theirs,
        ours / theirs,
        f">= {TORCH[size]}",
        "M/s",
    )
    slow = auto_normal(data, users, items, batch)
    timed(slow, 0, 2)
    auto = batch / statistics.median(timed(slow, 2, 5 if size != "S" else 20)) / 1e6
    line(f"fit {size}: million opportunities a second / AutoNormal", ours, auto, ours / auto, f">= {AUTO[size]}", "M/s")
    simulation(size, fitted)


def simulation(size: str, fitted: cl.Fit, rows: int = 1_000_000) -> None:
    """A million rows under a uniform exposure policy, written to Parquet, and into a store."""
    draw_ = fitted.draw(0, 0)
    tables = tuple(draw_.tables[name].numpy() for name in ("users", "items"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)

        def floor() -> float:
            began = time.process_time()
            numpy_simulation(tables, rows, path / "floor.parquet")
            return time.process_time() - began

        def ours(store: bool) -> float:
            began = time.process_time()
            batch = cl.simulate(fitted, cl.replace(exposure=cl.policies.uniform()), rows=rows, rng=int(store))
            if store:
                batch.store(path / f"store-{time.monotonic_ns()}")
            else:
                with pq.ParquetWriter(
                    path / "ours.parquet", batch.schema, use_dictionary=["click", "source", "rung", "batch"]
                ) as writer:
                    for chunk in batch.chunks():
                        writer.write_batch(chunk)
            return time.process_time() - began

        floor(), ours(False)
        alternated = [(floor(), ours(False), ours(True)) for _ in range(3)]
    reference, plain, stored = (rows / statistics.median(column) / 1e6 for column in zip(*alternated, strict=True))
    line(
        f"simulate {size}: million rows a second, Parquet / NumPy", plain, reference, plain / reference, ">= 0.7", "M/s"
    )
    line(f"simulate {size}: the same into a store with hash and card", stored, reference, stored / reference, "", "M/s")


def held_out(size: str, batch: int) -> None:
    """Click NLL of held-out exposed opportunities after about ten CPU seconds of fitting, by 20 posterior draws."""
    users, items, rows = SIZES[size]
    data = draw(users, items, rows)
    out = np.random.default_rng(9).random(rows) < 0.05
    log = log_of({k: v[~out] for k, v in data.items()}, users, items)
    began = time.process_time()
    seconds, _ = fit_steps(log, batch, 20, 20)
    steps = int(10.0 / statistics.median(seconds) * 0.9)
    began = time.process_time()
    fitted = cl.fit(bench_model, log, steps=steps, batch=batch)
    spent = time.process_time() - began
    shown = out & (data["exposure"] > 0)
    import pandas as pd

    pairs = pd.DataFrame({"user": data["user"][shown], "item": data["item"][shown]})
    p = np.clip(cl.predict(fitted, pairs, draws=20)["mean"].to_numpy(), 1e-6, 1 - 1e-6)
    y = data["click"][shown]
    nll = float(-np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)))
    line(f"fit {size}: held-out click NLL after {spent:.1f} CPU s, {steps} steps", nll, 0.62, nll / 0.62, "<= 1", "")


def step_cost(batch: int) -> None:
    """Step cost at a million users against ten thousand, with the same items and batch."""
    cost = []
    for users in (10_000, 1_000_000):
        data = draw(users, 20_000, 4_000_000)
        blocks = round(4_000_000 / batch)
        seconds, _ = fit_steps(log_of(data, users, 20_000), batch, blocks + 2, 40)
        cost.append(statistics.median(seconds) * 1e3)
    line("step cost: a million users / ten thousand", cost[1], cost[0], cost[1] / cost[0], "<= 1.6", "ms")


def memory() -> None:
    """Peak memory of a fit of 5 million opportunities above one of 500 thousand, each in a process of its own."""
    peaks = []
    for rows in (500_000, 5_000_000):
        found = subprocess.run(
            [sys.executable, "-m", "bench.memory", str(rows)], capture_output=True, text=True, check=True
        )
        peaks.append(float(found.stdout.split()[-1]))
    print(
        f"{'memory: 5M opportunities above 500k (200k users x 20k items)':<58}{peaks[1]:>9.2f} GiB{peaks[0]:>8.2f} GiB"
        f"{peaks[1] - peaks[0]:>7.2f}   <= 1.5 GiB",
        flush=True,
    )


if __name__ == "__main__":
    main()
