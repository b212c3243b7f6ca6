"""The complete identification algorithm of y0 (Shpitser and Pearl 2006), as a second opinion on every verdict."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

from counterlog.identification.projection import Mixed


def has_formula(mixed: Mixed, effect_of: Iterable[str], on: str) -> bool:
    """Whether P(on | do(effect_of)) follows from the distribution of the graph's sites, by y0.

    Only the verdict is taken. y0 0.2.11 gives P(Y | X) for the napkin graph, which is not its effect: line 6 of its
    algorithm forgets the distribution that line 7 has made.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from y0.algorithm.identify import identify_outcomes
        from y0.dsl import Variable
        from y0.graph import NxMixedGraph

    code = {name: Variable(f"V{k}") for k, name in enumerate(mixed.order())}
    graph = NxMixedGraph()
    for variable in code.values():
        graph.add_node(variable)
    for a, b in mixed.directed.edges:
        graph.add_directed_edge(code[a], code[b])
    for a, b in mixed.bidirected.edges:
        graph.add_undirected_edge(code[a], code[b])
    return identify_outcomes(graph, {code[name] for name in effect_of}, {code[on]}) is not None
