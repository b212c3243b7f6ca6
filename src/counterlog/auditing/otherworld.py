"""Counterfactual rows: are they the log's own events, and how far do their answers rest on what two worlds share?"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from counterlog.auditing.batch import Batch
from counterlog.auditing.charts import Chart
from counterlog.auditing.finding import Finding, Status, number, percent
from counterlog.auditing.pictures import plot_worlds
from counterlog.logs.log import InteractionLog

#: Means and bounds are sums of single-precision numbers.
ROUNDING = 1e-3


def check_events(log: InteractionLog, batch: Batch) -> Finding:
    """Whether each counterfactual row is an event of the log, with its factual outcome, each event used once."""
    theirs, mine = _keys(log, batch.table), _keys(log, log.table)
    _, which = np.unique(np.concatenate([mine, theirs]), axis=0, return_inverse=True)
    which = which.reshape(-1)
    there, made = (np.bincount(part, minlength=which.max() + 1) for part in (which[: len(mine)], which[len(mine) :]))
    strange = int(np.maximum(made - there, 0).sum())
    share = strange / max(1, len(theirs))
    status: Status = "REVIEW" if strange else "PASS"
    return Finding(
        name="counterfactual_events",
        quantity="share of rows that are no event of this log",
        status=status,
        value=share,
        interval=None,
        message=(
            f"{f'{percent(share)} of the' if strange else 'All'} {len(theirs):,} counterfactual rows are "
            f"{'not ' if strange else ''}among the {log.rows:,} events of this log, by user, item and factual outcome."
        ),
        advice=(
            "Nothing to do for this point."
            if status == "PASS"
            else "The batch is of another log, or of another state of it: audit it beside the log that its card names."
        ),
        details={"rows": len(theirs), "not_in_the_log": strange, "events_of_the_log": log.rows},
        sees="Rows of another log, and outcomes that were changed where they should have been kept.",
        cannot_see="Whether the other world's outcomes are right.",
    )


def check_answers(log: InteractionLog, batch: Batch) -> tuple[Finding, Chart | None]:
    """The mean outcome of the events in both worlds, and the bounds that hold however the two hang together."""
    outcome = str(log.roles.outcome)
    names = [f"{outcome}_counterfactual{s}" for s in ("", "_mean", "_low", "_high", "_bound_low", "_bound_high")]
    missing = [name for name in names if name not in batch.table.column_names]
    if missing or outcome not in batch.table.column_names:
        return _without(missing or [outcome]), None
    was = _numbers(batch.table, outcome)
    drawn, mean, low, high, least, most = (_numbers(batch.table, name) for name in names)
    there = np.isfinite(was)
    torn = np.sum(~(low <= mean + ROUNDING) | ~(mean <= high + ROUNDING))
    torn += np.sum((mean < least - ROUNDING) | (mean > most + ROUNDING))
    before, after, *bounds = (_mean(values[there]) for values in (was, mean, least, most))
    open_ = not np.isfinite(bounds).all()
    crossed = open_ or bounds[0] - ROUNDING < before < bounds[1] + ROUNDING
    moved = float(np.mean(drawn[there] != was[there].astype(np.float32))) if there.any() else 0.0
    still = moved == 0 and abs(after - before) < ROUNDING
    status: Status = "FAIL" if torn else "REVIEW" if crossed and not still else "PASS"
    told = (
        "the bounds over all couplings of the two worlds are open"
        if open_
        else f"however the two worlds hang together, between {number(bounds[0])} and {number(bounds[1])}"
    )
    finding = Finding(
        name="counterfactual_answers",
        quantity="counterfactual less factual mean outcome",
        status=status,
        value=after - before,
        interval=None,
        message=(
            f"The mean {outcome} of {int(there.sum()):,} events goes from {number(before)} to {number(after)} in the "
            f"other world ({told}); {percent(moved)} of them have another outcome in the draw that was written out."
            + (f" {int(torn):,} answers lie outside their own interval or bounds." if torn else "")
        ),
        advice=(
            "These columns contradict one another: make the batch again from its card."
            if torn
            else "Nothing to do for this point."
            if status == "PASS"
            else "Whether the mean rises or falls is an assumption about noise that no data show, unless the bounds "
            "are on one side: report them with the answer."
        ),
        details={
            "factual": before,
            "counterfactual": after,
            "bound_low": bounds[0],
            "bound_high": bounds[1],
            "changed": moved,
            "without_outcome": int((~there).sum()),
        },
        sees="Answers that rest on what the two worlds are assumed to share, and columns that contradict one another.",
        cannot_see="Whether graph, form and fit are right: read the batch's card.",
    )
    return finding, plot_worlds(outcome, was[there], drawn[there]) if there.any() else None


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else np.nan


def _without(missing: list[str]) -> Finding:
    return Finding(
        name="counterfactual_answers",
        quantity="counterfactual less factual mean outcome",
        status="FAIL",
        value=None,
        interval=None,
        message=f"The batch calls itself counterfactual, but has no column {', '.join(map(repr, missing))}.",
        advice="Make it with `counterlog counterfactual`, or state its true rung.",
        sees="A batch without the other world's outcomes.",
        cannot_see="What they would have been.",
    )


def _keys(log: InteractionLog, table: pa.Table) -> np.ndarray:
    """User, item and outcome of every row, as numbers that can be compared; an outcome that is not there is -inf."""
    roles = log.roles
    columns = [vocabulary.codes(table[column], missing="declare").astype(np.float64)
               for vocabulary, column in ((log.users, roles.user), (log.items, roles.item))]  # fmt: skip
    if roles.outcome is not None and roles.outcome in table.column_names:
        columns.append(np.nan_to_num(_numbers(table, roles.outcome), nan=-np.inf, neginf=-np.inf))
    return np.stack(columns, axis=1)


def _numbers(table: pa.Table, column: str) -> np.ndarray:
    values = table[column].cast(pa.float64()).to_numpy(zero_copy_only=False)
    return np.asarray(values, dtype=np.float64)
