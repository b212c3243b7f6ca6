"""Small causal graphs as Pyro programs, their exact joint distributions, and formulas evaluated on these."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations, pairwise

import networkx as nx
import numpy as np
import pyro
import pyro.distributions as dist

from counterlog import SCM, scm
from counterlog.identification.functional import Formula, Given, Over, Times


def edges_of(drawing: str) -> list[tuple[str, str]]:
    """The edges of ``"a -> b -> c; u -> a, c"``."""
    found = []
    for chain in drawing.split(";"):
        ends = [[name.strip() for name in part.split(",")] for part in chain.split("->")]
        found += [(a, b) for left, right in pairwise(ends) for a in left for b in right]
    return found


def program(drawing: str, latent: Sequence[str] = (), exposure: str = "exposure", outcome: str = "click") -> SCM:
    """A program with these edges: every site is Gaussian around the sum of its causes, exposure and outcome are
    yes or no.
    """
    graph = nx.DiGraph(edges_of(drawing))
    order = list(nx.lexicographical_topological_sort(graph))

    def world(view):
        with view.opportunities():
            values = {}
            for name in order:
                mean = sum((values[cause] for cause in sorted(graph.predecessors(name))), start=0.3)
                if name in (exposure, outcome):
                    law = dist.Bernoulli(logits=mean if hasattr(mean, "shape") else 0.3)
                else:
                    law = dist.Normal(mean, 1.0)
                values[name] = pyro.sample(name, law)

    return scm(exposure=exposure, outcome=outcome, latent=tuple(latent))(world)


class Joint:
    """The exact law of a graph of binary sites with random tables; arrays have one axis a site, of size 2 or 1."""

    def __init__(self, graph: nx.DiGraph, seed: int) -> None:
        self.graph = graph
        self.names = list(nx.lexicographical_topological_sort(graph))
        rng = np.random.default_rng(seed)
        self.tables = {}
        for name in self.names:
            axes = {name, *graph.predecessors(name)}
            one = rng.uniform(0.1, 0.9, [2 if other in axes and other != name else 1 for other in self.names])
            self.tables[name] = np.concatenate([1 - one, one], axis=self.axis(name))

    def axis(self, name: str) -> int:
        return self.names.index(name)

    def sum(self, array: np.ndarray, names: Iterable[str]) -> np.ndarray:
        """Sum over some sites, which stay as axes of size 1."""
        axes = [self.axis(name) for name in names]
        shape = [2 if k in axes else size for k, size in enumerate(array.shape)]
        return np.broadcast_to(array, shape).sum(axis=tuple(axes), keepdims=True)

    def law(self, done: Iterable[str] = ()) -> np.ndarray:
        """The joint of all sites, with the tables of ``done`` left out: truncated factorisation."""
        whole = np.ones([1] * len(self.names))
        for name in self.names:
            if name not in set(done):
                whole = whole * self.tables[name]
        return whole

    def effect(self, done: Sequence[str], on: str) -> np.ndarray:
        """P(on | do(done)), axes of ``done`` and ``on`` only."""
        return self.sum(self.law(done), [name for name in self.names if name not in (*done, on)])

    def given(self, of: str, given: Iterable[str]) -> np.ndarray:
        """P(of | given)."""
        kept = {of, *given}
        both = self.sum(self.law(), [name for name in self.names if name not in kept])
        return both / self.sum(both, [of])

    def value(self, formula: Formula) -> np.ndarray:
        """The formula's value, with an axis for each site that it leaves free."""
        if isinstance(formula, Given):
            return self.given(formula.of, formula.given)
        if isinstance(formula, Times):
            whole = np.ones([1] * len(self.names))
            for factor in formula.factors:
                whole = whole * self.value(factor)
            return whole
        if isinstance(formula, Over):
            return self.sum(self.value(formula.of), formula.sites)
        return self.value(formula.top) / self.value(formula.bottom)


def random_graph(rng: np.random.Generator, seen: int = 4, unseen: int = 3) -> tuple[nx.DiGraph, frozenset[str]]:
    """A random graph of x, y and others that are seen, x before y, and unseen causes of two or three of them; some of
    the others are unseen as well.
    """
    names = [f"v{k}" for k in range(seen - 2)]
    order = [str(name) for name in rng.permutation([*names, "x", "y"])]
    if order.index("x") > order.index("y"):
        a, b = order.index("x"), order.index("y")
        order[a], order[b] = "y", "x"
    graph = nx.DiGraph()
    graph.add_nodes_from(order)
    chance = rng.uniform(0.3, 0.8)
    graph.add_edges_from((a, b) for k, a in enumerate(order) for b in order[k + 1 :] if rng.random() < chance)
    for k in range(unseen):
        children = rng.choice(order, size=int(rng.integers(2, 4)), replace=False)
        graph.add_edges_from((f"u{k}", str(child)) for child in children)
    return graph, frozenset({"x", "y"} | {name for name in names if rng.random() < 0.8})


def subsets(names: Iterable[str]) -> list[tuple[str, ...]]:
    """All subsets, the smallest first."""
    listed = sorted(names)
    return [chosen for size in range(len(listed) + 1) for chosen in combinations(listed, size)]
