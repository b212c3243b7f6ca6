"""KuaiRand clicks: latent_exposure beside popularity and implicit ALS, on the random exposures.

    python -m bench.kuairand PATH [--fit FIT]

PATH is a folder with ``biased_clicks.parquet`` and ``random_exposures.parquet``. Everything is fitted on the biased
clicks alone, with the defaults of each tool (ALS: 64 factors, 15 iterations, as its authors set them); the random
exposures are opened once, for the table.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from itertools import pairwise

import numpy as np
from scipy.stats import rankdata

import counterlog as cl


def auc(score: np.ndarray, click: np.ndarray) -> float:
    """Probability that a random clicked row scores above a random unclicked one, ties half."""
    ranks = rankdata(score)
    n = click.sum()
    return float((ranks[click].sum() - n * (n + 1) / 2) / (n * (len(click) - n)))


def by_user(user: np.ndarray, score: np.ndarray, click: np.ndarray) -> tuple[float, float, int]:
    """AUC within a user weighted by pairs, and mean NDCG@5 over users with a click; ties are broken at random with a
    fixed seed.
    """
    jitter = np.random.default_rng(0).random(len(score))
    order = np.lexsort((jitter, -score, user))
    user, score, click = user[order], score[order], click[order]
    bounds = np.flatnonzero(np.diff(user, prepend=-1, append=-2))
    won = pairs = 0.0
    gains = []
    discount = 1.0 / np.log2(np.arange(2, 7))
    for a, b in pairwise(bounds):
        c = click[a:b]
        n = int(c.sum())
        if 0 < n < b - a:
            ranks = rankdata(score[a:b])
            won += ranks[c].sum() - n * (n + 1) / 2
            pairs += n * (b - a - n)
        if n:
            top = c[:5].astype(float)
            gains.append((top * discount[: len(top)]).sum() / discount[: min(n, 5)].sum())
    return won / pairs, float(np.mean(gains)), len(gains)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path")
    parser.add_argument("--fit", help="a saved fit of latent_exposure, else it is fitted")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    log = cl.open_log(f"kuairand:{args.path}")
    began = time.monotonic()
    fit = cl.load_fit(args.fit) if args.fit else cl.fit(cl.zoo.latent_exposure, log, rng=args.seed, progress=True)
    print(f"{fit}; {time.monotonic() - began:.0f} s here")
    test = cl.open_log(f"kuairand:{args.path}#random")
    pairs = test.table.select([test.roles.user, test.roles.item])
    click = test.outcome > 0
    user, item = log.users.codes(pairs[0]), log.items.codes(pairs[1])
    predicted = cl.predict(fit, pairs)
    scores: dict[str, Callable[[], np.ndarray]] = {
        "popularity": lambda: np.bincount(log.item_codes, minlength=len(log.items))[item].astype(float),
        "implicit ALS": lambda: als(log, user, item, args.seed),
        "latent_exposure: E[click | do(exposure=1)]": lambda: predicted["mean"].to_numpy(),
        "latent_exposure: P(click), exposure as it was": lambda: (
            predicted["mean"].to_numpy() * predicted["propensity"].to_numpy()
        ),
    }
    print(
        f"random exposures: {len(click):,} rows, click rate {click.mean():.4f}, model's mean "
        f"{predicted['mean'].to_numpy().mean():.4f}"
    )
    print("| score | AUC | within-user AUC | NDCG@5 |\n|---|---|---|---|")
    for name, score in scores.items():
        values = score()
        within, ndcg, _ = by_user(user, values, click)
        print(f"| {name} | {auc(values, click):.3f} | {within:.3f} | {ndcg:.3f} |", flush=True)


def als(log: cl.InteractionLog, user: np.ndarray, item: np.ndarray, seed: int) -> np.ndarray:
    """Scores of implicit's alternating least squares (Hu, Koren, Volinsky 2008) with 64 factors."""
    from implicit.als import AlternatingLeastSquares
    from scipy.sparse import csr_matrix

    clicks = csr_matrix(
        (np.ones(log.rows, np.float32), (log.user_codes, log.item_codes)), shape=(len(log.users), len(log.items))
    )
    model = AlternatingLeastSquares(factors=64, iterations=15, random_state=seed, num_threads=1)
    model.fit(clicks, show_progress=False)
    return np.einsum("ij,ij->i", model.user_factors[user], model.item_factors[item])


if __name__ == "__main__":
    main()
