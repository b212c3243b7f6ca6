# ruff: noqa: E501
"""What happens where the model is wrong: worlds that no model of the zoo describes, fitted with `self_selection`.

    python -m bench.misspecified [--worlds 10] [--write]

Each kind of world departs from `self_selection` in one stated way: ``wrong_link`` (exposure rises steeply and never
above 0.3), ``missing_interaction`` (twelve kinds of users and of items agree or do not, in rating and in exposure),
``ignored_confounder`` (an unseen number of every cell raises both), and ``none``, the control. For each: how often the
90% interval of E[rating | do(exposure=1)] holds the truth under the mean-field guide and the arrow, how often the
card warns (a check of the fit is REVIEW or FAIL), and whether the card names the strength of an unseen cause.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing

import numpy as np
import pyro
import pyro.distributions as dist
import torch

from bench.coverage import ROOT
from counterlog import scm
from counterlog.model.mechanisms import OrdinalRating, affinity, pick

RESULTS = ROOT / "bench" / "out" / "misspecified.jsonl"
KINDS = ("none", "wrong_link", "missing_interaction", "ignored_confounder")
WRONG = {
    "none": "nothing",
    "wrong_link": "the link of exposure: steep, and never above 0.3",
    "missing_interaction": "an interaction: kinds of users and kinds of items agree or do not, in rating and exposure",
    "ignored_confounder": "a confounder of every cell, unseen, of rating and exposure",
}
CEILING = 0.3
#: Which of 12 kinds of users and of items agree (+1.8) or do not (-1.8): more than an affinity of rank 4 can hold.
AGREE = torch.from_numpy(np.random.default_rng(0).choice([-1.8, 1.8], size=(12, 12))).float()


def world_of(kind: str) -> object:
    """The program of one kind of world."""

    @scm(exposure="exposure", outcome="rating", latent=("preference", "leniency", "activity", "attribute", "quality"))
    def other_world(view):
        with view.users():
            leniency, activity = (pyro.sample(n, dist.Normal(0.0, 1.0)) for n in ("leniency", "activity"))
            preference = pyro.sample("preference", dist.Normal(0.0, 1.0).expand([2]).to_event(1))
        with view.items():
            quality, popularity = (pyro.sample(n, dist.Normal(0.0, 1.0)) for n in ("quality", "popularity"))
            attribute = pyro.sample("attribute", dist.Normal(0.0, 1.0).expand([2]).to_event(1))
        with view.opportunities() as o:
            liking = (
                pick(0.6 * leniency, o.user) + pick(0.7 * quality, o.item) + 0.5 * affinity(preference, attribute, o)
            )
            odds = -2.2 + pick(0.7 * activity, o.user) + pick(popularity, o.item)
            if kind == "missing_interaction":
                agree = AGREE[o.user % len(AGREE), o.item % len(AGREE)]
                liking, odds = liking + agree, odds + agree
            elif kind == "ignored_confounder":
                mood = pyro.sample("mood", dist.Normal(0.0, 1.0).expand([len(o)]))
                liking, odds = liking + mood, odds + 0.8 * mood
            rating = pyro.sample("rating", OrdinalRating(liking, torch.tensor([-1.5, -0.6, 0.3, 1.2])))
            odds = odds + torch.tensor([0.0, 0.3, 0.7, 1.1, 1.3])[rating]
            chance = CEILING * (3.0 * odds + 6.0).sigmoid() if kind == "wrong_link" else odds.sigmoid()
            pyro.sample("exposure", dist.Bernoulli(probs=chance))

    return other_world


def one(task: tuple[str, int, int, int]) -> dict[str, object]:
    """One world: the answers, and what the checks say."""
    import counterlog as cl
    from counterlog.inference import lean
    from counterlog.model.known_world import known_world

    torch.set_num_threads(1)
    kind, seed, users, items = task
    world = known_world(world_of(kind), users, items, seed, truth={})
    do = cl.fix(exposure=1)
    truth = world.mean("rating", do)
    fit = cl.fit(cl.zoo.self_selection.with_parameters(dim=4), world.log, rng=seed, steps=400)
    checks = fit.check(restarts=0, rng=seed)
    answer = cl.effect(fit, "rating", do, checks=checks)
    leaning = cl.effect(lean(fit), "rating", do)
    return {
        "kind": kind,
        "seed": seed,
        "truth": truth,
        "naive": answer.naive,
        "estimate": answer.estimate,
        "covered": bool(answer.interval[0] <= truth <= answer.interval[1]),
        "arrow": leaning.estimate,
        "arrow_covered": bool(leaning.interval[0] <= truth <= leaning.interval[1]),
        "warned": [f"{f.name}:{f.status}" for f in checks.findings if f.status in ("REVIEW", "FAIL")],
        "card": list(answer.card.warnings),
        "sensitivity": answer.card.sensitivity,
    }


def table(rows: list[dict]) -> str:
    """The table of the documentation."""
    lines = [
        "## Worlds in which the model is wrong",
        "",
        "`python -m bench.misspecified` draws worlds (160 users x 100 items) that differ from `self_selection` in one stated way, and fits that model to them in 400 steps.",
        "*Warned* counts the worlds in which a check of the fit is REVIEW or FAIL, and the card given `checks=` says which. What no log can show, no check sees:",
        "a confounder that nobody recorded is found by the [sensitivity analysis](guide/sensitivity.md) alone, whose sentence stands on every card.",
        "",
        "| what is wrong | worlds | covered, mean-field | covered, arrow | rmse (naive) | warned | most often by |",
        "|---|---|---|---|---|---|---|",
    ]
    for kind in KINDS:
        mine = [r for r in rows if r["kind"] == kind]
        if not mine:
            continue
        n = len(mine)
        covered, leaning, warned = (_share(mine, key) for key in ("covered", "arrow_covered", "warned"))
        rmse = [float(np.sqrt(np.mean([(r[k] - r["truth"]) ** 2 for r in mine]))) for k in ("estimate", "naive")]
        named = [w.partition(":")[0] for r in mine for w in r["warned"]]
        often = max(set(named), key=named.count) if named else "-"
        lines.append(
            f"| {WRONG[kind]} | {n} | {covered} | {leaning} | {rmse[0]:.2f} ({rmse[1]:.2f}) | "
            f"{warned} | {often.replace('_', ' ')} |"
        )
    return "\n".join(lines) + "\n"


def _share(rows: list[dict], key: str) -> str:
    from bench.coverage_tables import interval

    hits = sum(bool(row[key]) for row in rows)
    return "{:.2f} [{:.2f}, {:.2f}]".format(hits / len(rows), *interval(hits, len(rows)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=int, default=10)
    parser.add_argument("--users", type=int, default=160)
    parser.add_argument("--items", type=int, default=100)
    parser.add_argument("--processes", type=int, default=multiprocessing.cpu_count())
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    rows = [json.loads(line) for line in RESULTS.read_text().splitlines()] if RESULTS.is_file() else []
    if args.write:
        page = ROOT / "docs" / "coverage.md"
        before = page.read_text().partition("<!-- misspecified -->")[0].rstrip()
        page.write_text(f"{before}\n\n<!-- misspecified -->\n\n{table(rows)}", encoding="utf-8")
        return
    have = {(r["kind"], r["seed"]) for r in rows}
    tasks = [(k, s, args.users, args.items) for s in range(1, args.worlds + 1) for k in KINDS if (k, s) not in have]
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    with multiprocessing.get_context("spawn").Pool(args.processes) as pool, RESULTS.open("a") as file:
        for row in pool.imap_unordered(one, tasks):
            file.write(json.dumps(row) + "\n")
            file.flush()
            print({k: v for k, v in row.items() if k not in ("sensitivity", "card")}, flush=True)


if __name__ == "__main__":
    main()
