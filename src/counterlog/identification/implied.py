"""Which independences among the columns of a log the graph implies."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from typing import TYPE_CHECKING

import networkx as nx

from counterlog.identification.question import masked, observed, units

if TYPE_CHECKING:
    from counterlog.logs import InteractionLog
    from counterlog.model import SCM

#: Columns that are conditioned on at most, beside exposure where the log has exposed rows only.
SIZE = 4


def implied(scm: SCM, log: InteractionLog) -> list[tuple[str, str, tuple[str, ...]]]:
    """Pairs of seen sites without an edge and a smallest set of seen sites that separates them, in the program's order.

    Unseen sites are marginalised. Rows that are selected are conditioned on: rows without an exposure column are the
    exposed cells, clicks alone the clicked ones, and an outcome of exposed rows is only compared there.
    """
    graph, seen = units(scm), observed(scm, log)
    names = [name for name in graph if name in seen]
    always = _selected(scm, log, seen)
    found = []
    for a, b in combinations([name for name in names if name not in always], 2):
        needed = always | ({scm.exposure} if scm.outcome in (a, b) and masked(scm, log) else set())
        if {a, b} & needed or graph.has_edge(a, b) or graph.has_edge(b, a):
            continue
        chosen = separating(graph, a, b, needed, [name for name in names if name not in (a, b)])
        if chosen is not None:
            found.append((a, b, chosen))
    return found


def separating(
    graph: nx.DiGraph, a: str, b: str, needed: Iterable[str], usable: Iterable[str]
) -> tuple[str, ...] | None:
    """The smallest set with ``needed`` in it that d-separates two sites, first by name; None if there is none."""
    fixed = set(needed)
    near = nx.ancestors(graph, a) | nx.ancestors(graph, b)
    for name in fixed:
        near |= nx.ancestors(graph, name)
    more = sorted((set(usable) & near) - fixed - {a, b})
    for size in range(min(SIZE, len(more)) + 1):
        for extra in combinations(more, size):
            if nx.is_d_separator(graph, {a}, {b}, fixed | set(extra)):
                return tuple(sorted(fixed | set(extra)))
    return None


def _selected(scm: SCM, log: InteractionLog, seen: frozenset[str]) -> set[str]:
    """Sites that have one value in all rows because the rows were selected by it."""
    if log.clicks_only:
        return {scm.outcome} | ({scm.exposure} & seen)
    return {scm.exposure} if log.exposure is None and scm.exposure in seen else set()
