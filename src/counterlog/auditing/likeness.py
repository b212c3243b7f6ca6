"""Are synthetic rows like the real ones, where they are meant to be?

A batch that was made under an intervention is meant to differ from the log in what was shown to whom, and so in every
number that is taken over events. There such differences are told, not held against it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from scipy import sparse, stats

from counterlog.auditing.batch import Batch
from counterlog.auditing.charts import Chart
from counterlog.auditing.copies import CopyThresholds, check_copies
from counterlog.auditing.exposed import Exposed
from counterlog.auditing.finding import Finding, Status, number, percent
from counterlog.auditing.itemwise import check_outcome_by_item
from counterlog.auditing.pictures import plot_two
from counterlog.auditing.resample import MIN_USERS, corrected, replicate, user_sums
from counterlog.logs.log import InteractionLog


@dataclass(frozen=True)
class LikenessThresholds:
    """When a difference between real and synthetic rows is worth a word.

    Distances are total variations (the share of rows that would have to change), as the part beyond what two samples
    of these sizes show by chance: at a twentieth a histogram looks different, at a quarter it is another one.
    ``quantile`` of the chance distribution must be passed as well. ``review_activity`` is a Kolmogorov distance
    between numbers of rows a user over their mean. ``review_unseen``: synthetic rows of items that the log does not
    know; some are meant where items are cold. ``review_order``: the least correlation of item means, as a part of what
    two samples of these sizes would show.
    """

    review_excess: float = 0.05
    fail_excess: float = 0.25
    quantile: float = 0.998
    review_activity: float = 0.2
    review_unseen: float = 0.0
    fail_unseen: float = 0.5
    review_order: float = 0.5
    fail_order: float = 0.0


OUTCOME_CHECKS = ("likeness_outcome", "likeness_copies", "likeness_outcome_by_item")
MEANT = "The batch was made under an intervention, so such a difference is meant and no fault; compare the outcome "
"given the item instead."
TUNE = (
    "Look at the fit (converged? right outcome family?) before training on these rows, or generate from another model."
)


def likeness(
    log: InteractionLog,
    exposed: Exposed,
    batch: Batch,
    limits: LikenessThresholds,
    copy_limits: CopyThresholds,
    rng: np.random.Generator,
) -> tuple[list[Finding], list[Chart], dict[str, str]]:
    """Findings, pictures and checks left out, for one synthetic batch."""
    findings = [check_schema(log, batch), check_unseen(batch, limits)]
    if batch.counterfactual:
        why = "counterfactual rows are the real events in another world: like them by construction"
        return findings, [], dict.fromkeys(("likeness_popularity", "likeness_activity", *OUTCOME_CHECKS), why)
    skipped: dict[str, str] = {}
    charts: list[Chart] = []
    if exposed.outcome is None or batch.outcome is None:
        skipped |= dict.fromkeys(OUTCOME_CHECKS, "there is no outcome in both")
    else:
        finding, chart = check_outcome(log, exposed, batch, limits, rng)
        findings.append(finding)
        charts.append(chart)
    finding, chart = check_popularity(exposed, batch, limits, rng)
    findings += [finding, check_activity_shape(exposed, batch, limits)]
    charts.append(chart)
    if exposed.outcome is not None and batch.outcome is not None:
        findings.append(check_copies(exposed, batch, copy_limits, rng))
        order = check_outcome_by_item(exposed, batch, limits.review_order, limits.fail_order, rng)
        if order is None:
            skipped["likeness_outcome_by_item"] = (
                "too few items with outcomes in both, or item means that are all noise"
            )
        else:
            findings.append(order)
    return findings, charts, skipped


def check_schema(log: InteractionLog, batch: Batch) -> Finding:
    """The real log's columns, under the same names and with the same kinds of values."""
    wanted = log.roles.columns()
    have = set(batch.table.column_names)
    missing = {role: column for role, column in wanted.items() if column not in have}
    other = {
        column: f"{batch.table.schema.field(column).type}, real {log.table.schema.field(column).type}"
        for column in wanted.values()
        if column in have
        and _family(batch.table.schema.field(column).type) != _family(log.table.schema.field(column).type)
    }
    status: Status = "FAIL" if "outcome" in missing else "REVIEW" if missing or other else "PASS"
    told = [f"missing: {', '.join(missing.values())}"] * bool(missing)
    told += [f"other kinds of values: {', '.join(f'{c} ({t})' for c, t in other.items())}"] * bool(other)
    return Finding(
        name="likeness_schema",
        quantity="columns missing or of another kind",
        status=status,
        value=float(len(missing) + len(other)),
        interval=None,
        message=(
            f"{len(missing) + len(other)} of the real log's {len(wanted)} columns are missing or hold other kinds of "
            "values in the synthetic "
            f"batch{': ' + '; '.join(told) if told else ''}."
        ),
        advice="Nothing to do for this point."
        if status == "PASS"
        else "Code that reads the real log will stumble: add or cast these columns.",
        details={"missing": list(missing.values()), "other_type": other, "rows": batch.table.num_rows},
        sees="Columns that are missing or of another type.",
        cannot_see="Columns with the right type and the wrong meaning.",
    )


