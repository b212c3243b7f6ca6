"""Speed of unit-level counterfactuals, as ratios to plain NumPy in the same run, and their peak memory.

    python -m bench.otherworld [--draws 50]

A million events of 6 thousand users and 4 thousand items, half of them exposed. "Logits given" is the floor's own case:
the score of each event stands in a column, a constant is added to it. "Rank 16" runs the benchmark model, whose
affinity both sides gather and multiply. The floor draws the other world's click; ours also gives its expectation,
probability, interval and bounds. Event-draws a CPU second, one thread, medians of alternating runs.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyro
import pyro.distributions as dist
import torch

import counterlog as cl
from bench.world import DIM, SIZES, bench_model, draw, log_of
from counterlog.logs import Features, InteractionLog, Roles, Vocabulary
from counterlog.query.evidence import events
from counterlog.query.unitwise import Question, answer

TARGET = 0.3


@cl.scm(exposure="exposure", outcome="click")
def logits_given(view):
    """push -> click, exposure."""
    pyro.sample("level", dist.Normal(0.0, 1.0))
    with view.opportunities() as o:
        push = pyro.sample("push", dist.Normal(0.0, 1.0))
        pyro.sample("exposure", dist.Bernoulli(0.5))
        pyro.sample("click", dist.Bernoulli(logits=o.context["score"] + push))


def scored_log(rows: int) -> InteractionLog:
    """Events with their score, half of them exposed, clicks of the exposed."""
    rng = np.random.default_rng(0)
    users, items, _ = SIZES["S"]
    score = rng.standard_normal(rows, dtype=np.float32)
    exposure = rng.random(rows) < 0.5
    click = (rng.random(rows) < 1 / (1 + np.exp(-score))) & exposure
    table = pa.table(
        {
            "user": np.sort(rng.integers(0, users, rows)),
            "item": rng.integers(0, items, rows),
            "exposure": exposure.astype(np.int8),
            "click": click.astype(np.int8),
            "score": score,
            "push": np.zeros(rows, np.float32),
        }
    )
    vocabularies = (Vocabulary(kind, pa.array(np.arange(n))) for kind, n in (("user", users), ("item", items)))
    roles = Roles(outcome="click", exposure="exposure", context=("score", "push"))
    return InteractionLog(table, roles, *vocabularies, Features.empty(users), Features.empty(items), name="bench")


def abducted(
    logit: np.ndarray, other: np.ndarray, shown: np.ndarray, click: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """The floor's kernel: the noise given the click, pushed through the other world."""
    p = 1 / (1 + np.exp(-logit))
    w = rng.random(len(p), dtype=np.float32)
    u = np.where(shown, np.where(click, w * p, p + w * (1 - p)), w)
    return u < 1 / (1 + np.exp(-other))


def floor_given(log: InteractionLog, by: np.float32) -> Callable[[], None]:
    score = log.table["score"].to_numpy()
    shown, click = (log.table[name].to_numpy().astype(bool) for name in ("exposure", "click"))
    rng = np.random.Generator(np.random.SFC64(0))

    def run() -> None:
        for start in range(0, len(score), 65_536):
            part = slice(start, start + 65_536)
            abducted(score[part], score[part] + by, shown[part], click[part], rng)

    return run


def floor_rank(fitted: cl.Fit, by: np.float32) -> Callable[[], None]:
    log = fitted.log
    user, item = log.user_codes, log.item_codes
    shown, click = (log.table[name].to_numpy().astype(bool) for name in ("exposure", "click"))
    tables = fitted.draw(0, 0).tables
    left, right = tables["users"].numpy(), tables["items"].numpy()
    lf, rf = np.ascontiguousarray(left[:, :DIM]), np.ascontiguousarray(right[:, :DIM])
    lb, rb = np.ascontiguousarray(left[:, DIM]), np.ascontiguousarray(right[:, DIM])
    rng = np.random.Generator(np.random.SFC64(0))

    def run() -> None:
        for start in range(0, len(user), 65_536):
            part = slice(start, start + 65_536)
            u, i = user[part], item[part]
            logit = np.einsum("ij,ij->i", lf.take(u, 0), rf.take(i, 0)) + lb.take(u) + rb.take(i)
            abducted(logit, logit + by, shown[part], click[part], rng)

    return run


def compare(what: str, fitted: cl.Fit, do: cl.query.Intervention, floor: Callable[[], None], draws: int) -> float:
    """One line: our event-draws a second, the floor's, the ratio."""
    found = events(fitted, fitted.log)
    rows = len(found)
    ours: list[float] = []
    theirs: list[float] = []
    floor()
    for _ in range(3):
        began = time.process_time()
        for _ in range(5):
            floor()
        theirs.append((time.process_time() - began) / 5)
        began = time.process_time()
        answer(Question(fitted, found, do, draws, 0), 0, rows)
        ours.append((time.process_time() - began) / draws)
    mine, reference = (rows / statistics.median(s) / 1e6 for s in (ours, theirs))
    print(f"{what:<58}{mine:>9.3g} M/s{reference:>8.3g} M/s{mine / reference:>8.2f}   >= {TARGET}", flush=True)
    return mine / reference


def peak(rows: int) -> float:
    """Peak memory in GiB of a process that answers so many events, after its log is there, above what it held then."""
    log = scored_log(rows)
    fitted = cl.fit(logits_given, log, steps=1)
    twin = cl.counterfactual(fitted, log, cl.shift(push=0.5), draws=10)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in twin.chunks():
        pass
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**20


def report(draws: int = 50) -> None:
    """All lines."""
    by = np.float32(0.5)
    log = scored_log(SIZES["S"][2])
    fitted = cl.fit(logits_given, log, steps=1)
    compare(
        f"counterfactual, logits given, {draws} draws / NumPy", fitted, cl.shift(push=0.5), floor_given(log, by), draws
    )
    users, items, rows = SIZES["S"]
    fitted = cl.fit(bench_model, log_of(draw(users, items, rows), users, items), steps=1)
    compare(
        f"counterfactual S, rank 16, {draws} draws / NumPy",
        fitted,
        cl.shift(quality=0.5),
        floor_rank(fitted, by),
        draws,
    )
    peaks = []
    for size in (1_000_000, 4_000_000):
        command = [sys.executable, "-m", "bench.otherworld", "--peak", str(size)]
        peaks.append(float(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1]))
    print(
        f"{'counterfactual: memory above log and fit, 4M events, 1M':<58}{peaks[1]:>9.2f} GiB{peaks[0]:>8.2f} GiB"
        f"{peaks[1] - peaks[0]:>+7.2f}   <= 0.1 GiB",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=50)
    parser.add_argument("--peak", type=int)
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.peak:
        print(peak(args.peak))
    else:
        report(args.draws)


if __name__ == "__main__":
    main()
