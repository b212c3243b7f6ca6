"""How often intervals cover: worlds drawn from a zoo model's prior, fitted, and asked for E[outcome | do(exposure=1)].

    python -m bench.coverage MODEL [--worlds 30] [--users 150] [--items 80] [--start 0]

Prints a line a world and then, for the whole and for single items, the coverage of the interval as it is offered and of
the unwidened posterior, with the factor on its spread that would have covered nine in ten. Worlds in which nobody was
exposed are drawn again.
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy.stats import binom

import counterlog as cl
from counterlog.errors import CounterlogError
from counterlog.model.known_world import known_world
from counterlog.query.intervals import widening


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--worlds", type=int, default=30)
    parser.add_argument("--users", type=int, default=150)
    parser.add_argument("--items", type=int, default=80)
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--start", type=int, default=0)
    args = parser.parse_args()
    scm = getattr(cl.zoo, args.model).with_parameters(dim=4)
    do = cl.fix(exposure=1)
    whole, items, naive_errors = [], [], []
    seed = args.start
    while len(whole) < args.worlds:
        seed += 1
        world = known_world(scm, args.users, args.items, seed, truth={})
        try:
            share = world.log.rows / len(world.view.rows) if world.log.exposure is None else world.log.exposure.mean()
            if not 0.005 < share:
                continue
            fit = cl.fit(scm, world.log, rng=seed, steps=args.steps)
            answer = cl.effect(fit, scm.outcome, do, by="item", draws=60, limit=20_000)
        except CounterlogError as error:
            print(f"world {seed}: {error}", flush=True)
            continue
        factors = widening(fit.treatment)
        truth = world.mean(scm.outcome, do)
        draws = np.asarray(answer.draws)
        each = world.run(do).mean(scm.outcome, world.levels).double().numpy()
        by_item = np.bincount(world.view.rows.item, weights=each) / np.bincount(world.view.rows.item)
        ids = {f"i{k}": value for k, value in enumerate(by_item)}
        whole.append(
            (
                (answer.estimate - truth) / draws.std(),
                answer.interval[0] <= truth <= answer.interval[1],
                answer.estimate - truth,
            )
        )
        naive_errors.append((answer.naive or np.nan) - truth)
        for group in answer.groups:
            low, high = group["interval"]
            items.append(
                (
                    (group["estimate"] - ids[group["group"]]) / ((high - low) / 2 / 1.645 / factors.group),
                    low <= ids[group["group"]] <= high,
                )
            )
        print(
            f"world {seed}: exposed {share:.3f}, truth {truth:.3f}, estimate {answer.estimate:.3f}, naive "
            f"{answer.naive:.3f}, "
            f"sd {draws.std():.4f}, z {whole[-1][0]:+.1f}, covered {whole[-1][1]}",
            flush=True,
        )
    for name, found, factor in (("the whole", whole, factors.whole), ("single items", items, factors.group)):
        z, covered = np.abs([f[0] for f in found]), np.asarray([f[1] for f in found])
        n = len(found)
        low, high = (binom.ppf(q, n, covered.mean()) / n for q in (0.05, 0.95))
        print(
            f"{args.model}, {name}: covered {covered.mean():.2f} [{low:.2f}, {high:.2f}] of {n} with factor "
            f"{factor:g}; unwidened "
            f"{(z < 1.645).mean():.2f}; factor for nine in ten {np.quantile(z, 0.9) / 1.645:.2f}"
        )
    rmse = float(np.sqrt(np.mean([f[2] ** 2 for f in whole])))
    print(f"{args.model}: rmse {rmse:.3f}, of the naive answer {np.sqrt(np.nanmean(np.square(naive_errors))):.3f}")


if __name__ == "__main__":
    main()