def check_unseen(batch: Batch, limits: LikenessThresholds) -> Finding:
    """Synthetic exposures of items that the real log does not know."""
    items = float(np.mean(batch.items < 0))
    users = float(np.mean(batch.users < 0))
    status: Status = "FAIL" if items > limits.fail_unseen else "REVIEW" if items > limits.review_unseen else "PASS"
    return Finding(
        name="likeness_unseen",
        quantity="share of synthetic exposures of unknown items",
        status=status,
        value=items,
        interval=None,
        message=f"{percent(items)} of the synthetic exposures are of items, and {percent(users)} of users, that the "
        "real log does not know.",
        advice=(
            "Nothing to do for this point; users drawn new from a model have new ids."
            if status == "PASS"
            else "If cold items are meant, evaluate them apart; if not, the ids were not written as in the real log."
        ),
        details={"unseen_items": items, "unseen_users": users},
        sees="Ids that do not belong to the log.",
        cannot_see="Known ids with rows that they could never have.",
    )


def check_outcome(
    log: InteractionLog, exposed: Exposed, batch: Batch, limits: LikenessThresholds, rng: np.random.Generator
) -> tuple[Finding, Chart]:
    """Total variation between the outcome distributions, beyond chance."""
    known = np.empty(0) if exposed.outcome is None else exposed.outcome
    drawn = np.empty(0) if batch.outcome is None else batch.outcome
    keep, made = np.isfinite(known), drawn[np.isfinite(drawn)]
    real = known[keep]
    edges, labels = _cells(log.roles.outcome_kind, real)
    real_codes, made_codes = (np.clip(np.searchsorted(edges, v, side="left"), 0, len(labels) - 1) for v in (real, made))
    sums = user_sums(real_codes, exposed.users[keep], None, (len(labels), exposed.n_users))
    counts = np.bincount(made_codes, minlength=len(labels)).astype(float)
    finding = _distance(
        "likeness_outcome",
        f"outcome {log.roles.outcome}",
        sums,
        counts,
        batch,
        limits,
        rng,
        exposed.active_users,
        {"mean_real": float(real.mean()), "mean_synthetic": float(made.mean()) if len(made) else None},
        "Outcomes that are too high, too low or too alike.",
        "Whether the right user has the right outcome.",
    )
    chart = plot_two(
        "likeness_outcome",
        "Outcomes, real and synthetic",
        "Shares of the exposed rows with each outcome.",
        labels,
        np.bincount(real_codes, minlength=len(labels)) / max(len(real), 1),
        counts / max(counts.sum(), 1),
        str(log.roles.outcome),
    )
    return finding, chart


