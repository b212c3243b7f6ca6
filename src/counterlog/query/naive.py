"""The answer that the log gives when it is read as it is: the association that a correction is compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from counterlog import rng as _rng

if TYPE_CHECKING:
    from counterlog.inference import Fit
    from counterlog.logs import InteractionLog
    from counterlog.model.interventions import Intervention


def naive_answer(
    fit: Fit, on: str, do: Intervention, versus: Intervention | None, by: str | None
) -> tuple[float | None, dict[str, float]]:
    """Mean of ``on`` over the rows where what was done happened by itself; for a contrast the difference of two such
    means.

    None where the log cannot say: the site has no column, or an arm fixes something that is not one.
    """
    if fit.treatment.implied and fit.treatment.sum_exposure and on == fit.scm.outcome:
        return _per_cell(fit, by) if versus is None else (None, {})
    values = _column(fit, on)
    if values is None:
        return None, {}
    first = _rows(fit, do)
    if first is None:
        return None, {}
    first = first & np.isfinite(values) & _counts(fit, on, do)
    if versus is None:
        if not first.any():
            return None, {}
        return float(values[first].mean()), _by(fit, values, first, by)
    second = _rows(fit, versus)
    if second is None:
        return None, {}
    second = second & np.isfinite(values) & _counts(fit, on, versus)
    if not first.any() or not second.any():
        return None, {}
    return float(values[first].mean() - values[second].mean()), {}


def _per_cell(fit: Fit, by: str | None) -> tuple[float, dict[str, float]]:
    """Clicks without impressions read as they are: whoever did not click did not want to."""
    log, n_users, n_items = fit.log, fit.cells.n_users, fit.cells.n_items
    cells = np.unique(log.user_codes * n_items + log.item_codes)
    user, item = np.divmod(cells, n_items)
    if by in ("item", log.roles.item):
        codes, labels, size = item, log.items.labels, n_users
    else:
        codes, labels, size = user, log.users.labels, n_items
    each = np.bincount(codes, minlength=len(labels)) / size
    return len(cells) / (n_users * n_items), dict(zip(labels, each.tolist(), strict=True)) if by else {}


def _column(fit: Fit, site: str) -> np.ndarray | None:
    log = fit.log
    if site == fit.scm.outcome:
        return _amounts(fit) if log.roles.outcome_kind == "positive" else log.outcome
    if site == fit.scm.exposure:
        return log.exposure
    if site == "position":
        return log.position
    if site in log.roles.context and fit.cells.columns:
        values = np.empty(log.rows)
        values[fit.cells.order] = fit.cells.columns[site]
        return values
    return None


def _amounts(fit: Fit) -> np.ndarray | None:
    """The outcome, 0 where the program has it behind a hurdle that the log says was not taken."""
    from counterlog.model.mechanisms import Hurdle
    from counterlog.model.view import tiny_view

    values = fit.log.outcome
    if values is None or not fit.cells.columns:
        return values
    with _rng.seeded(0, "amounts", fit.scm.name):
        mechanism = fit.scm.trace(tiny_view())[fit.scm.outcome]["fn"]
    shown = np.ones(len(values), bool) if fit.log.exposure is None else fit.log.exposure > 0
    return np.where(shown & ~np.isfinite(values), 0.0, values) if isinstance(mechanism, Hurdle) else values


def _counts(fit: Fit, on: str, do: Intervention) -> np.ndarray:
    """Rows whose value means something: a logged outcome counts if it was exposed, unless exposure is what was set or
    what makes it.
    """
    made = fit.scm.graph().has_edge(fit.scm.exposure, fit.scm.outcome)
    if on != fit.scm.outcome or fit.log.exposure is None or made or fit.scm.exposure in do.fixed:
        return np.ones(fit.log.rows, bool)
    return fit.log.exposure > 0


def _rows(fit: Fit, do: Intervention) -> np.ndarray | None:
    """The rows in which every fixed site had that value; other kinds of intervention, and fixed latents, take the log
    as it is.
    """
    chosen = np.ones(fit.log.rows, bool)
    for site, value in do.fixed.items():
        if np.ndim(value):
            return None
        seen = _column(fit, site)
        if seen is not None:
            chosen &= seen == float(value)
        elif site == fit.scm.exposure and float(value) != 1.0:
            return None
    return chosen


def _by(fit: Fit, values: np.ndarray, rows: np.ndarray, by: str | None) -> dict[str, float]:
    log = fit.log
    if by in ("item", log.roles.item):
        codes, labels = log.item_codes, log.items.labels
    elif by in ("user", log.roles.user):
        codes, labels = log.user_codes, log.users.labels
    elif by is not None:
        codes, labels = by_column(log, by)
    else:
        return {}
    total = np.bincount(codes[rows], weights=values[rows], minlength=len(labels))
    count = np.bincount(codes[rows], minlength=len(labels))
    return {str(labels[k]): float(total[k] / count[k]) for k in np.flatnonzero(count)}


def by_column(log: InteractionLog, name: str) -> tuple[np.ndarray, list[str]]:
    """Codes of a column's values, one a row of the log, and the values as text; null is one of them, the last."""
    import pyarrow.compute as pc

    text = pc.dictionary_encode(log.table[name].combine_chunks().cast("string"))
    codes = text.indices.fill_null(len(text.dictionary)).to_numpy(zero_copy_only=False).astype(np.int64)
    return codes, [*(str(x) for x in text.dictionary.to_pylist()), "null"]
