"""A layered layout of a small directed acyclic graph: causes on the left, effects on the right, no edge through a node.

The usual four steps (Sugiyama, Tagawa and Toda 1981): ranks, an order within each rank with few crossings, positions,
and routes. An edge that skips a rank gets a slot of its own there, so that it passes between nodes, not behind them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import networkx as nx
import numpy as np

Size = tuple[float, float]
Point = tuple[float, float]
Edge = tuple[str, str]
#: A place in a column: a node, or an edge (from, to, rank) that passes through.
Slot = str | tuple[str, str, int]

#: Rounds of ordering and of positioning; small graphs settle within half of them.
ROUNDS = 16


@dataclass(frozen=True)
class Box:
    """Where a node stands: its centre and its size."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Layout:
    """Boxes of the nodes, the points that each edge passes, and the size of the whole; y grows downwards."""

    boxes: dict[str, Box]
    routes: dict[Edge, list[Point]]
    width: float
    height: float


def layered(
    graph: nx.DiGraph,
    sizes: Mapping[str, Size],
    *,
    column_gap: float,
    row_gap: float,
    first: Callable[[str], int] = lambda _: 0,
) -> Layout:
    """Place the nodes in columns by rank.

    Parameters
    ----------
    graph
        A directed acyclic graph; its order of nodes settles ties, so the same graph always looks the same.
    sizes
        Width and height of each node.
    column_gap, row_gap
        Free space between columns (more where many edges pass) and between the nodes of a column.
    first
        Nodes with a smaller value start higher in their column; nodes that belong together stay together.
    """
    if not graph:
        return Layout({}, {}, 0.0, 0.0)
    ranks = _ranks(graph)
    columns, chains = _columns(graph, ranks, first)
    columns = _untangle(columns, chains)
    heights = {
        slot: sizes[slot][1] if isinstance(slot, str) else 0.5 * row_gap for column in columns for slot in column
    }
    rows = _rows(columns, chains, heights, row_gap)
    return _place(graph, sizes, columns, chains, rows, heights, column_gap)


def _ranks(graph: nx.DiGraph) -> dict[str, int]:
    """Longest path from the causes; a node with more effects than causes moves up to its first effect."""
    ranks: dict[str, int] = {}
    for node in nx.topological_sort(graph):
        ranks[node] = max((ranks[parent] + 1 for parent in graph.predecessors(node)), default=0)
    for node in reversed(list(nx.topological_sort(graph))):
        if graph.out_degree(node) and graph.out_degree(node) >= graph.in_degree(node):
            ranks[node] = min(ranks[child] for child in graph.successors(node)) - 1
    return ranks


def _columns(
    graph: nx.DiGraph, ranks: Mapping[str, int], first: Callable[[str], int]
) -> tuple[list[list[Slot]], dict[Edge, list[Slot]]]:
    """The nodes of each rank, and for each edge the chain of slots from its cause to its effect."""
    columns: list[list[Slot]] = [[] for _ in range(max(ranks.values()) + 1)]
    for node in sorted(graph, key=first):
        columns[ranks[node]].append(node)
    chains: dict[Edge, list[Slot]] = {}
    for start, end in graph.edges:
        between: list[Slot] = [(start, end, rank) for rank in range(ranks[start] + 1, ranks[end])]
        for slot, rank in zip(between, range(ranks[start] + 1, ranks[end]), strict=True):
            columns[rank].append(slot)
        chains[start, end] = [start, *between, end]
    return columns, chains


def _neighbours(
    chains: Mapping[Edge, list[Slot]],
) -> tuple[dict[Slot, list[Slot]], dict[Slot, list[Slot]]]:
    before: dict[Slot, list[Slot]] = {}
    after: dict[Slot, list[Slot]] = {}
    for chain in chains.values():
        for left, right in pairwise(chain):
            after.setdefault(left, []).append(right)
            before.setdefault(right, []).append(left)
    return before, after


