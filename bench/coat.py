"""Coat: self_selection fitted on the self-selected ratings with the defaults, scored on the random ones.

    python -m bench.coat PATH [--seeds 0,1,2] [--posterior mean-field|arrow|chains]

PATH is the user's own copy of Coat. The random ratings are opened after the fits, for the table alone.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np

import counterlog as cl
from bench.kuairand import auc
from counterlog.inference import cost, lean
from counterlog.inference.display import posterior


def ndcg(user: np.ndarray, score: np.ndarray, good: np.ndarray, k: int = 5) -> float:
    """Mean NDCG@k over users with a good item among their random ones."""
    gains = []
    discount = 1.0 / np.log2(np.arange(2, k + 2))
    for u in np.unique(user):
        mine = user == u
        if good[mine].any():
            hits = good[mine][np.argsort(-score[mine], kind="stable")][:k].astype(float)
            gains.append((hits * discount[: len(hits)]).sum() / discount[: min(k, int(good[mine].sum()))].sum())
    return float(np.mean(gains))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--posterior", default="mean-field", choices=["mean-field", "arrow", "chains"])
    parser.add_argument("--set", action="append", default=[], metavar="K=V")
    args = parser.parse_args()
    scm = cl.zoo.self_selection.with_parameters(**{k: int(v) for k, v in (s.split("=") for s in args.set)})
    log = cl.open_log(f"coat:{args.path}")
    fits = []
    for seed in (int(s) for s in args.seeds.split(",")):
        began = time.monotonic()
        fit = cl.fit(scm, log, rng=seed)
        if args.posterior != "mean-field":
            print(f"seed {seed}: fitted in {time.monotonic() - began:.0f} s", flush=True)
            fit = lean(fit)
        if args.posterior == "chains":
            print(f"seed {seed}: arrow after {time.monotonic() - began:.0f} s; {cost(fit)}", flush=True)
            fit = cl.polish(fit, rng=seed, progress=True)
            print(posterior(fit), flush=True)
        fits.append(fit)
        print(f"seed {seed}: {fits[-1]}; {time.monotonic() - began:.0f} s", flush=True)
    test = cl.open_log(f"coat:{args.path}#test")
    truth = test.outcome
    user = log.users.codes(test.table[test.roles.user])
    print("| seed | MSE | MAE | AUC | NDCG@5 | mean on test pairs | E[rating given do(exposure=1)] | 90% interval |")
    print("|---|---|---|---|---|---|---|---|")
    for fit in fits:
        p = cl.predict(fit, test.table)
        mean, good = p["mean"].to_numpy(), truth >= 3
        chance = sum(p[f"p_{k}"].to_numpy() for k in (3, 4, 5))
        e = cl.effect(fit, "rating", cl.fix(exposure=1))
        print(
            f"| {fit.seed} | {np.mean((mean - truth) ** 2):.3f} | {np.mean(np.abs(mean - truth)):.3f} | "
            f"{auc(chance, good):.4f} | "
            f"{ndcg(user, mean, good):.4f} | {mean.mean():.3f} | {e.estimate:.3f} | [{e.interval[0]:.3f}, "
            f"{e.interval[1]:.3f}] |",
            flush=True,
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"mean of the random ratings {truth.mean():.3f}, of the log {log.outcome.mean():.3f}; peak memory {peak:.2f} "
        "GiB"
    )


if __name__ == "__main__":
    main()
