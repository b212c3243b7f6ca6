"""Why an effect is not identified, and what would make it so."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import combinations, pairwise

import networkx as nx

from counterlog.identification.functional import Hedge
from counterlog.identification.projection import Mixed
from counterlog.identification.question import Question

#: Most unseen sites that are tried, sites that are asked for at once, and answers that are listed.
CANDIDATES, SIZE, LISTED = 16, 3, 4


def confounded(question: Question, mixed: Mixed, hedge: Hedge, effect_of: Iterable[str]) -> str:
    """The unseen common causes that make the hedge: a chain of them from a cause to what it acts on directly (Tian and
    Pearl 2002, theorem 3).
    """
    on, inside = question.on, mixed.bidirected.subgraph(hedge.outer)
    paths = [
        nx.shortest_path(inside, cause, end)
        for cause in sorted(set(effect_of) & hedge.outer)
        for end in sorted(set(mixed.directed.successors(cause)) & hedge.outer, key=lambda name: (name != on, name))
    ]
    path = min(paths, key=len)
    links = [(a, b, mixed.causes[frozenset((a, b))]) for a, b in pairwise(path)]
    if len(links) == 1:
        a, b, names = links[0]
        what = b if b == on else f"{b}, through which {a} acts on {on}"
        return f"unseen common causes of {a} and {what}: {_named(question, names)}"
    chain = "; ".join(f"{_named(question, names)} of {a} and {b}" for a, b, names in links)
    return f"a chain of unseen common causes ties {path[0]} to {path[-1]}, on which it acts: {chain}"


def _named(question: Question, names: Iterable[str]) -> str:
    half = f" (seen only where {question.exposure} = 1)"
    return ", ".join(name + half * (name in question.seen) for name in names)


def selected(question: Question) -> str:
    """What is asked about stands on exposed rows only, and nothing seen makes these speak for the others."""
    return (
        f"{question.on} is seen only where {question.exposure} = 1, and no set of seen sites makes it independent "
        f"of {question.exposure} given {', '.join(question.effect_of)}"
    )


def remedies(question: Question, works: Callable[[Question], bool]) -> tuple[str, ...]:
    """The smallest sets of unseen sites whose columns would identify the effect; every outcome, where these stand on
    exposed rows only; randomisation. Each is offered only if ``works`` says that it is enough.
    """
    from dataclasses import replace

    found = [
        f"a column that shows {names[0]}" if len(names) == 1 else f"columns that show {', '.join(names)}"
        for names in _smallest(question, works)
    ]
    if question.selected and works(replace(question, selected=frozenset())):
        found.append(
            f"{', '.join(sorted(question.selected))} of opportunities that were not exposed as well, or of some that "
            "were exposed at random"
        )
    for cause in question.effect_of:
        cut = question.graph.copy()
        cut.remove_edges_from(list(question.graph.in_edges(cause)))
        if cause in question.seen and works(replace(question, graph=cut)):
            found.append(f"a log in which {cause} was randomised, whatever the user, the item and the context")
    return tuple(found)


def _smallest(question: Question, works: Callable[[Question], bool]) -> list[tuple[str, ...]]:
    from dataclasses import replace

    near = set().union(*(nx.ancestors(question.graph, name) | {name} for name in (*question.effect_of, question.on)))
    if question.masked:
        near |= nx.ancestors(question.graph, question.exposure)
    unseen = [name for name in question.unseen if name in near][:CANDIDATES]
    for size in range(1, min(SIZE, len(unseen)) + 1):
        found = [
            names
            for names in combinations(sorted(unseen), size)
            if works(replace(question, seen=question.seen | set(names)))
        ]
        if found:
            return found[:LISTED]
    return []
