"""What is left of a column when others have explained what they can: cross-fitted by user."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from counterlog.logs import InteractionLog

FOLDS = 3
#: Levels of a text column that have an indicator each, and how often they must occur.
LEVELS, OFTEN = 8, 20


def numbers(log: InteractionLog, column: str, rows: np.ndarray) -> np.ndarray:
    """A column as float64 ``[rows, k]``: a number as itself (k = 1), anything else as indicators of its frequent levels
    but the most frequent.
    """
    values = log.table[column].take(pa.array(rows))
    if pa.types.is_integer(values.type) or pa.types.is_floating(values.type) or pa.types.is_boolean(values.type):
        return np.asarray(values.cast(pa.float64()).to_numpy(zero_copy_only=False)).reshape(-1, 1)
    text = values.cast(pa.string())
    counts = sorted(pc.value_counts(text).to_pylist(), key=lambda entry: (-entry["counts"], str(entry["values"])))
    levels = [entry["values"] for entry in counts if entry["counts"] >= OFTEN][1 : LEVELS + 1]
    array = np.asarray(text.to_pylist(), dtype=object)
    return np.stack([array == level for level in levels], axis=1).astype(float) if levels else np.zeros((len(rows), 0))


def residuals(target: np.ndarray, causes: np.ndarray, users: np.ndarray, rng: int) -> np.ndarray:
    """``target`` ``[n, k]`` minus its expectation given ``causes`` ``[n, p]``, as predicted from other users' rows."""
    if causes.shape[1] == 0:
        centred: np.ndarray = target - target.mean(0)
        return centred
    from sklearn.model_selection import GroupKFold

    left = np.empty_like(target)
    for train, test in GroupKFold(FOLDS).split(causes, groups=users):
        for k in range(target.shape[1]):
            predict = _fitted(causes[train], target[train, k], users[train], rng)
            left[test, k] = target[test, k] - predict(causes[test])
    return left


def _fitted(causes: np.ndarray, target: np.ndarray, users: np.ndarray, rng: int) -> Any:
    """Additive splines with a ridge, and boosted trees on what these leave, where that predicts other users better.

    Splines alone miss interactions; trees alone shrink every smooth effect, and what they leave of a common cause would
    look like a dependence.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.model_selection import GroupShuffleSplit

    smooth = _smooth(causes, target)
    rest = target - smooth.predict(causes)
    trees = HistGradientBoostingRegressor(
        max_iter=60, learning_rate=0.1, max_leaf_nodes=15, early_stopping=False, random_state=rng
    )
    if len(np.unique(users)) > 4:
        split = GroupShuffleSplit(1, test_size=0.3, random_state=rng).split(causes, groups=users)
        train, test = next(split)
        first = _smooth(causes[train], target[train])
        trees.fit(causes[train], target[train] - first.predict(causes[train]))
        before = target[test] - first.predict(causes[test])
        if np.mean((before - trees.predict(causes[test])) ** 2) < np.mean(before**2):
            trees.fit(causes, rest)
            return lambda x: smooth.predict(x) + trees.predict(x)
    return smooth.predict


def _smooth(causes: np.ndarray, target: np.ndarray) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import SplineTransformer

    many = [k for k in range(causes.shape[1]) if len(np.unique(causes[:, k])) > 8]
    bases = ColumnTransformer(
        [("splines", SplineTransformer(n_knots=6, knots="quantile", extrapolation="linear"), many)],
        remainder="passthrough",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # quantiles that coincide where values do
        return make_pipeline(bases, RidgeCV(np.logspace(-3, 3, 13))).fit(causes, target)
