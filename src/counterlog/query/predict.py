"""`predict`: what a user would do with an item if it were exposed, and how probable the exposure is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import torch

from counterlog import rng as _rng
from counterlog.errors import InputError, UnknownNameError
from counterlog.inference.cells import encode, group_codes
from counterlog.inference.population import Population, pieces
from counterlog.model.interventions import Intervention
from counterlog.model.worlds import level_probs, run
from counterlog.query.overlap import propensity

if TYPE_CHECKING:
    from counterlog.inference import Fit


def predict(
    fit: Fit,
    pairs: Any,
    rng: int = 0,
    draws: int = 50,
    progress: Callable[[int, int], None] | None = None,
) -> pa.Table:
    """Posterior predictive of the outcome under exposure, for each pair of user and item.

    Parameters
    ----------
    pairs
        A pandas, Polars or Arrow frame with the log's user and item columns (or ``user`` and ``item``), and the columns
        that the program reads for an opportunity. All ids must be known to the fit. Where rows stay together, those of
        a user and a value are one group, and all are shown: give whole slates.
    rng
        Seed of the draws.
    draws
        Posterior draws.

    Returns
    -------
    pyarrow.Table
        The pairs' user and item, then ``mean``, ``sd``, ``q05``, ``q50``, ``q95`` of the outcome (in the log's units),
        ``p_LEVEL`` for each rating level (``p_1`` .. ``p_5``), and ``propensity``, the model's P(exposure = 1).

    Raises
    ------
    InputError, UnknownNameError
        A column is missing, or a user or an item is unknown to the fit; named, nothing is guessed.
    """
    if draws < 1:
        raise InputError(f"draws must be at least 1; given {draws}")
    cells, scm = fit.cells, fit.scm
    table, whole = _population(fit, pairs)
    do = Intervention(fixed={scm.exposure: 1.0})
    n, levels = len(whole), np.asarray(cells.levels)
    k = len(levels)
    probs = np.zeros((n, k), np.float32)
    first, second, chance = np.zeros(n), np.zeros(n), np.zeros(n)
    drawn = np.zeros((draws, n), np.float32) if k == 0 and fit.log.roles.outcome_kind != "click" else None
    back = None
    if cells.together is not None:
        order = np.argsort(whole.columns[cells.together], kind="stable")
        whole, back = whole.take(order), np.argsort(order)
    parts = list(pieces(cells, whole))
    for number, draw in enumerate(fit.draws(draws, rng)):
        for piece in parts:
            where = slice(piece.start, piece.start + len(piece.part))
            with _rng.seeded(rng, "predict", number, piece.start):
                world = run(scm, piece.view, piece.given(draw), do)
            fn = world.fns[scm.outcome]
            if k:
                probs[where] += level_probs(fn, k).expand(len(piece.part), k).numpy() / draws
            else:
                mean = world.mean(scm.outcome).double().numpy()
                first[where] += mean / draws
                second[where] += (mean**2 + fn.variance.double().numpy()) / draws
                if drawn is not None:
                    drawn[number, where] = world.values[scm.outcome].numpy()
            chance[where] += propensity(fit, piece, draw, (rng, number)) / draws
        if progress is not None:
            progress(number + 1, draws)
    columns = dict(zip(("mean", "sd", "q05", "q50", "q95"), _summary(probs, levels, first, second, drawn), strict=True))
    columns |= {f"p_{level:g}": probs[:, j] for j, level in enumerate(cells.levels)}
    for name, values in {**columns, "propensity": np.clip(chance, 0.0, 1.0)}.items():
        values = values if back is None else values[back]
        table = table.append_column(name, pa.array(values.astype(np.float64)))
    return table


def _summary(
    probs: np.ndarray, levels: np.ndarray, first: np.ndarray, second: np.ndarray, drawn: np.ndarray | None
) -> tuple[np.ndarray, ...]:
    """Mean, standard deviation and three quantiles of the predictive distribution of each pair."""
    quantiles = (0.05, 0.5, 0.95)
    if len(levels):
        mean = probs @ levels
        sd = np.sqrt(np.maximum(probs @ levels**2 - mean**2, 0.0))
        below = np.cumsum(probs, 1)
        return mean, sd, *(levels[np.minimum((below < q - 1e-6).sum(1), len(levels) - 1)] for q in quantiles)
    sd = np.sqrt(np.maximum(second - first**2, 0.0))
    if drawn is None:  # a coin: its quantiles are 0 or 1
        return first, sd, *((1.0 - first < q).astype(np.float64) for q in quantiles)
    return first, sd, *np.quantile(drawn, quantiles, axis=0)


def _population(fit: Fit, pairs: Any) -> tuple[pa.Table, Population]:
    import narwhals as nw

    try:
        table = pairs if isinstance(pairs, pa.Table) else nw.from_native(pairs, eager_only=True).to_arrow()
    except TypeError:
        raise InputError(f"pairs must be a pandas, Polars or Arrow table; given {type(pairs).__name__}") from None
    log = fit.log
    names = {}
    for role, column in (("user", log.roles.user), ("item", log.roles.item)):
        found = next((c for c in (column, role) if c in table.column_names), None)
        if found is None:
            raise InputError(
                f"the table of pairs has no column {column!r} for the {role}; its columns: "
                f"{', '.join(table.column_names)}"
            )
        names[role] = found
    if table.num_rows == 0:
        raise InputError("the table of pairs has no rows")
    user, item = log.users.codes(table[names["user"]]), log.items.codes(table[names["item"]])
    columns = {}
    for name, values in fit.cells.columns.items():
        if name not in table.column_names:
            _may_lack(name, fit)
            continue
        try:
            if name == fit.scm.together:
                given = group_codes(user, table[name])
            elif name in log.roles.context:
                given = encode(log, name, table[name])
            else:
                given = table[name].cast(pa.float64()).to_numpy(zero_copy_only=False).astype(np.float32)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise InputError(f"column {name!r} of the pairs: {error}") from None
        if np.isnan(given).any():
            raise InputError(f"{int(np.isnan(given).sum())} pairs have no {name!r}; fill them in or leave them out")
        columns[name] = given.astype(values.dtype)
    return table.select([names["user"], names["item"]]), Population(user, item, columns, None, f"{len(table):,} pairs")


def _may_lack(name: str, fit: Fit) -> None:
    """A site between exposure and its causes is drawn from its mechanism, being of no matter once exposure is set, and
    so is what follows exposure; anything else must be given.
    """
    import networkx as nx

    graph = fit.scm.graph()
    if name in nx.descendants(graph, fit.scm.exposure):
        return  # drawn from its mechanism once exposure is set, given or not
    if name in graph:
        without = graph.subgraph(set(graph) - {fit.scm.exposure})
        if fit.scm.outcome not in nx.descendants(without, name):
            return
    elif not _reads(name, fit):
        return
    raise InputError(
        f"the table of pairs has no column {name!r}, on which {fit.scm.outcome!r} depends in {fit.scm.name}"
    )


def _reads(name: str, fit: Fit) -> bool:
    """Whether the program asks for this context."""
    from counterlog.model.view import tiny_view

    others = {n: torch.zeros(12, dtype=torch.int64) for n in fit.cells.columns if n != name}
    try:
        fit.scm.sites(tiny_view(context=others))
    except UnknownNameError:
        return True
    return False
