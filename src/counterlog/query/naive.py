"""The answer that the log gives when it is read as it is: the association that a correction is compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from counterlog.inference import Fit
    from counterlog.model.interventions import Intervention


def naive_answer(
    fit: Fit, on: str, do: Intervention, versus: Intervention | None, by: str | None
) -> tuple[float | None, dict[str, float]]:
    """Mean of ``on`` over the rows where what was done happened by itself; for a contrast the difference of two such means.

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
    if on == fit.scm.outcome:
        first = first & np.isfinite(values) & _exposed(fit)
    if versus is None:
        if not first.any():
            return None, {}
        return float(values[first].mean()), _by(fit, values, first, by)
    second = _rows(fit, versus)
    if second is None:
        return None, {}
    second = second & np.isfinite(values)
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
        return log.outcome
    if site == fit.scm.exposure:
        return log.exposure
    if site == "position":
        return log.position
    if site in log.roles.context and fit.cells.columns:
        values = np.empty(log.rows)
        values[fit.cells.order] = fit.cells.columns[site]
        return values
    return None


def _exposed(fit: Fit) -> np.ndarray:
    return np.ones(fit.log.rows, bool) if fit.log.exposure is None else fit.log.exposure > 0


def _rows(fit: Fit, do: Intervention) -> np.ndarray | None:
    """The rows in which every fixed site had that value; other kinds of intervention, and fixed latents, take the log as it is."""
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
        text = [str(x) if x is not None else "null" for x in log.table[by].to_pylist()]
        labels, codes = np.unique(text, return_inverse=True)  # type: ignore[assignment]
    else:
        return {}
    total = np.bincount(codes[rows], weights=values[rows], minlength=len(labels))
    count = np.bincount(codes[rows], minlength=len(labels))
    return {str(labels[k]): float(total[k] / count[k]) for k in np.flatnonzero(count)}
