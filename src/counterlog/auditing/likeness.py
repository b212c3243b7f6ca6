"""Are synthetic rows like the real ones, where they are meant to be?

A batch that was made under an intervention is meant to differ from the log in what was shown to whom, and so in every
number that is taken over events. There such differences are told, not held against it.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from scipy import stats

from counterlog.auditing.batch import Batch
from counterlog.auditing.charts import Chart
from counterlog.auditing.copies import CopyThresholds, check_copies
from counterlog.auditing.distance import LikenessThresholds, distance_finding
from counterlog.auditing.exposed import Exposed
from counterlog.auditing.finding import Finding, Status, number, percent
from counterlog.auditing.itemwise import check_outcome_by_item
from counterlog.auditing.otherworld import check_answers, check_events
from counterlog.auditing.pictures import plot_two
from counterlog.auditing.resample import user_sums
from counterlog.logs.log import InteractionLog

OUTCOME_CHECKS = ("likeness_outcome", "likeness_copies", "likeness_outcome_by_item")


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
        left_out = dict.fromkeys(("likeness_popularity", "likeness_activity", *OUTCOME_CHECKS), why)
        findings.append(check_events(log, batch))
        if log.roles.outcome is None:
            return findings, [], left_out | {"counterfactual_answers": "the log has no outcome"}
        answers, chart = check_answers(log, batch)
        return [*findings, answers], [chart] if chart else [], left_out
    skipped: dict[str, str] = {}
    charts: list[Chart] = []
    if exposed.outcome is None or batch.outcome is None:
        skipped |= dict.fromkeys(OUTCOME_CHECKS, "there is no outcome in both")
    else:
        finding, chart = check_outcome(log, exposed, batch, limits, rng)
        findings.append(finding)
        charts.append(chart)
    finding, chart = check_popularity(exposed, batch, limits, rng)
    findings += [finding, check_activity_shape(exposed, batch, limits, rng)]
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
            f"values in the synthetic batch{': ' + '; '.join(told) if told else ''}."
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
    # Levels of either side: a log of clicks alone has no 0, the synthetic log of a corrected world has.
    positive = log.roles.outcome_kind == "positive"
    edges, labels = _cells(log.roles.outcome_kind, real if positive else np.concatenate([real, made]))
    real_codes, made_codes = (np.clip(np.searchsorted(edges, v, side="left"), 0, len(labels) - 1) for v in (real, made))
    finding = distance_finding(
        "likeness_outcome",
        f"outcome {log.roles.outcome}",
        user_sums(real_codes, exposed.users[keep], None, (len(labels), exposed.n_users)),
        user_sums(made_codes, batch.own_users[np.isfinite(drawn)], None, (len(labels), len(batch.per_user))),
        batch,
        limits,
        rng,
        {"mean_real": float(real.mean()), "mean_synthetic": float(made.mean())},
        "Outcomes that are too high, too low or too alike.",
        "Whether the right user has the right outcome.",
    )
    chart = plot_two(
        "likeness_outcome",
        "Outcomes, real and synthetic",
        "Shares of the exposed rows with each outcome.",
        labels,
        np.bincount(real_codes, minlength=len(labels)) / len(real),
        np.bincount(made_codes, minlength=len(labels)) / len(made),
        str(log.roles.outcome),
    )
    return finding, chart


def check_popularity(
    exposed: Exposed, batch: Batch, limits: LikenessThresholds, rng: np.random.Generator
) -> tuple[Finding, Chart]:
    """Total variation between the exposures of the items, beyond chance."""
    known = batch.items >= 0
    real, made = exposed.by_item, np.bincount(batch.items[known], minlength=exposed.n_items)
    rank = stats.spearmanr(real, made).statistic if np.ptp(real) and np.ptp(made) else None
    finding = distance_finding(
        "likeness_popularity",
        "item popularity",
        user_sums(exposed.items, exposed.users, None, (exposed.n_items, exposed.n_users)),
        user_sums(batch.items[known], batch.own_users[known], None, (exposed.n_items, len(batch.per_user))),
        batch,
        limits,
        rng,
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


def check_activity_shape(
    exposed: Exposed, batch: Batch, limits: LikenessThresholds, rng: np.random.Generator
) -> Finding:
    """Kolmogorov distance between numbers of exposures a user, after the richer log was thinned to the other's mean."""
    real, made = exposed.by_user[exposed.by_user > 0], batch.per_user
    a, b = _same_mean(real, made, rng)
    grid = np.unique(np.concatenate([a, b]))
    at_a, at_b = (np.searchsorted(np.sort(v), grid, "right") / len(v) for v in (a, b))
    distance = float(np.abs(at_a - at_b).max())
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
            "Numbers of exposures a user, thinned to the same mean, differ by a Kolmogorov distance of "
            f"{number(distance)} between {len(real):,} real and {len(made):,} synthetic users; "
            f"{number(min(chance, 1))} is the {limits.quantile:.1%} quantile of chance."
        ),
        advice=(
            "The rows a user were set by hand or by the intervention, so a difference is meant."
            if beyond and status == "PASS"
            else "Nothing to do for this point."
            if status == "PASS"
            else "Models that weigh users by their rows will learn from other users than in the real log: draw rows a "
            "user as in the log."
        ),
        details={"real_mean": float(real.mean()), "synthetic_mean": float(made.mean()), "chance": chance},
        sees="Users who are all alike, or a few who have most rows.",
        cannot_see="Which users are the active ones.",
    )


def _same_mean(real: np.ndarray, made: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Both counts with about one mean over users that have any: rows of the richer log are dropped at random.

    Users without a row are not seen in a log, so the share to keep is found by bisection.
    """
    if real.mean() < made.mean():
        b, a = _same_mean(made, real, rng)
        return a, b
    low, high = 0.0, 1.0
    for _ in range(30):
        keep = (low + high) / 2
        mean = keep * real.sum() / max(float(np.sum(1 - (1 - keep) ** real)), 1e-12)
        low, high = (keep, high) if mean < made.mean() else (low, keep)
    thinned = rng.binomial(real, high)
    thinned = thinned[thinned > 0]
    return (thinned if len(thinned) else real), made


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
