"""A causal graph projected on what is seen: directed edges, and bidirected edges for unseen causes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations

import networkx as nx


@dataclass(frozen=True, eq=False)
class Mixed:
    """An acyclic directed mixed graph.

    ``directed`` and ``bidirected`` have the same nodes; ``causes`` names for each bidirected edge the unseen sites that
    it stands for.
    """

    directed: nx.DiGraph
    bidirected: nx.Graph
    causes: Mapping[frozenset[str], tuple[str, ...]]

    def within(self, nodes: Iterable[str]) -> Mixed:
        """The part of the graph on some of its nodes."""
        kept = set(nodes)
        return Mixed(self.directed.subgraph(kept), self.bidirected.subgraph(kept), self.causes)

    def ancestors(self, nodes: Iterable[str]) -> set[str]:
        """``nodes`` and whatever has a directed path to them."""
        found = set(nodes)
        for node in tuple(found):
            found |= nx.ancestors(self.directed, node)
        return found

    def districts(self) -> list[set[str]]:
        """Maximal sets joined by bidirected edges (c-components), in the order of their first node."""
        order = {name: k for k, name in enumerate(self.order())}
        return sorted(nx.connected_components(self.bidirected), key=lambda part: min(order[name] for name in part))

    def district(self, name: str) -> set[str]:
        """The district of one node."""
        found: set[str] = nx.node_connected_component(self.bidirected, name)
        return found

    def order(self) -> list[str]:
        """A topological order, ties by name: the same graph always gives the same formulas."""
        return list(nx.lexicographical_topological_sort(self.directed))


def project(graph: nx.DiGraph, seen: Iterable[str]) -> Mixed:
    """The latent projection (Verma and Pearl 1990): what a graph with unseen sites says about the seen ones.

    ``a -> b`` where a directed path leads from a to b through unseen sites only; ``a <-> b`` where an unseen site has
    such paths to both. Identification from the seen sites is the same in the graph and in its projection.
    """
    kept = [name for name in graph if name in set(seen)]
    hidden = [name for name in graph if name not in set(seen)]
    directed, bidirected = nx.DiGraph(), nx.Graph()
    directed.add_nodes_from(kept)
    bidirected.add_nodes_from(kept)
    for name in kept:
        directed.add_edges_from((name, child) for child in _reached(graph, name, set(hidden)))
    causes: dict[frozenset[str], list[str]] = {}
    for name in hidden:
        for pair in combinations(sorted(_reached(graph, name, set(hidden))), 2):
            bidirected.add_edge(*pair)
            causes.setdefault(frozenset(pair), []).append(name)
    return Mixed(directed, bidirected, {pair: tuple(sorted(names)) for pair, names in causes.items()})


def _reached(graph: nx.DiGraph, start: str, hidden: set[str]) -> set[str]:
    """The seen sites to which a directed path leads from ``start`` through unseen sites only."""
    found: set[str] = set()
    stack, known = [start], {start}
    while stack:
        for child in graph.successors(stack.pop()):
            if child not in hidden:
                found.add(child)
            elif child not in known:
                known.add(child)
                stack.append(child)
    return found
