"""`effect`: the mean of a site under an intervention, or a contrast of two, with its interval and its card."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from counterlog import rng as _rng
from counterlog.errors import InputError, RefusedError, unknown_name
from counterlog.inference.population import Piece, Population, coded, frame, local, pieces, population
from counterlog.model.interventions import Intervention
from counterlog.model.worlds import run
from counterlog.query import intervals
from counterlog.query.card import Card, card
from counterlog.query.naive import by_column, naive_answer
from counterlog.query.overlap import overlap
from counterlog.query.sensitivity_sentence import sensitivity_sentence, shows_everything

if TYPE_CHECKING:
    from counterlog.inference import Fit
    from counterlog.inference.checks.result import Checks

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Effect:
    """An interventional mean or contrast.

    ``groups`` holds, with ``by``, one entry a group: ``group``, ``estimate``, ``interval``, ``naive``, ``rows``.
    ``draws`` are the posterior draws of the estimate before the interval was widened.
    """

    on: str
    do: str
    versus: str | None
    estimate: float
    interval: tuple[float, float]
    level: float
    naive: float | None
    rung: str
    card: Card
    groups: tuple[dict[str, Any], ...] = ()
    draws: tuple[float, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The answer as data, with the keys of the command line."""
        out: dict[str, Any] = {
            "on": self.on,
            "do": self.do,
            "versus": self.versus,
            "estimate": self.estimate,
            "interval": list(self.interval),
            "level": self.level,
            "naive": self.naive,
            "rung": self.rung,
            "card": self.card.to_json(),
        }
        return out | ({"groups": [{**g, "interval": list(g["interval"])} for g in self.groups]} if self.groups else {})

    def to_frame(self) -> Any:
        """The groups (or the one answer) as a pandas frame."""
        import pandas as pd

        rows = self.groups or (
            {"group": "all", "estimate": self.estimate, "interval": self.interval, "naive": self.naive},
        )
        return pd.DataFrame(
            [
                {**{k: v for k, v in r.items() if k != "interval"}, "low": r["interval"][0], "high": r["interval"][1]}
                for r in rows
            ]
        )

    def __str__(self) -> str:
        low, high = self.interval
        against = f" against {self.versus}" if self.versus else ""
        naive = f"; naive {self.naive:.4g}" if self.naive is not None else ""
        answer = (
            f"{self.on} under {self.do}{against}: {self.estimate:.4g} [{low:.4g}, {high:.4g}] ({self.level:.0%}){naive}"
        )
        return f"{answer}\n{self.card.to_text()}"

    def plot(self, most: int = 30) -> Any:
        """Estimates with intervals and the naive answer, as an Altair chart; at most ``most`` groups, the largest
        first.
        """
        import altair as alt

        data = self.to_frame()
        data = data.sort_values("rows", ascending=False).head(most) if "rows" in data else data
        # A list: layers that share an axis do not sort it by a value.
        order = data.sort_values("estimate", ascending=False)["group"].tolist()
        base = alt.Chart(data).encode(y=alt.Y("group:N", sort=order, title=None))
        bars = base.mark_rule().encode(
            x=alt.X("low:Q", title=f"{self.on} under {self.do}", scale=alt.Scale(zero=False)), x2="high:Q"
        )
        points = base.mark_point(filled=True).encode(x="estimate:Q")
        naive = base.mark_tick(color="#c0392b").encode(x="naive:Q")
        return (bars + points + naive).properties(width=380)

    def _repr_html_(self) -> str:
        from html import escape

        import vl_convert as vlc

        svg: str = vlc.vegalite_to_svg(self.plot().to_json())
        return f"<div><pre style='white-space:pre-wrap'>{escape(str(self))}</pre>{svg}</div>"