def _untangle(columns: list[list[Slot]], chains: Mapping[Edge, list[Slot]]) -> list[list[Slot]]:
    """Order each column by its neighbours' mean place, sweeping to and fro; the round with fewest crossings wins."""
    before, after = _neighbours(chains)
    best, fewest = columns, _crossings(columns, after)
    columns = [list(column) for column in columns]
    for sweep in range(ROUNDS):
        beside = before if sweep % 2 == 0 else after
        for column in columns if sweep % 2 == 0 else reversed(columns):
            place = {node: i - (len(c) - 1) / 2 for c in columns for i, node in enumerate(c)}
            column.sort(key=lambda node: np.mean([place[n] for n in beside.get(node, [node])]))
        crossed = _crossings(columns, after)
        if crossed < fewest:
            best, fewest = [list(column) for column in columns], crossed
    return best


def _crossings(columns: list[list[Slot]], after: Mapping[Slot, list[Slot]]) -> int:
    place = {node: i for column in columns for i, node in enumerate(column)}
    found = 0
    for column in columns:
        lines = [(place[node], place[end]) for node in column for end in after.get(node, [])]
        found += sum((a - c) * (b - d) < 0 for i, (a, b) in enumerate(lines) for c, d in lines[i + 1 :])
    return found


def _rows(
    columns: list[list[Slot]], chains: Mapping[Edge, list[Slot]], heights: Mapping[Slot, float], gap: float
) -> dict[Slot, float]:
    """The height of each node's centre: near its neighbours' mean, never closer than ``gap`` to the next node."""
    from scipy.optimize import isotonic_regression

    before, after = _neighbours(chains)
    offsets: list[np.ndarray] = []
    rows: dict[Slot, float] = {}
    for column in columns:
        tall = np.array([heights[node] for node in column])
        offset = np.concatenate([[0.0], np.cumsum((tall[:-1] + tall[1:]) / 2 + gap)])
        offsets.append(offset)
        rows.update(zip(column, offset - offset[-1] / 2, strict=True))
    for sweep in range(ROUNDS):
        order = range(len(columns)) if sweep % 2 == 0 else range(len(columns) - 1, -1, -1)
        for i in order:
            column, offset = columns[i], offsets[i]
            beside = [[*before.get(node, []), *after.get(node, [])] or [node] for node in column]
            wanted = np.array([np.mean([rows[n] for n in near]) for near in beside])
            # Keeping the order and the gaps is a monotone fit of what is wanted, less the offsets of a packed column.
            fitted = isotonic_regression(wanted - offset, weights=[float(len(near)) for near in beside]).x
            rows.update(zip(column, fitted + offset, strict=True))
    return {node: float(row) for node, row in rows.items()}


def _place(
    graph: nx.DiGraph,
    sizes: Mapping[str, Size],
    columns: list[list[Slot]],
    chains: Mapping[Edge, list[Slot]],
    rows: Mapping[Slot, float],
    heights: Mapping[Slot, float],
    column_gap: float,
) -> Layout:
    top = min(rows[node] - heights[node] / 2 for node in rows)
    rank = {node: i for i, column in enumerate(columns) for node in column}
    passing = [0] * (len(columns) + 1)
    for chain in chains.values():
        for slot in chain[:-1]:
            passing[rank[slot]] += 1
    sides, x = [], 0.0
    for i, column in enumerate(columns):
        wide = max((sizes[slot][0] for slot in column if isinstance(slot, str)), default=0.0)
        sides.append((x, x + wide))
        x += wide + column_gap * (1 + min(passing[i], 24) / 24)
    boxes = {node: Box(sum(sides[rank[node]]) / 2, rows[node] - top, sizes[node][0], sizes[node][1]) for node in graph}
    routes: dict[Edge, list[Point]] = {}
    for (start, end), chain in chains.items():
        points: list[Point] = []
        for slot in chain[1:-1]:
            left, right = sides[rank[slot]]
            points += [(left, rows[slot] - top), (right, rows[slot] - top)]
        routes[start, end] = points
    low = max(rows[node] + heights[node] / 2 for node in rows)
    return Layout(boxes, routes, sides[-1][1], low - top)
