# ruff: noqa: E501
"""The tables of coverage, from the worlds that `python -m bench.coverage` measured, into the documentation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.stats import beta

from bench.coverage import CALIBRATION_START, ROOT
from counterlog.inference.widening import _table

HEAD = """# Which intervals cover

A 90% interval should hold the truth nine times in ten. This page says how often it did, in worlds whose truth is known: each is
drawn from a model's *prior* (100 users x 60 items, rank 4), leaves a log, is fitted to it for 300 steps, and is asked for
E[outcome | do(exposure=1)] over all opportunities, and for the same of each item. Brackets hold the 90% binomial interval
(Clopper and Pearson 1934) of the share that was covered; of items they are left out, since those of one world share its errors.

    python -m bench.coverage --calibrate     # the factors, from worlds 1001 and on
    python -m bench.coverage                 # this table, from worlds 1 and on
    python -m bench.coverage --write

*Alone* is the posterior's own interval; *as offered* has its spread multiplied by the factor, which was measured on other worlds
than these. *Width* is the mean width as offered, in the outcome's units. *Nearer* is the share of worlds whose estimate is nearer to the truth than
the log's own mean is; many worlds of a prior have next to no bias to correct. *CPU s* is the time of a fit, of the arrow beyond it.
"""

FOOT = """
## How to read it

- The factors are calibrated on average over a prior. A world with stronger selection than most is covered less often, one with less
  more often.
- The truth is drawn from the model that is fitted. A wrong graph or form is another matter: see [how fits are checked](guide/checks.md),
  [sensitivity](guide/sensitivity.md) and `python -m bench.misspecified`, which fits `self_selection` to worlds that it does not describe.
- Shares of fewer than 50 worlds are a first look: their brackets are wide, and a coverage of 0.80 could hide in some.
- `dwell_time` has a heavy tail: its prior holds worlds with mean times in the thousands, in which one event in a hundred has most of the total. Error and
  width are made of those; 300 steps are too few for some of them; and the log's own mean is as near as the estimate. It corrects where times span one or two magnitudes.
- A share whose bracket lies below 0.90 is named under the table of its guide.
"""


def interval(hits: int, n: int) -> tuple[float, float]:
    """Clopper-Pearson, 90%."""
    low = float(beta.ppf(0.05, hits, n - hits + 1)) if hits else 0.0
    high = float(beta.ppf(0.95, hits + 1, n - hits)) if hits < n else 1.0
    return low, high


def row(rows: list[dict], factors: tuple[float, float]) -> dict[str, float]:
    """The figures of one model under one guide."""
    z = np.abs([(r["estimate"] - r["truth"]) / r["sd"] for r in rows])
    items = np.abs(np.concatenate([r["item_z"] for r in rows]))
    covered = int((z <= 1.645 * factors[0]).sum())
    low, high = interval(covered, len(z))
    alone = int((z <= 1.645).sum())
    a_low, a_high = interval(alone, len(z))
    return {
        "n": len(z),
        "alone": alone / len(z),
        "alone_low": a_low,
        "alone_high": a_high,
        "factor": factors[0],
        "covered": covered / len(z),
        "low": low,
        "high": high,
        "item_factor": factors[1],
        "items": float((items <= 1.645 * factors[1]).mean()),
        "width": float(np.mean([2 * 1.645 * factors[0] * r["sd"] for r in rows])),
        "rmse": float(np.sqrt(np.mean([(r["estimate"] - r["truth"]) ** 2 for r in rows]))),
        "naive": float(np.sqrt(np.mean([(r["naive"] - r["truth"]) ** 2 for r in rows]))),
        "nearer": float(np.mean([abs(r["estimate"] - r["truth"]) < abs(r["naive"] - r["truth"]) for r in rows])),
        "seconds": float(np.mean([r["seconds"] for r in rows])),
    }


def figures(known: list[dict]) -> dict[tuple[str, str], dict[str, float]]:
    """By guide and model."""
    table, found = _table(), {}
    rows = [r for r in known if r["seed"] <= CALIBRATION_START and "error" not in r and r["users"] == 100]
    for guide in ("mean-field", "arrow", "chains"):
        for name in sorted({r["model"] for r in rows}):
            mine = [r for r in rows if r["model"] == name and r["guide"] == guide]
            factors = (1.0, 1.0) if guide == "chains" else table.get(name, {"factors": {}})["factors"].get(guide)
            if mine and factors:
                found[guide, name] = row(mine, tuple(factors))
    return found


def text(known: list[dict]) -> str:
    """The page."""
    found, parts = figures(known), [HEAD]
    for guide in ("mean-field", "arrow", "chains"):
        rows = {name: f for (g, name), f in found.items() if g == guide}
        if not rows:
            continue
        parts.append(f"\n## {guide.capitalize()}\n")
        parts.append(
            "| model | worlds | alone | factor | as offered | width | items, as offered (factor) | rmse (naive) | nearer | CPU s |"
        )
        parts.append("|---|---|---|---|---|---|---|---|---|---|")
        for name, f in rows.items():
            parts.append(
                f"| `{name}` | {f['n']} | {f['alone']:.2f} [{f['alone_low']:.2f}, {f['alone_high']:.2f}] | {f['factor']:.1f} | "
                f"**{f['covered']:.2f}** [{f['low']:.2f}, {f['high']:.2f}] | {f['width']:.2g} | {f['items']:.2f} "
                f"({f['item_factor']:.1f}) | {f['rmse']:.2g} ({f['naive']:.2g}) | {f['nearer']:.2f} | {f['seconds']:.1f} |"
            )
        below = [name for name, f in rows.items() if f["high"] < 0.90]
        said = f"Below 0.90: {', '.join(f'`{n}`' for n in below)}." if below else "None lies below 0.90."
        parts.append(f"\n{said}")
    return "\n".join(parts) + "\n" + FOOT


def line(name: str, found: dict[tuple[str, str], dict[str, float]]) -> str:
    """The line of a model's own page."""
    said = []
    for guide in ("mean-field", "arrow", "chains"):
        f = found.get((guide, name))
        if f:
            said.append(f"{guide} {f['covered']:.2f} [{f['low']:.2f}, {f['high']:.2f}] of {f['n']} worlds")
    return (
        "90% intervals of E[outcome | do(exposure=1)] held the truth: "
        + "; ".join(said)
        + ". See [coverage](../coverage.md)."
    )


def write(known: list[dict], docs: Path = ROOT / "docs") -> None:
    """Write ``docs/coverage.md`` and the marked place of every model's page."""
    kept = docs / "coverage.md"
    tail = ""
    if kept.is_file() and "<!-- misspecified -->" in kept.read_text():
        tail = "\n<!-- misspecified -->" + kept.read_text().partition("<!-- misspecified -->")[2]
    kept.write_text(text(known).rstrip() + "\n" + tail, encoding="utf-8")
    found = figures(known)
    for page in sorted((docs / "zoo").glob("*.md")):
        name, said = page.stem, page.read_text(encoding="utf-8")
        if any(model == name for _, model in found):
            before, _, rest = said.partition("<!-- coverage -->")
            after = rest.partition("<!-- /coverage -->")[2]
            marked = f"<!-- coverage -->\n{line(name, found)}\n<!-- /coverage -->"
            page.write_text(before + marked + after, encoding="utf-8")
