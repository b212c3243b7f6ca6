"""audit: every check that a log, a fit and a synthetic batch allow."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from counterlog.auditing.activity import ActivityThresholds, check_activity, check_what_was_shown
from counterlog.auditing.batch import read_batch
from counterlog.auditing.copies import CopyThresholds
from counterlog.auditing.correction import CorrectionThresholds, check_correction, corrected_mean
from counterlog.auditing.distance import LikenessThresholds
from counterlog.auditing.exposed import Exposed, exposed_rows, most_exposed
from counterlog.auditing.finding import Finding, jsonable
from counterlog.auditing.likeness import likeness
from counterlog.auditing.overlap import CalibrationThresholds, OverlapThresholds, check_calibration, check_overlap
from counterlog.auditing.pictures import log_pictures
from counterlog.auditing.popularity import (
    PopularityThresholds,
    check_gini,
    check_long_tail,
    check_top_items,
    exposure_shape,
)
from counterlog.auditing.position import (
    PositionThresholds,
    SelectionThresholds,
    check_outcome_by_popularity,
    check_position,
)
from counterlog.auditing.result import Audit
from counterlog.errors import InputError, RefusedError
from counterlog.logs.log import InteractionLog
from counterlog.rng import derive, generator


@dataclass(frozen=True)
class Thresholds:
    """When each family of checks says REVIEW or FAIL; the reasons stand with each class."""

    popularity: PopularityThresholds = field(default_factory=PopularityThresholds)
    activity: ActivityThresholds = field(default_factory=ActivityThresholds)
    position: PositionThresholds = field(default_factory=PositionThresholds)
    selection: SelectionThresholds = field(default_factory=SelectionThresholds)
    overlap: OverlapThresholds = field(default_factory=OverlapThresholds)
    calibration: CalibrationThresholds = field(default_factory=CalibrationThresholds)
    correction: CorrectionThresholds = field(default_factory=CorrectionThresholds)
    likeness: LikenessThresholds = field(default_factory=LikenessThresholds)
    copies: CopyThresholds = field(default_factory=CopyThresholds)


def audit(
    log: InteractionLog,
    fit: Any = None,
    synthetic: Any = None,
    rng: int = 0,
    thresholds: Thresholds | None = None,
) -> Audit:
    """Check a log for exposure bias, a fit's correction against the naive mean, and synthetic rows for likeness.

    Parameters
    ----------
    log
        The real log.
    fit
        A `counterlog.Fit` on that log, for the naive against the corrected mean.
    synthetic
        A synthetic log, an Arrow table with the real log's columns, a store, or the path of one (its latest batch).
    rng
        Seed of the bootstrap and of the chance distributions; the same seed gives the same audit.
    thresholds
        When to say REVIEW or FAIL.

    Returns
    -------
    Audit
        Findings with a verdict; ``to_html(path)`` writes the page, ``to_json()`` gives the same as data.

    Raises
    ------
    InputError
        The log has no exposed row, the fit is of another log, or the synthetic rows are not readable as such.

    Examples
    --------
    >>> import counterlog as cl
    >>> log = cl.from_frame({"user": [1, 1, 2], "item": [1, 2, 1], "shown": [1, 1, 1], "click": [0, 1, 0]},
    ...                     user="user", item="item", exposure="shown", outcome="click")  # doctest: +SKIP
    >>> cl.audit(log).verdict  # doctest: +SKIP
    'REVIEW'
    """
    limits = thresholds or Thresholds()
    exposed = exposed_rows(log)
    if not exposed.rows:
        raise InputError(
            f"{log.name}: no exposed row in {log.rows:,} rows, so there is nothing to audit"
            + (f"; is {log.roles.exposure!r} the exposure column?" if log.roles.exposure else "")
        )
    if fit is not None and getattr(fit.log, "hash", log.hash) != log.hash:
        raise InputError(
            f"the fit belongs to another log ({fit.log.name}, hash {fit.log.hash[:12]}) than {log.name} (hash "
            f"{log.hash[:12]}); audit the log that was fitted, or fit this one"
        )
    batch = None if synthetic is None else read_batch(synthetic, log)
    findings, skipped = _log_findings(log, exposed, limits, rng)
    about = _about(log)
    if fit is None:
        skipped["naive_vs_corrected"] = "no fit was given"
    else:
        card = _add_correction(log, fit, limits, rng, findings, skipped)
        about["fit"] = {"model": fit.scm.name, "hash": fit.hash, "card": card}
    charts = log_pictures(exposed, {f.name: f for f in findings}, log.roles.outcome or "outcome")
    if batch is not None:
        found, pictures, left_out = likeness(
            log, exposed, batch, limits.likeness, limits.copies, generator(rng, "audit", "likeness")
        )
        findings += found
        charts += pictures
        skipped |= left_out
        about["synthetic"] = batch.about()
    else:
        skipped["likeness"] = "no synthetic rows were given"
    return Audit(tuple(findings), tuple(charts), about, skipped)


def _log_findings(
    log: InteractionLog, exposed: Exposed, limits: Thresholds, seed: int
) -> tuple[list[Finding], dict[str, str]]:
    """The findings on the log alone, and the checks that its columns do not allow."""
    skipped: dict[str, str] = {}
    shape = exposure_shape(exposed, generator(seed, "audit", "popularity"))
    findings = [
        check_what_was_shown(log, exposed),
        check_gini(shape, limits.popularity),
        check_top_items(shape, limits.popularity, most_exposed(log, exposed)),
        check_long_tail(shape, limits.popularity),
        check_activity(exposed, limits.activity, generator(seed, "audit", "activity")),
    ]
    known = np.empty(0) if exposed.outcome is None else exposed.outcome[exposed.known(exposed.outcome)]
    if exposed.outcome is None:
        skipped |= dict.fromkeys(("outcome_by_popularity", "position"), "the log has no outcome")
    elif not np.any(known != known[:1]):
        skipped |= dict.fromkeys(("outcome_by_popularity", "position"), "all outcomes are equal")
    else:
        findings.append(check_outcome_by_popularity(exposed, limits.selection))
        if exposed.position is None:
            skipped["position"] = "the log has no position"
        else:
            findings.append(check_position(exposed, limits.position))
    if log.propensity is None:
        skipped |= dict.fromkeys(("propensity_overlap", "propensity_calibration"), "the log has no propensity")
        return findings, skipped
    findings.append(check_overlap(exposed, limits.overlap, generator(seed, "audit", "overlap")))
    if log.exposure is None or np.all(log.exposure == 1):
        skipped["propensity_calibration"] = "only exposed rows were logged"
    else:
        findings.append(check_calibration(log, limits.calibration))
    return findings, skipped


def _add_correction(
    log: InteractionLog, fit: Any, limits: Thresholds, seed: int, findings: list[Finding], skipped: dict[str, str]
) -> dict[str, Any] | None:
    """Add the finding on the corrected mean, or why there is none; the answer's card as data."""
    try:
        answer = corrected_mean(fit, derive(seed, "audit", "correction"))
    except RefusedError as error:
        skipped["naive_vs_corrected"] = f"the question was refused: {error}"
        return None
    if answer.naive is None:
        skipped["naive_vs_corrected"] = "the log has no naive answer to compare with"
    else:
        findings.append(check_correction(log, answer, limits.correction))
    card: dict[str, Any] = jsonable(answer.card.to_json())
    return card


def _about(log: InteractionLog) -> dict[str, Any]:
    from counterlog import __version__

    return {
        "name": log.name,
        "hash": log.hash,
        "licence": log.licence,
        "rows": log.rows,
        "users": len(log.users),
        "items": len(log.items),
        "roles": log.roles.columns(),
        "outcome_kind": log.roles.outcome_kind,
        "notes": list(log.notes),
        "counterlog": __version__,
    }
