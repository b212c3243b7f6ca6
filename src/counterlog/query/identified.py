"""What the card says about an intervention: are all sites that it acts on, jointly, identified in their effect?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import networkx as nx
import numpy as np

from counterlog.identification import Identified, NotIdentified, identify, observed
from counterlog.identification.criteria import below
from counterlog.identification.question import ask, masked, units
from counterlog.identification.results import local_effect
from counterlog.identification.verdict import shares_no_cause, tied
from counterlog.model.policies import Uniform

if TYPE_CHECKING:
    from counterlog.inference import Fit
    from counterlog.model.interventions import Intervention


@dataclass(frozen=True)
class Verdict:
    """The fields of a card that identification fills; ``said`` goes before its assumptions."""

    identified: bool
    criterion: str = "none"
    adjust_for: tuple[str, ...] = ()
    because: str = ""
    would_need: tuple[str, ...] = ()
    said: tuple[str, ...] = ()


def verdict(fit: Fit, arms: Sequence[Intervention], on: str) -> Verdict:
    """Whether the mean of ``on`` under each of ``arms`` (or their difference) follows from the graph and the log.

    The sites that an arm acts on, and both ends of the edges that it cuts, count as one joint cause. Arms that act on
    different sites are asked about one by one: a joint effect may be identified where that of a part is not.
    """
    graph = units(fit.scm)
    different = {frozenset(_acted(arm)) for arm in arms}
    if len(different) == 1 or not any(on in below(graph, sites & set(graph)) for sites in different):
        return _joint(fit, arms, on)
    each = [_joint(fit, [arm], on) if arm else _untouched(fit, [], on, contrast=False) for arm in arms]
    wrong = next((found for found in each if not found.identified), None)
    if wrong is not None:
        return wrong
    named = dict.fromkeys(found.criterion for found in each)
    return Verdict(
        True,
        ", ".join(named),
        tuple(sorted({name for found in each for name in found.adjust_for})),
        said=tuple(dict.fromkeys(text for found in each for text in found.said)),
    )


def _acted(arm: Intervention) -> set[str]:
    return arm.sites() | {end for edge in arm.cuts for end in edge}


def _joint(fit: Fit, arms: Sequence[Intervention], on: str) -> Verdict:
    """The verdict on arms that act on the same sites, or on sites that do not reach ``on``."""
    scm = fit.scm
    acted = set().union(*(_acted(arm) for arm in arms))
    if acted and all(on in arm.fixed for arm in arms):
        return Verdict(True, "set", said=(f"{on} itself is set",))
    causes = sorted(acted - {on})
    if not causes:
        return Verdict(False, because=f"{on} follows itself, moved" if acted else "no site is acted on")
    graph, sites = units(scm), scm.sites()
    reaching = [name for name in causes if sites[name].plate is None or on in nx.descendants(graph, name)]
    if scm.exposure in causes and scm.exposure not in reaching:
        reaching += [scm.exposure] if on == scm.outcome and scm.exposure in nx.descendants(graph, on) else []
    if not reaching:
        return _untouched(fit, causes, on, contrast=len(arms) > 1)
    found = identify(scm, reaching, on, fit.log)
    idle = [name for name in causes if name not in reaching]
    said = (f"{on} does not depend on {', '.join(idle)}",) if idle else ()
    if isinstance(found, NotIdentified):
        local = (f"for a local effect only, {local_effect(found)}",) if found.instruments else ()
        return Verdict(False, because=found.because, would_need=(*found.would_need, *local), said=said)
    if _unexposed(fit, arms, on):
        return Verdict(
            False,
            because=f"{on} is seen only where {scm.exposure} = 1, and {scm.exposure} is given another value here",
            would_need=(f"{on} of opportunities that were not exposed as well",),
            said=said,
        )
    soft, question = _soft(arms, reaching), ask(scm, reaching, on, fit.log)
    seen = observed(scm, fit.log)
    for parent, child in {edge for arm in arms for edge in arm.cuts}:
        if not {parent, child} <= seen or tied(question, parent, child):
            because = f"unseen causes tie {parent} to {child}, so that no log shows what the edge between them does"
            return Verdict(False, because=because, said=said)
    if soft and not shares_no_cause(question, soft, wide=_looks(arms)):
        return Verdict(
            False,
            because=f"the formula holds for setting {', '.join(soft)} to a value; moved from the value that it had, or "
            "set by what else is seen, it shares an unseen cause with what it acts on",
            said=said,
        )
    return Verdict(True, found.criterion, found.adjust_for, said=(*said, *_beyond(found)))


def _untouched(fit: Fit, causes: list[str], on: str, *, contrast: bool) -> Verdict:
    """Nothing that is acted on reaches ``on``: a difference is nil; a level is that of the log, if it shows it."""
    scm = fit.scm
    said = (f"{on} does not depend on {', '.join(causes)}: no directed path leads there",) if causes else ()
    if contrast:
        return Verdict(True, "no effect", said=said)
    if on not in observed(scm, fit.log):
        return Verdict(False, because=f"{on} is not observed", would_need=(f"a column that shows {on}",), said=said)
    if on == scm.outcome and masked(scm, fit.log):
        return Verdict(
            False,
            because=f"{on} is seen only where {scm.exposure} = 1, and may be selected",
            would_need=(f"{on} of opportunities that were exposed at random",),
            said=said,
        )
    return Verdict(True, "no effect" if causes else "observed", said=said)


def _unexposed(fit: Fit, arms: Sequence[Intervention], on: str) -> bool:
    """Whether an arm leaves opportunities unexposed although the log shows the outcome of exposed ones only."""
    exposure = fit.scm.exposure
    if on != fit.scm.outcome or not masked(fit.scm, fit.log):
        return False
    return any(
        (exposure in arm.fixed and not np.all(np.asarray(arm.fixed[exposure]) == 1))
        or exposure in arm.shifted
        or (exposure in arm.replaced and arm.replaced[exposure] != Uniform(1.0))
        for arm in arms
    )


def _soft(arms: Sequence[Intervention], reaching: Sequence[str]) -> list[str]:
    """The sites that are moved or follow a mechanism or policy, instead of being set."""
    moved = {site for arm in arms for site in (*arm.shifted, *arm.replaced)}
    return [name for name in reaching if name in moved]


def _looks(arms: Sequence[Intervention]) -> bool:
    """Whether an arm follows a policy that may look at the user, the item and the context."""
    mechanisms = [mechanism for arm in arms for mechanism in arm.replaced.values()]
    return any(callable(m) and not isinstance(m, Uniform) and not hasattr(m, "log_prob") for m in mechanisms)


def _beyond(found: Identified) -> tuple[str, ...]:
    """What an identified effect assumes that a card does not say anyway."""
    said = [text for text in found.assumptions if text.partition(":")[0] not in _STANDING]
    return (f"estimand: {found.estimand}", *said)


#: Assumptions that every card has.
_STANDING = ("the graph read from the program holds", "no interference", "overlap")
