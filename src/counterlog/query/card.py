"""The identification card: what an answer means, and what it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import networkx as nx

if TYPE_CHECKING:
    from counterlog.inference import Fit
    from counterlog.model.interventions import Intervention


@dataclass(frozen=True)
class Card:
    """What stands beside every number.

    ``rung`` is L1 (association), L2 (intervention) or L3 (counterfactual); ``identified`` is True only if the effect
    follows from the graph and the observed columns without the parametric form; ``adjust_for`` the columns of such a
    set; ``rests_on`` what the answer needs beyond the graph; ``because`` why it is not identified; ``overlap`` how
    probable the queried exposure was.
    """

    rung: str
    estimand: str
    identified: bool
    adjust_for: tuple[str, ...]
    because: str
    rests_on: str
    assumptions: tuple[str, ...]
    overlap: Mapping[str, Any] = field(default_factory=dict)
    sensitivity: str = "not yet asked: how strong an unseen cause would have to be"
    interval: str = ""

    def to_json(self) -> dict[str, Any]:
        """The card as data."""
        return {**asdict(self), "overlap": dict(self.overlap)}

    def to_text(self) -> str:
        """The card in words."""
        known = (
            "identified from the observed columns"
            if self.identified
            else f"not identified without the model: {self.because}"
        )
        lines = [f"{self.estimand}  [{self.rung}]", known]
        if self.identified and self.adjust_for:
            lines.append(f"adjusts for: {', '.join(self.adjust_for)}")
        lines += [f"rests on: {self.rests_on}", *(f"assumes: {a}" for a in self.assumptions)]
        if self.overlap:
            lines.append(f"overlap: {self.overlap['status']}: {self.overlap['message']}")
        lines += [f"interval: {self.interval}"] if self.interval else []
        return "\n".join(lines)


def adjustment(graph: nx.DiGraph, cause: str, effect: str, observed: set[str]) -> tuple[bool, tuple[str, ...], str]:
    """Whether observed sites block every back-door path from ``cause`` to ``effect``, by which set, and if not, why
    (Pearl 2009, 3.3.1).
    """
    if cause in nx.descendants(graph, effect):
        return False, (), f"{effect} is a cause of {cause}: what is seen was selected by its value"
    cut = graph.copy()
    cut.remove_edges_from(list(graph.out_edges(cause)))
    below = nx.descendants(graph, cause)
    allowed = {n for n in observed if n not in below and n not in (cause, effect)}
    useful = allowed & (nx.ancestors(graph, cause) | nx.ancestors(graph, effect))
    nothing: set[str] = set()
    for candidate in (nothing, useful):
        if nx.is_d_separator(cut, {cause}, {effect}, candidate):
            smallest = set(candidate)
            for name in sorted(candidate):
                if nx.is_d_separator(cut, {cause}, {effect}, smallest - {name}):
                    smallest.discard(name)
            return True, tuple(sorted(smallest)), ""
    shared = nx.ancestors(cut, cause) & nx.ancestors(cut, effect) - observed
    plates = nx.get_node_attributes(graph, "plate")
    hidden = sorted(n for n in shared if plates.get(n) is not None)
    return False, (), f"unseen common causes of {cause} and {effect}: {', '.join(hidden) or 'through unseen sites'}"


def card(
    fit: Fit,
    do: Intervention,
    on: str,
    population: str,
    overlap: Mapping[str, Any],
    interval: str,
    versus: Intervention | None = None,
) -> Card:
    """The card of an interventional answer about the mean of ``on``, or with ``versus`` about a difference of two."""
    graph = fit.scm.graph()
    observed = _observed(fit, graph)
    units = graph.subgraph(
        [n for n, data in graph.nodes(data=True) if data["plate"] is not None]
    )  # a constant confounds nothing
    arms = [do] if versus is None else [do, versus]
    acted = {site for arm in arms for site in (*arm.sites(), *(p for p, _ in arm.cuts))} - {on}
    verdicts = {cause: _verdict(units, cause, on, observed) for cause in sorted(acted)}
    causes = list(verdicts)
    identified = bool(causes) and all(v[0] for v in verdicts.values())
    adjust_for = tuple(sorted({name for v in verdicts.values() for name in v[1]}))
    because = "; ".join(v[2] for v in verdicts.values() if v[2]) or ("no site is acted on" if not causes else "")
    latent = sorted(s.name for s in fit.layout.sites if s.table != "globals")
    edges = ", ".join(f"{a} -> {b}" for a, b in graph.edges if graph.nodes[a]["plate"] is not None)
    return Card(
        rung="L2" if any(arms) else "L1",
        estimand=f"{' - '.join(f'E[{on} | {arm.describe()}]' for arm in arms)}, averaged over {population}",
        identified=identified,
        adjust_for=adjust_for,
        because=because,
        rests_on=(
            f"the factor model: {', '.join(latent)} stand for the unseen causes and are learnt from the log through "
            "the parametric form of "
            f"{fit.scm.name}"
            if latent
            else f"the parametric form of {fit.scm.name}"
        ),
        assumptions=(
            f"the graph read from the program holds: {edges}",
            "no interference: one user's exposure changes no other user's outcome",
            "overlap: every opportunity could have been exposed, and could have been left out",
            _unseen(fit),
        ),
        overlap=overlap,
        interval=interval,
    )


def _observed(fit: Fit, graph: nx.DiGraph) -> set[str]:
    """The sites that this log shows at every opportunity, whatever the program says is mostly hidden."""
    seen = set(fit.cells.columns) | (set() if fit.treatment.sum_exposure else {fit.scm.exposure})
    whole = not fit.treatment.implied and bool(fit.cells.known.all())  # else the outcome was seen where it was selected
    return (seen | {fit.scm.outcome} if whole else seen) & set(graph)


def _verdict(graph: nx.DiGraph, cause: str, on: str, observed: set[str]) -> tuple[bool, tuple[str, ...], str]:
    if cause not in graph:
        return False, (), f"{cause} is a parameter of the program, which no log shows"
    if cause not in observed:
        return False, (), f"{cause} is not observed"
    return adjustment(graph, cause, on, observed)


def _unseen(fit: Fit) -> str:
    from counterlog.inference.display import unseen

    return f"what the log does not show: {unseen(fit)}"