def effect(
    fit: Fit,
    on: str,
    do: Intervention,
    versus: Intervention | None = None,
    by: str | None = None,
    rng: int = 0,
    draws: int = 100,
    limit: int = 200_000,
    checks: Checks | None = None,
    progress: Progress | None = None,
) -> Effect:
    """Mean of ``on`` under ``do``, or the difference to its mean under ``versus``, with a 90% interval.

    The mean is taken over the log's opportunities, or over all cells of the grid where the log has interactions only;
    the card says over which. Within a draw both worlds share their noise. Ratings are in the log's own units.

    Parameters
    ----------
    on
        A site of an opportunity, mostly the outcome.
    do, versus
        Interventions, such as ``fix(exposure=1)``.
    by
        ``item``, ``user`` or a context column: one answer for each as well.
    rng
        Seed of the draws.
    draws
        Posterior draws.
    limit
        Most opportunities that are averaged over; larger populations are sampled.
    checks
        What ``fit.check()`` found: the card then warns of every check that did not pass.

    Raises
    ------
    UnknownNameError
        A site or column that does not exist.
    RefusedError
        A question without an answer in this model, such as the mean of a parameter.
    """
    scm, cells = fit.scm, fit.cells
    sites = scm.sites()
    if on not in sites:
        raise unknown_name("site", on, sites)
    if sites[on].plate != "opportunities":
        raise RefusedError(
            f"{on!r} is not a site of an opportunity; an effect is asked on one of "
            f"{', '.join(n for n, s in sites.items() if s.plate == 'opportunities')}"
        )
    if draws < 10:
        raise InputError(f"an interval needs at least 10 draws; given {draws}")
    do.check(scm)
    if versus is not None:
        versus.check(scm)
    arm, other = coded(fit, do), None if versus is None else coded(fit, versus)
    whole = population(fit, limit, rng)
    group, names = _groups(fit, whole, by)
    sums = np.zeros((draws, len(names)))
    levels = cells.levels if on == scm.outcome else ()
    parts = list(pieces(cells, whole))
    for index, draw in enumerate(fit.draws(draws, rng)):
        for part in parts:
            values = _mean(fit, part, draw, on, arm, levels, (rng, index))
            if other is not None:
                values = values - _mean(fit, part, draw, on, other, levels, (rng, index))
            where = group[part.start : part.start + len(values)]
            sums[index] += np.bincount(where, weights=values, minlength=len(names))
        if progress is not None:
            progress(index + 1, draws)
    counts = np.bincount(group, minlength=len(names))
    overall = sums.sum(1) / counts.sum()
    least, most = intervals.support(fit, on)
    least, most = (least, most) if versus is None else (least - most, most - least)
    factors = intervals.widening(fit)
    low, high = np.clip(intervals.widened(overall, factors.whole), least, most)
    naive, naive_by = naive_answer(fit, on, do, versus, by)
    rows: tuple[dict[str, Any], ...] = ()
    if by is not None:
        each = sums / np.maximum(counts, 1)
        single = by in ("item", "user", fit.log.roles.item, fit.log.roles.user)  # a level of a context is a whole
        factor = factors.group if single else factors.whole
        g_low, g_high = np.clip(intervals.widened(each, factor), least, most)
        rows = tuple(
            {
                "group": name,
                "estimate": float(each[:, k].mean()),
                "interval": (float(g_low[k]), float(g_high[k])),
                "naive": naive_by.get(name),
                "rows": int(counts[k]),
            }
            for k, name in enumerate(names)
            if counts[k]
        )
    said = intervals.method(factors, draws, by)
    answer = card(fit, do, on, whole.sentence, overlap(fit, whole, rng), said, versus, checks=checks)
    estimate, interval = float(overall.mean()), (float(low), float(high))
    if on == scm.outcome and versus is None and shows_everything(fit, do):
        answer = dataclasses.replace(answer, sensitivity=sensitivity_sentence(fit, estimate, interval, naive, rng))
    return Effect(
        on,
        do.describe(),
        versus.describe() if versus is not None else None,
        estimate,
        interval,
        intervals.LEVEL,
        naive,
        answer.rung,
        answer,
        rows,
        tuple(float(x) for x in overall),
    )


def _mean(
    fit: Fit, part: Piece, draw: Any, on: str, do: Intervention, levels: tuple[float, ...], stream: tuple[int, int]
) -> np.ndarray:
    """Expected value of ``on`` in each of the piece's opportunities; both arms of a contrast use one stream, so they
    share their noise.
    """
    with _rng.seeded(stream[0], "effect", stream[1], part.start):
        world = run(fit.scm, part.view, part.given(draw), local(fit, do, part), lambda: frame(fit, part.part))
    mean = world.mean(on, levels).expand(len(part.part))
    return mean.double().numpy()


def _groups(fit: Fit, whole: Population, by: str | None) -> tuple[np.ndarray, list[str]]:
    log = fit.log
    if by is None:
        return np.zeros(len(whole), np.int64), ["all"]
    if by in ("item", log.roles.item):
        return whole.item, log.items.labels
    if by in ("user", log.roles.user):
        return whole.user, log.users.labels
    if by not in log.table.column_names:
        raise unknown_name(
            "column", by, ["item", "user", *log.roles.context], "Group by item, user or a context column."
        )
    if whole.rows is None:
        raise RefusedError(f"the answer is over all cells of the grid, which have no {by!r}; group by item or user")
    codes, labels = by_column(log, by)
    return codes[whole.rows], labels
