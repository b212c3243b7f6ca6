"""Graphical criteria, checked by d-separation (networkx) whoever proposed the set."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations

import networkx as nx

from counterlog.identification.functional import Formula, Given, Over, Times, leaves, over, times

#: Subsets of seen sites are tried up to this number of them.
MOST = 14


def below(graph: nx.DiGraph, sites: Iterable[str]) -> set[str]:
    """``sites`` and whatever they have an effect on."""
    found = set(sites)
    for name in tuple(found):
        found |= nx.descendants(graph, name)
    return found


def acting(graph: nx.DiGraph, effect_of: Iterable[str], on: str) -> list[str]:
    """The causes that still reach ``on`` when all of them are set (rule 3 of the do-calculus drops the others)."""
    causes = list(effect_of)
    cut = graph.copy()
    cut.remove_edges_from([edge for name in causes for edge in graph.in_edges(name)])
    return [name for name in causes if on in nx.descendants(cut, name)]


def is_adjustment_set(graph: nx.DiGraph, effect_of: Iterable[str], on: str, chosen: Iterable[str]) -> bool:
    """The complete adjustment criterion (Shpitser, VanderWeele and Robins 2010; van der Zander et al. 2014): nothing on
    or below a proper causal path, and all other paths blocked.
    """
    causes, given = set(effect_of), set(chosen)
    post, into = graph.copy(), graph.copy()
    post.remove_edges_from(list(graph.in_edges(causes)))
    into.remove_edges_from(list(graph.out_edges(causes)))
    on_path = (below(post, causes) - causes) & (nx.ancestors(into, on) | {on})
    if given & (below(graph, on_path) | causes | {on}):
        return False
    cut = graph.copy()
    cut.remove_edges_from([(x, child) for x in causes for child in on_path if graph.has_edge(x, child)])
    return bool(nx.is_d_separator(cut, causes, {on}, given))


def is_back_door_set(graph: nx.DiGraph, effect_of: Iterable[str], on: str, chosen: Iterable[str]) -> bool:
    """The back-door criterion (Pearl 2009, section 3.3.1): nothing that the causes move, and every path into a cause
    blocked.
    """
    causes, given = set(effect_of), set(chosen)
    if given & below(graph, causes):
        return False
    cut = graph.copy()
    cut.remove_edges_from(list(graph.out_edges(causes)))
    return bool(nx.is_d_separator(cut, causes, {on}, given))


def nearest_set(graph: nx.DiGraph, effect_of: Iterable[str], on: str, seen: Iterable[str]) -> tuple[str, ...] | None:
    """A minimal part of the causes of what lies on the causal paths, if these are seen and adjust; else None.

    Among all adjustment sets that of the direct causes gives the least variance (Henckel, Perkovic and Maathuis 2022,
    JRSS B 84); what is not needed is left out of it, so that no column is asked for in vain.
    """
    causes, into = set(effect_of), graph.copy()
    into.remove_edges_from(list(graph.in_edges(causes)))
    on_path = (below(into, causes) - causes) & (nx.ancestors(into, on) | {on})
    chosen = {parent for name in on_path for parent in graph.predecessors(name)} - on_path - causes
    if not chosen <= set(seen) or not is_adjustment_set(graph, causes, on, chosen):
        return None
    for name in sorted(chosen):
        if is_adjustment_set(graph, causes, on, chosen - {name}):
            chosen = chosen - {name}
    return tuple(sorted(chosen))


def is_front_door_set(graph: nx.DiGraph, cause: str, on: str, chosen: Iterable[str]) -> bool:
    """The front-door criterion (Pearl 2009, section 3.3.2) for a set of mediators."""
    mediators = set(chosen)
    if not mediators or mediators & {cause, on} or not mediators <= nx.descendants(graph, cause):
        return False
    without = graph.subgraph(set(graph) - mediators)
    if nx.has_path(without, cause, on) or mediators & nx.descendants(graph, on):
        return False
    cut = graph.copy()
    cut.remove_edges_from(list(graph.out_edges(cause)))
    if not nx.is_d_separator(cut, {cause}, mediators, set()):
        return False
    cut = graph.copy()
    cut.remove_edges_from(list(graph.out_edges(mediators)))
    return bool(nx.is_d_separator(cut, mediators, {on}, {cause}))


def is_instrument(graph: nx.DiGraph, site: str, cause: str, on: str) -> bool:
    """Moves ``cause``, and reaches ``on`` through it alone (Pearl 2009, definition 7.4.1)."""
    cut = graph.copy()
    cut.remove_edges_from(list(graph.in_edges(cause)))
    moves = not nx.is_d_separator(graph, {site}, {cause}, set())
    return moves and bool(nx.is_d_separator(cut, {site}, {on}, set()))


def selects_not(graph: nx.DiGraph, exposure: str, effect_of: Iterable[str], on: str, chosen: Iterable[str]) -> bool:
    """Whether, given the causes and a set, ``on`` does not depend on exposure, so that the exposed rows speak for all
    (the selection back-door, Bareinboim, Tian and Pearl 2014, AAAI; Bareinboim and Tian 2015, AAAI).
    """
    return bool(nx.is_d_separator(graph, {exposure}, {on}, {*effect_of, *chosen} - {exposure, on}))


def smallest_selection_set(
    graph: nx.DiGraph, exposure: str, effect_of: Iterable[str], on: str, seen: Iterable[str]
) -> tuple[str, ...] | None:
    """The smallest set, first by name, that both adjusts and makes ``on`` independent of exposure; or None."""
    causes = list(effect_of)
    near = set().union(*(nx.ancestors(graph, name) for name in (*causes, on, exposure)))
    usable = sorted((set(seen) & near) - set(causes) - {on, exposure})[:MOST]
    for size in range(len(usable) + 1):
        for chosen in combinations(usable, size):
            if is_adjustment_set(graph, causes, on, chosen) and selects_not(graph, exposure, causes, on, chosen):
                return chosen
    return None


def shrunk_front_door(graph: nx.DiGraph, cause: str, on: str, proposed: Iterable[str]) -> tuple[str, ...]:
    """A smallest part of a front-door set that still is one."""
    names = sorted(proposed)
    for size in range(1, len(names) + 1):
        for chosen in combinations(names, size):
            if is_front_door_set(graph, cause, on, chosen):
                return chosen
    return ()


def seen_as_asked(formula: Formula, selected: frozenset[str], exposure: str) -> bool:
    """Whether every term with a site that only exposed rows show also has exposure, at the value that it is set to."""
    return all(
        exposure in leaf.given and exposure not in bound
        for leaf, bound in leaves(formula)
        if selected & {leaf.of, *leaf.given}
    )


def back_door_formula(effect_of: Iterable[str], on: str, chosen: tuple[str, ...]) -> Formula:
    """Sum over z: P(on | effect_of, z) P(z)."""
    return (
        over(set(chosen), times((Given(on, (*effect_of, *chosen)), *joint(chosen))))
        if chosen
        else Given(on, tuple(effect_of))
    )


def joint(sites: tuple[str, ...]) -> tuple[Given, ...]:
    """P(a) P(b | a) ... of some sites."""
    return tuple(Given(name, sites[:k]) for k, name in enumerate(sites))


def front_door_formula(cause: str, on: str, mediators: tuple[str, ...]) -> Formula:
    """Sum over m: P(m | x) sum over x': P(y | x', m) P(x')."""
    first = tuple(Given(name, (cause, *mediators[:k])) for k, name in enumerate(mediators))
    second = Over((cause,), Times((Given(on, (cause, *mediators)), Given(cause))))
    return Over(mediators, Times((*first, second)))