def check_popularity(
    exposed: Exposed, batch: Batch, limits: LikenessThresholds, rng: np.random.Generator
) -> tuple[Finding, Chart]:
    """Total variation between the exposures of the items, beyond chance."""
    sums = user_sums(exposed.items, exposed.users, None, (exposed.n_items, exposed.n_users))
    made = np.bincount(batch.items[batch.items >= 0], minlength=exposed.n_items).astype(float)
    real = exposed.by_item
    rank = stats.spearmanr(real, made).statistic if np.ptp(real) and np.ptp(made) else None
    finding = _distance(
        "likeness_popularity",
        "item popularity",
        sums,
        made,
        batch,
        limits,
        rng,
        exposed.active_users,
        {"rank_correlation": rank},
        "Items that are shown too often or too seldom.",
        "Who saw them.",
    )
    tenth = np.minimum(np.argsort(np.argsort(real, kind="stable"), kind="stable") * 10 // max(len(real), 1), 9)
    shares = [np.bincount(tenth, weights=v, minlength=10) / max(v.sum(), 1) for v in (real, made)]
    chart = plot_two(
        "likeness_popularity",
        "Exposure, real and synthetic",
        "Items in tenths by their exposures in the real log; 10 is the most shown.",
        [str(d) for d in range(1, 11)],
        shares[0],
        shares[1],
        "tenth of the items",
    )
    return finding, chart


def check_activity_shape(exposed: Exposed, batch: Batch, limits: LikenessThresholds) -> Finding:
    """Kolmogorov distance between numbers of exposures a user, each over its mean."""
    real = exposed.by_user[exposed.by_user > 0]
    made = batch.per_user
    a, b = np.sort(real / real.mean()), np.sort(made / made.mean())
    grid = np.concatenate([a, b])
    distance = float(
        np.max(np.abs(np.searchsorted(a, grid, "right") / len(a) - np.searchsorted(b, grid, "right") / len(b)))
    )
    chance = float(stats.kstwobign.isf(1 - limits.quantile) * np.sqrt(1 / len(a) + 1 / len(b)))
    by_hand = batch.set_by_hand.get("per_user") is not None
    beyond = distance > max(chance, limits.review_activity)
    status: Status = "REVIEW" if beyond and not (batch.intervened or by_hand) else "PASS"
    return Finding(
        name="likeness_activity",
        quantity="Kolmogorov distance",
        status=status,
        value=distance,
        interval=None,
        message=(
            f"Numbers of exposures a user, over their mean, differ by a Kolmogorov distance of {number(distance)} "
            f"between {len(a):,} real and "
            f"{len(b):,} synthetic users; {number(min(chance, 1))} is the {limits.quantile:.1%} quantile of chance."
        ),
        advice=(
            "The rows a user were set by hand or by the intervention, so a difference is meant."
            if beyond and status == "PASS"
            else "Nothing to do for this point."
            if status == "PASS"
            else "Models that weigh users by their rows will learn from other users than in the real log: draw rows "
            "a user as in the log."
        ),
        details={"real_mean": float(real.mean()), "synthetic_mean": float(made.mean()), "chance": chance},
        sees="Users who are all alike, or a few who have most rows.",
        cannot_see="Which users are the active ones.",
    )


def _distance(
    name: str, what: str, sums: sparse.csr_array, made: np.ndarray, batch: Batch, limits: LikenessThresholds,
    rng: np.random.Generator, users: int, details: dict[str, object], sees: str, cannot_see: str,
) -> Finding:  # fmt: skip
    """A finding on the total variation between real counts (``sums`` over users) and synthetic ones.

    The chance distribution comes from the distance of bootstrap samples of the real log to the log itself, widened
    from one sample's noise to that of two of these sizes.
    """
    real = np.asarray(sums.sum(axis=1), dtype=float).ravel()
    target, other = _shares(real[:, None]), _shares(made[:, None])
    distance = float(0.5 * np.abs(target - other).sum())
    chance, bound, interval, value = 0.0, 0.0, None, distance
    if users >= MIN_USERS:

        def both(block: np.ndarray) -> np.ndarray:
            shares = _shares(block.astype(float))
            return 0.5 * np.stack([np.abs(shares - target).sum(axis=0), np.abs(shares - other).sum(axis=0)], axis=1)

        values = replicate(sums, both, rng)
        widen = np.sqrt(1 + real.sum() / max(made.sum(), 1))
        chance = float(min(values[:, 0].mean() * widen, 1))
        # Beyond the largest of 200 draws: the quantile of a normal, which a sum of many absolute values nearly is.
        bound = chance + float(stats.norm.ppf(limits.quantile) * values[:, 0].std() * widen)
        value, interval = corrected(distance, values[:, 1])
        value = max(value, 0.0)
        interval = None if interval is None else (max(interval[0], 0.0), max(interval[1], 0.0))
    excess = (distance - chance) / (1 - chance) if chance < 1 else 0.0
    beyond = distance > bound and excess >= limits.review_excess
    status: Status = "PASS"
    if beyond and not batch.intervened:
        status = "FAIL" if excess >= limits.fail_excess else "REVIEW"
    told = (
        f"without counting noise {number(value)}, 90% interval {number(interval[0])} to {number(interval[1])}: "
        "bootstrap of real users; "
        f"two samples of these sizes would differ by {number(chance)}"
        if interval
        else f"no interval: {users} real users are too few"
    )
    meant = MEANT if batch.intervened else "No evidence against likeness here; nothing to do for this point."
    return Finding(
        name=name,
        quantity="total variation, without counting noise",
        status=status,
        value=value,
        interval=interval,
        message=f"Real and synthetic rows differ in {what} by a total variation of {number(distance)} as counted "
        f"({told}).",
        advice=meant if status == "PASS" else TUNE,
        details={
            "distance_counted": distance,
            "by_chance": chance,
            "excess": excess,
            "meant_to_differ": batch.intervened,
            **details,
        },
        sees=sees,
        cannot_see=cannot_see,
    )


def _shares(counts: np.ndarray) -> np.ndarray:
    total = counts.sum(axis=0)
    return counts / np.where(total > 0, total, 1)


def _cells(kind: str | None, real: np.ndarray, most: int = 20) -> tuple[np.ndarray, list[str]]:
    """Upper edges (inclusive) and names of the cells in which outcomes are compared: levels, or twentieths of the real
    ones.
    """
    values = np.unique(real)
    if kind != "positive" and len(values) <= most:
        middles = (values[:-1] + values[1:]) / 2
        return np.append(middles, np.inf), [f"{v:g}" for v in values]
    edges = np.unique(np.quantile(real, np.linspace(0, 1, 11)[1:-1]))
    return np.append(edges, np.inf), [*(f"≤ {number(e)}" for e in edges), f"> {number(edges[-1])}"]


def _family(kind: pa.DataType) -> str:
    if pa.types.is_dictionary(kind):
        return _family(kind.value_type)
    if (
        pa.types.is_boolean(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
    ):
        return "number"
    if pa.types.is_temporal(kind):
        return "time"
    return "text" if pa.types.is_string(kind) or pa.types.is_large_string(kind) else str(kind)
