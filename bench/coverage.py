"""How often intervals cover: worlds drawn from a model's prior, fitted, and asked for E[outcome | do(exposure=1)].

    python -m bench.coverage MODEL... [--worlds 50] [--start 0] [--guides mean-field,arrow] [--users 100] [--items 60]
    python -m bench.coverage --calibrate     # measures the factors and writes them into the package
    python -m bench.coverage --write         # puts the tables of what was measured into the documentation

For the whole and for single items: the coverage of the interval as it is offered, with the binomial 90% interval of
that share, and the factor on the spread that would have covered nine in ten. Every world is appended to
``bench/out/coverage.jsonl``, and a world that stands there is not fitted again. Calibration uses worlds 1001 and on,
reports worlds 1 and on. Worlds in which fewer than 1 in 200 were exposed are passed over.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
from pathlib import Path

import numpy as np

CALIBRATION_START = 1000
CALIBRATION_WORLDS = 25
ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "bench" / "out" / "coverage.jsonl"
FACTORS = ROOT / "src" / "counterlog" / "inference" / "factors.json"


def one_world(task: tuple[str, int, tuple[str, ...], int, int, int]) -> list[dict[str, object]]:
    """What each guide says of one world; nothing where too few were exposed."""
    import torch

    import counterlog as cl
    from counterlog.errors import CounterlogError
    from counterlog.inference.chains import polish
    from counterlog.inference.response import lean
    from counterlog.inference.widening import unseen_kind, widening
    from counterlog.model.known_world import known_world

    torch.set_num_threads(1)
    name, seed, guides, users, items, steps = task
    scm = getattr(cl.zoo, name)
    if "dim" in scm.parameters:
        scm = scm.with_parameters(dim=4)
    do = cl.fix(**{scm.exposure: 1})
    try:
        world = known_world(scm, users, items, seed, truth={})
        share = world.log.rows / len(world.view.rows) if world.log.exposure is None else world.log.exposure.mean()
        if not share > 0.005:
            return []
        started = time.process_time()
        fits = {"mean-field": cl.fit(scm, world.log, rng=seed, steps=steps)}
        seconds = {"mean-field": time.process_time() - started}
        for guide in guides:
            started = time.process_time()
            if guide == "arrow":
                fits[guide] = lean(fits["mean-field"])
            elif guide == "chains":
                fits[guide] = polish(fits.get("arrow", fits["mean-field"]), rng=seed)
            seconds.setdefault(guide, time.process_time() - started)
        truth = world.mean(scm.outcome, do)
        each = world.run(do).mean(scm.outcome, world.levels).double().numpy()
        row_item = world.view.rows.item.numpy()
        by_item = np.bincount(row_item, weights=each) / np.bincount(row_item)
        found = []
        for guide in guides:
            fit = fits[guide]
            factors = widening(fit)
            answer = cl.effect(fit, scm.outcome, do, by="item", draws=100, limit=20_000)
            draws = np.asarray(answer.draws)
            rows = []
            for group in answer.groups:
                low, high = group["interval"]  # of single items: told apart by their spread, not by their ends
                true = by_item[int(group["group"][1:])]
                sd = (high - low) / 2 / 1.645 / factors.group
                rows.append(round(float((group["estimate"] - true) / max(sd, 1e-12)), 3))
            found.append(
                {
                    "model": name,
                    "seed": seed,
                    "guide": guide,
                    "users": users,
                    "items": items,
                    "steps": steps,
                    "kind": unseen_kind(fit.treatment),
                    "share": float(share),
                    "truth": truth,
                    "naive": answer.naive,
                    "estimate": answer.estimate,
                    "sd": float(draws.std()),
                    "low": answer.interval[0],
                    "high": answer.interval[1],
                    "factor": factors.whole,
                    "item_z": rows,
                    "seconds": seconds[guide],
                }
            )
    except CounterlogError as error:
        return [{"model": name, "seed": seed, "users": users, "items": items, "error": str(error)[:200]}]
    return found


def known(results: Path = RESULTS) -> list[dict]:
    """Every world that was measured."""
    return [json.loads(line) for line in results.read_text().splitlines()] if results.is_file() else []


def measure(names: list[str], worlds: int, start: int, guides: tuple[str, ...], args: argparse.Namespace) -> None:
    """Fit what is not yet there, on every core, and append it."""
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    size = (args.users, args.items)
    have = {(row["model"], row["seed"], row.get("guide")) for row in known() if (row["users"], row["items"]) == size}
    tasks = []
    for seed in range(start + 1, start + worlds + 1):  # all models advance together: a run that is stopped is of use
        for name in names:
            missing = tuple(g for g in guides if (name, seed, g) not in have and (name, seed, None) not in have)
            if missing:
                tasks.append((name, seed, missing, args.users, args.items, args.steps))
    with multiprocessing.get_context("spawn").Pool(args.processes) as pool, RESULTS.open("a") as file:
        for done, found in enumerate(pool.imap_unordered(one_world, tasks), 1):
            for row in found:
                file.write(json.dumps(row) + "\n")
                said = row.get("error") or f"{row['guide']}: z {(row['estimate'] - row['truth']) / row['sd']:+.1f}"
                print(f"{done}/{len(tasks)} {row['model']} {row['seed']} {said}", flush=True)
            file.flush()


def calibrate() -> None:
    """The factors at which nine in ten worlds of the calibration range were covered, rounded up, into the package.

    The nine-tenths quantile is taken of what was seen plus one world that would have missed (as in conformal
    prediction), so that it does not promise more than so few worlds can show. Of several sizes of worlds the largest
    factor counts. It never narrows a posterior.
    """
    table: dict[str, dict] = {}
    rows = [r for r in known() if r["seed"] > CALIBRATION_START and "error" not in r]
    for name in sorted({row["model"] for row in rows}):
        mine = [row for row in rows if row["model"] == name]
        sizes = sorted({(row["users"], row["items"]) for row in mine})
        factors = {}
        for guide in ("mean-field", "arrow"):
            each = [
                _factors([r for r in mine if r["guide"] == guide and (r["users"], r["items"]) == size])
                for size in sizes
            ]
            each = [pair for pair in each if pair is not None]
            if each:
                factors[guide] = [max(pair[k] for pair in each) for k in (0, 1)]
        if factors:
            worlds = len({(row["seed"], row["users"]) for row in mine})
            cells = sorted({users * items for users, items in sizes})
            table[name] = {"kind": mine[0]["kind"], "worlds": worlds, "opportunities": cells, "factors": factors}
    for kind in sorted(
        {row["kind"] for row in rows}
    ):  # of models that nobody has measured: worlds of all models pooled
        mine = [row for row in rows if row["kind"] == kind]
        sizes = sorted({(row["users"], row["items"]) for row in mine})
        pooled = {}
        for guide in ("mean-field", "arrow"):
            each = [
                _factors([r for r in mine if r["guide"] == guide and (r["users"], r["items"]) == size])
                for size in sizes
            ]
            found = [pair for pair in each if pair is not None]
            pooled[guide] = [max(pair[k] for pair in found) for k in (0, 1)] if found else None
        table[f"any {kind}"] = {
            "kind": kind,
            "worlds": len({(row["model"], row["seed"], row["users"]) for row in mine}),
            "opportunities": sorted({row["users"] * row["items"] for row in mine}),
            "factors": {guide: pair for guide, pair in pooled.items() if pair is not None},
        }
    FACTORS.write_text(json.dumps(table, indent=1) + "\n")
    print(json.dumps(table, indent=1))


def _factors(rows: list[dict]) -> tuple[float, float] | None:
    """For the whole and for single items; None of too few worlds."""
    if len(rows) < 8:
        return None
    z = np.sort(np.abs([(r["estimate"] - r["truth"]) / r["sd"] for r in rows]))
    at = min(len(z) - 1, int(np.ceil(0.9 * (len(z) + 1))) - 1)
    items = float(np.quantile(np.abs(np.concatenate([r["item_z"] for r in rows])), 0.9))
    up = lambda z: max(1.0, float(np.ceil(10 * z / 1.645) / 10))  # noqa: E731
    return up(z[at]), up(items)


def main() -> None:
    from counterlog import zoo

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", metavar="MODEL")
    parser.add_argument("--worlds", type=int, default=50)
    parser.add_argument("--users", type=int, default=100)
    parser.add_argument("--items", type=int, default=60)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--guides", default="mean-field,arrow")
    parser.add_argument("--processes", type=int, default=multiprocessing.cpu_count())
    parser.add_argument("--calibrate", action="store_true")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    names, guides = args.models or zoo.names(), tuple(args.guides.split(","))
    if args.write:
        from bench.coverage_tables import write

        write(known())
        return
    if args.calibrate:
        measure(names, CALIBRATION_WORLDS, CALIBRATION_START, guides, args)
        calibrate()
        return
    measure(names, args.worlds, args.start, guides, args)


if __name__ == "__main__":
    main()
