"""What DoWhy proposes: adjustment sets, front-door sets, instruments. The only importer of dowhy; nothing here is
trusted before `criteria` has checked it.

DoWhy iterates over sets of names, whose order changes from process to process; it is given numbers instead, so that the
same graph always gets the same answer.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import networkx as nx


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
