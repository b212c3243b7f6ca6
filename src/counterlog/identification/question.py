"""A question about an effect: which sites there are, and which of them the log shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import networkx as nx
import numpy as np

from counterlog.errors import InputError, UnknownNameError, unknown_name
from counterlog.logs import InteractionLog

if TYPE_CHECKING:
    from counterlog.model import SCM


@dataclass(frozen=True, eq=False)
class Question:
    """The effect of ``effect_of`` on ``on`` in a graph of sites of which ``seen`` have a column.

    ``selected``: the sites that are seen only where exposure is 1. ``parameters``: those of ``effect_of`` that are
    global parameters, which the graph leaves out. ``features``: what a program takes as given without a site.
    ``together``: the column whose rows of one value act on each other, if any do.
    """

    model: str
    graph: nx.DiGraph
    effect_of: tuple[str, ...]
    on: str
    seen: frozenset[str]
    exposure: str
    outcome: str
    selected: frozenset[str] = frozenset()
    parameters: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    together: str | None = None

    @property
    def masked(self) -> bool:
        """Whether the site asked about is seen only where exposure is 1."""
        return self.on in self.selected

    @property
    def usable(self) -> frozenset[str]:
        """The sites that a formula may read: not those of which unexposed opportunities show nothing, but for the
        question's own.
        """
        return self.seen - (self.selected - {self.on, *self.effect_of})

    @property
    def unseen(self) -> tuple[str, ...]:
        """The sites without a column, in the program's order."""
        return tuple(name for name in self.graph if name not in self.seen)


def ask(
    scm: SCM, effect_of: str | Sequence[str], on: str, given: InteractionLog | Iterable[str] | None = None
) -> Question:
    """The question, its names checked.

    Raises
    ------
    UnknownNameError
        A name that no site has.
    InputError
        An effect of a site on itself or on one of its causes; a latent or a parameter asked for as observed.
    """
    causes = (effect_of,) if isinstance(effect_of, str) else tuple(dict.fromkeys(effect_of))
    sites = scm.validate()
    if not causes:
        raise InputError("effect_of is empty; name the site that is acted on, such as effect_of='exposure'")
    for name in (*causes, on):
        if name not in sites:
            raise unknown_name("site", name, sites, f"They are the sites of {scm.name}.")
    parameters = tuple(name for name in (*causes, on) if sites[name].plate is None)
    if on in parameters:
        raise InputError(
            f"{on!r} is a parameter of {scm.name}, one value for the whole log; ask for the effect on one of "
            f"{', '.join(n for n, s in sites.items() if s.plate is not None)}"
        )
    graph = units(scm)
    if on in causes:
        raise InputError(f"the effect of {on!r} on itself is no question; name another site with on= (--on)")
    seen = _given(scm, given) & set(graph)
    log = given if isinstance(given, InteractionLog) else None
    question = Question(
        model=scm.name,
        graph=graph,
        effect_of=causes,
        on=on,
        seen=seen,
        exposure=scm.exposure,
        outcome=scm.outcome,
        selected=_selected(scm, log, seen),
        parameters=parameters,
        features=_features(scm, log),
        together=scm.together,
    )
    for name in causes:
        if name in graph and on in nx.ancestors(graph, name) and not self_selected(question):
            raise InputError(
                f"{on!r} is a cause of {name!r} in {scm.name} ({' -> '.join(nx.shortest_path(graph, on, name))}), so "
                f"that {name!r} has no effect on it; ask for the effect of {on!r} on {name!r} instead"
            )
    return question


def self_selected(question: Question) -> bool:
    """Whether the outcome decides about its own exposure and the effect of exposure on it is asked for: ratings that
    people give because of what they think. What is missing is missing not at random.
    """
    return (
        question.exposure in question.effect_of
        and question.on == question.outcome
        and question.exposure in nx.descendants(question.graph, question.outcome)
    )


def units(scm: SCM) -> nx.DiGraph:
    """The graph without global parameters: what is constant confounds nothing."""
    graph, kept = scm.graph(), nx.DiGraph()
    kept.add_nodes_from((name, data) for name, data in graph.nodes(data=True) if data["plate"] is not None)
    kept.add_edges_from((a, b, data) for a, b, data in graph.edges(data=True) if a in kept and b in kept)
    return kept


def observed(scm: SCM, log: InteractionLog) -> frozenset[str]:
    """The sites that a log shows: those that it has as a column with a role.

    The exposure column is the program's exposure, the outcome column its outcome, the position column its ``position``;
    context columns are the sites of their name, even where the program declares these latent. Everything else in the
    program is unseen. A log of interactions without an exposure column has the exposed cells as its rows: there a
    program that takes exposure as seen knows the exposure of every cell, unless all rows are clicks.
    """
    found = set(log.roles.context)
    if log.outcome is not None:
        found.add(scm.outcome)
    if log.exposure is not None or (scm.exposure not in scm.latent and not log.clicks_only):
        found.add(scm.exposure)
    if log.position is not None:
        found.add("position")
    return frozenset(found & scm.sites().keys())


def masked(scm: SCM, log: InteractionLog) -> bool:
    """Whether a log shows the outcome only where exposure is 1, so that what is seen may be selected."""
    return scm.outcome in _selected(scm, log, observed(scm, log))


def _given(scm: SCM, given: InteractionLog | Iterable[str] | None) -> frozenset[str]:
    sites = scm.sites()
    if isinstance(given, InteractionLog):
        return observed(scm, given)
    if given is None:
        return frozenset(n for n, s in sites.items() if s.plate == "opportunities" and n not in scm.latent)
    names = [given] if isinstance(given, str) else list(given)
    for name in names:
        if name not in sites:
            raise _unknown_column(scm, name)
        if name in scm.latent:
            raise InputError(
                f"{name!r} is declared latent in {scm.name} and cannot be given as observed; if your log has it as a "
                "column, give the log, or take it out of latent=(...)"
            )
        if sites[name].plate is None:
            raise InputError(f"{name!r} is a parameter of {scm.name}, which no log shows; leave it out of given=")
    return frozenset(names)


def _unknown_column(scm: SCM, name: str) -> UnknownNameError:
    return unknown_name("site", name, scm.sites(), "given= names the sites that the log has as columns.")


def _selected(scm: SCM, log: InteractionLog | None, seen: frozenset[str]) -> frozenset[str]:
    """The sites that are seen only where exposure is 1: an outcome that is null elsewhere, and everything where the
    rows are the exposed cells. Without a log: the outcome where it is a cause of exposure, and so something that
    exists before anybody saw it.
    """
    if scm.exposure not in seen:
        return frozenset()
    if log is None:
        before = scm.exposure in nx.descendants(scm.graph(), scm.outcome)
        return frozenset({scm.outcome} & seen) if before else frozenset()
    if log.exposure is None:
        return seen - {scm.exposure}
    hidden = log.outcome is not None and bool(np.any((log.exposure == 0) & ~np.isfinite(log.outcome)))
    return frozenset({scm.outcome} if hidden else ())


def _features(scm: SCM, log: InteractionLog | None) -> tuple[str, ...]:
    """What a program may read without a site: features, and context columns that are no site."""
    if log is None:
        return ()
    kinds = [
        *(["features of users"] if log.user_features.names else []),
        *(["features of items"] if log.item_features.names else []),
    ]
    return (*kinds, *(name for name in log.roles.context if name not in scm.sites()))
