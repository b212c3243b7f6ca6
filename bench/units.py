"""How often intervals of unit-level answers cover: worlds from a zoo model's prior whose noise is kept, fitted, and
asked for each event in another world.

    python -m bench.units MODEL [--worlds 25] [--users 150] [--items 80] [--start 0]

For every event of the log: does the 90% interval of its expected counterfactual outcome hold what it would be if all
latents were known? And is the predicted mean right about what did happen in the other world, by decile of the
prediction? Events whose answer is certain (nothing that was done reaches them) are counted apart. Brackets are 90%
intervals over worlds (bootstrap of worlds) and binomial for the share of worlds that are covered on average.
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy.stats import binom

import counterlog as cl
from counterlog.errors import CounterlogError
from counterlog.model.known_world import known_world
from counterlog.model.twins import twins
from counterlog.query.evidence import events
from counterlog.query.unitwise import Question, answer
from counterlog.testing import at_truth

#: What is done in each model's worlds.
DO = {
    "popularity_exposure": cl.shift(popularity=-1.5),
    "position_examination": cl.fix(position=1),
    "latent_exposure": cl.shift(popularity=-1.5),
    "self_selection": cl.shift(quality=1.0),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", choices=list(DO))
    parser.add_argument("--worlds", type=int, default=25)
    parser.add_argument("--users", type=int, default=150)
    parser.add_argument("--items", type=int, default=80)
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--draws", type=int, default=50)
    parser.add_argument("--start", type=int, default=0)
    args = parser.parse_args()
    scm, do = getattr(cl.zoo, args.model).with_parameters(dim=4), DO[args.model]
    shares, means, pairs = [], [], []
    seed = args.start
    while len(shares) < args.worlds:
        seed += 1
        try:
            pair = twins(known_world(scm, args.users, args.items, seed, truth={}), do, rng=seed)
            log = pair.before.log
            exposed = log.rows / len(pair.before.view.rows) if log.exposure is None else log.exposure.mean()
            if not 0.005 < exposed:
                continue
            fit = cl.fit(scm, log, rng=seed, steps=args.steps)
            known = events(fit, log)
            units = answer(Question(fit, known, do, args.draws, seed), 0, len(known))
            exact = answer(Question(at_truth(fit, pair.before), known, do, 10, seed), 0, len(known))
        except CounterlogError as error:
            print(f"world {seed}: {error}", flush=True)
            continue
        happened = _happened(pair, log)
        open_ = (units.high > units.low) | (np.abs(exact.mean - units.mean) > 1e-6)
        if open_.sum() < 20:
            continue
        tolerance = 1e-6 * np.abs(exact.mean)
        held = (units.low - tolerance <= exact.mean) & (exact.mean <= units.high + tolerance)
        shares.append(held[open_].mean())
        means.append((units.mean[open_].mean(), exact.mean[open_].mean(), happened[open_].mean()))
        pairs.append(np.stack([units.mean[open_], happened[open_]]))
        print(
            f"world {seed}: {len(known):,} events, {1 - open_.mean():.2f} certain; covered {shares[-1]:.3f} of the "
            f"rest; mean predicted {means[-1][0]:.4f}, at the true latents {means[-1][1]:.4f}, happened "
            f"{means[-1][2]:.4f}",
            flush=True,
        )
    share = np.asarray(shares)
    again = np.random.default_rng(0).choice(share, (2000, len(share))).mean(1)
    low, high = np.quantile(again, [0.05, 0.95])
    good = float((share >= 0.9).mean())
    ends = [binom.ppf(q, len(share), good) / len(share) for q in (0.05, 0.95)]
    print(
        f"{args.model} under {do.describe()}: {len(share)} worlds, units covered {share.mean():.3f} [{low:.3f}, "
        f"{high:.3f}]; worlds in which nine in ten units are covered {good:.2f} [{ends[0]:.2f}, {ends[1]:.2f}]"
    )
    predicted, seen = np.concatenate(pairs, 1)
    edges = np.quantile(predicted, np.linspace(0, 1, 11))
    bins = np.clip(np.searchsorted(edges, predicted, side="right") - 1, 0, 9)
    told = [f"{predicted[bins == k].mean():.3f} {seen[bins == k].mean():.3f}" for k in range(10) if (bins == k).any()]
    print(f"predicted and happened by tenth of the prediction: {'; '.join(told)}")


def _happened(pair: object, log: cl.InteractionLog) -> np.ndarray:
    """The outcome of each event of the log in the other world, in the log's units."""
    world = pair.before  # type: ignore[attr-defined]
    rows = world.view.rows
    value = pair.after.values[world.scm.outcome].numpy().astype(float)  # type: ignore[attr-defined]
    value = value + 1.0 if world.kind == "rating" else value
    place = {(u, i): k for k, (u, i) in enumerate(zip(rows.user.tolist(), rows.item.tolist(), strict=True))}
    user = [int(label[1:]) for label in log.users.labels]
    item = [int(label[1:]) for label in log.items.labels]
    where = [place[user[u], item[i]] for u, i in zip(log.user_codes, log.item_codes, strict=True)]
    return value[where]


if __name__ == "__main__":
    main()
