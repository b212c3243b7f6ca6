"""What DoWhy proposes: adjustment sets, front-door sets, instruments, none of them trusted before `criteria` has
checked it; and its estimate of a back-door effect with its refuters. The only importer of dowhy.

DoWhy iterates over sets of names, whose order changes from process to process; it is given numbers instead, so that the
same graph always gets the same answer.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import networkx as nx
import numpy as np

from counterlog import rng as _rng


def adjustment_set(graph: nx.DiGraph, effect_of: Iterable[str], on: str, seen: Iterable[str]) -> set[str] | None:
    """A minimal set to adjust for, or None where no set of seen sites is one, by the complete adjustment criterion (van
    der Zander, Liskiewicz and Textor 2014, UAI).

    DoWhy's efficient sets are not used: `EfficientBackdoor` of dowhy 0.14 raises where two directed paths begin with
    the same edge. Its exhaustive search for back-door sets needs 2^n steps to say no.
    """
    identifier = _identifier()
    numbers, name = _numbered(graph)
    found = identifier.identify_generalized_adjustment_set(
        _plain(nx.relabel_nodes(graph, numbers)),
        [numbers[x] for x in effect_of],
        [numbers[on]],
        [numbers[x] for x in seen],
        identifier.GeneralizedAdjustment.GENERALIZED_ADJUSTMENT_DEFAULT,
    )
    return {name[x] for x in found[0].get_adjustment_variables()} if found else None


def front_door_set(graph: nx.DiGraph, cause: str, on: str, seen: Iterable[str]) -> set[str] | None:
    """A set of mediators that meets the front-door criterion (not always the smallest), or None."""
    numbers, name = _numbered(graph)
    coded = nx.relabel_nodes(graph, numbers)
    found = _identifier().identify_frontdoor(_plain(coded), [numbers[cause]], [numbers[on]], [numbers[x] for x in seen])
    return {name[x] for x in found} or None


def instruments(graph: nx.DiGraph, effect_of: Iterable[str], on: str) -> set[str]:
    """Causes of ``effect_of`` that reach ``on`` through it alone, seen or not."""
    _identifier()
    from dowhy.graph import get_instruments

    numbers, name = _numbered(graph)
    coded = nx.relabel_nodes(graph, numbers)
    return {name[x] for x in get_instruments(_plain(coded), [numbers[x] for x in effect_of], [numbers[on]])}


def _identifier() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from dowhy.causal_identifier import auto_identifier
    return auto_identifier


def _numbered(graph: nx.DiGraph) -> tuple[dict[str, int], dict[int, str]]:
    """Numbers by name in topological order, ties by name. From 1, since DoWhy takes 0 for 'nothing'."""
    order = nx.lexicographical_topological_sort(graph)
    numbers = {name: k for k, name in enumerate(order, start=1)}
    return numbers, {k: name for name, k in numbers.items()}


def _plain(graph: nx.DiGraph) -> nx.DiGraph:
    """A copy without attributes: DoWhy writes into the graph that it is given."""
    copy = nx.DiGraph()
    copy.add_nodes_from(sorted(graph))
    copy.add_edges_from(sorted(graph.edges))
    return copy


@dataclass(frozen=True)
class Doubts:
    """A back-door estimate of the mean outcome of what is exposed, and what DoWhy's refuters make of it.

    ``sd`` is its sampling error with whole users drawn. Each of the others is a mean over simulations and its two-sided
    p-value: ``placebo`` should be near 0, ``random_cause`` and ``subset`` near ``estimate``.
    """

    estimate: float
    sd: float
    placebo: tuple[float, float]
    random_cause: tuple[float, float]
    subset: tuple[float, float]


def doubts(
    treatment: np.ndarray,
    outcome: np.ndarray,
    covariates: np.ndarray,
    groups: np.ndarray,
    rng: int,
    simulations: int = 40,
) -> Doubts:
    """DoWhy's estimate by inverse propensities (logistic in splines of the covariates), and its own refuters.

    The propensity estimator of dowhy 0.14 writes its scores into the frame that it is given, and takes such a column
    for its own when it meets it again: each call gets a frame of its own. The p-values of its refuters are of one tail;
    here they are doubled.

    Parameters
    ----------
    treatment
        0 or 1, ``[n]``.
    outcome
        The outcome of treated rows and 0 for all others, so that the effect is the mean outcome under treatment,
        ``[n]``.
    covariates
        What is adjusted for, ``[n, p]``, p at least 1.
    groups
        The user of each row, ``[n]``.
    """
    import pandas as pd

    identifier = _identifier()
    names = [f"x{k}" for k in range(covariates.shape[1])]
    data = pd.DataFrame({**dict(zip(names, covariates.T, strict=True)), "t": treatment.astype(bool), "y": outcome})
    graph = nx.DiGraph([*((x, end) for x in names for end in ("t", "y")), ("t", "y")])
    seed = _rng.derive(rng, "dowhy") % 2**31
    common: dict[str, Any] = {"num_simulations": simulations, "show_progress_bar": False, "n_jobs": 1}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from dowhy.causal_refuters import refute_data_subset, refute_placebo_treatment, refute_random_common_cause

        estimand = identifier.identify_effect_auto(
            graph, ["t"], ["y"], list(graph), identifier.EstimandType.NONPARAMETRIC_ATE
        )
        estimand.set_identifier_method("backdoor")
        effect = _by_propensity(estimand, data)
        placebo = refute_placebo_treatment(
            data, estimand, effect, ["t"], placebo_type="permute", random_state=_state(seed), **common
        )
        random = refute_random_common_cause(data, estimand, effect, random_state=_state(seed + 1), **common)
        subset = refute_data_subset(
            data, estimand, effect, subset_fraction=0.5, random_state=_state(seed + 2), **common
        )
        # a half drawn without replacement varies around the whole as the whole around the truth
        generator, users, halves = _rng.generator(rng, "dowhy halves"), np.unique(groups), []
        for _ in range(simulations):
            chosen = np.isin(groups, generator.permutation(users)[: len(users) // 2])
            halves.append(_by_propensity(estimand, data[chosen]).value)
    return Doubts(float(effect.value), float(np.std(halves)), *(_found(r) for r in (placebo, random, subset)))


def _by_propensity(estimand: Any, data: Any) -> Any:
    from dowhy.causal_estimators.propensity_score_weighting_estimator import PropensityScoreWeightingEstimator
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import SplineTransformer, StandardScaler

    model = make_pipeline(
        StandardScaler(), SplineTransformer(n_knots=4, extrapolation="linear"), LogisticRegression(max_iter=1000)
    )
    estimator = PropensityScoreWeightingEstimator(
        estimand, propensity_score_model=model, min_ps_score=0.01, max_ps_score=0.99
    )
    own = data.copy()
    return estimator.fit(own).estimate_effect(own, control_value=0, treatment_value=1, target_units="ate")


def _found(refutation: Any) -> tuple[float, float]:
    """The mean of a refuter's simulations and its p-value of both tails; 1 where they do not vary."""
    p = float(refutation.refutation_result["p_value"])
    return float(refutation.new_effect), min(1.0, 2.0 * p) if np.isfinite(p) else 1.0


def _state(seed: int) -> np.random.RandomState:
    return np.random.RandomState(seed)  # what DoWhy takes
