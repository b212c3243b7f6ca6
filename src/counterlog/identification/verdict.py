"""`identify`: does an effect follow from the graph and the columns of a log, by which formula, and if not, why not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from counterlog.identification import criteria, reasons
from counterlog.identification.functional import Formula, Given, Hedge, columns, functional, text
from counterlog.identification.projection import project
from counterlog.identification.question import Question, ask, self_selected
from counterlog.identification.results import Identified, NotIdentified

if TYPE_CHECKING:
    from counterlog.logs import InteractionLog
    from counterlog.model import SCM


def identify(
    scm: SCM, effect_of: str | Sequence[str], on: str, given: InteractionLog | Iterable[str] | None = None
) -> Identified | NotIdentified:
    """Whether the effect of a site on another is identified from what a log shows, and how; or why not, and what would
    help.

    The graph is read from the program. Every verdict is that of the complete identification algorithm on the graph with
    its unseen sites projected out; the formula is an adjustment (the back-door) where there is one, else the
    front-door, else what the algorithm gives. An effect that only a parametric form or an instrument can tell is not
    identified.

    Parameters
    ----------
    effect_of
        The site that is acted on, or several for their joint effect.
    on
        The site asked about, mostly the outcome.
    given
        The log, whose columns say what is seen; or the names of the sites that are; or None for every site of an
        opportunity that is not declared latent.

    Raises
    ------
    UnknownNameError
        A name that no site has.
    InputError
        An effect of a site on itself or on one of its causes; a latent asked for as observed.

    Examples
    --------
    >>> import pyro, pyro.distributions as dist
    >>> import counterlog as cl
    >>> @cl.scm(exposure="exposure", outcome="click")
    ... def world(view):
    ...     with view.opportunities():
    ...         hour = pyro.sample("hour", dist.Normal(0.0, 1.0))
    ...         exposure = pyro.sample("exposure", dist.Bernoulli(logits=hour))
    ...         pyro.sample("click", dist.Bernoulli(logits=exposure + hour))
    >>> identify(world, effect_of="exposure", on="click").estimand
    'sum over hour: P(click | exposure, hour) P(hour)'
    """
    return answer(ask(scm, effect_of, on, given))


def answer(question: Question) -> Identified | NotIdentified:
    """The verdict on a question whose names are fine."""
    if question.parameters:
        names = ", ".join(question.parameters)
        return _refuse(
            question,
            f"{names} is a parameter of the program, which no log shows: it has one value in all rows",
            (f"logs of several platforms or periods between which {names} differs",),
        )
    if self_selected(question):
        return _missing_not_at_random(question)
    if question.on not in question.seen:
        return _refuse(question, f"{question.on} is not observed", (f"a column that shows {question.on}",))
    acting = criteria.acting(question.graph, question.effect_of, question.on)
    if not acting:
        return _no_effect(question)
    unseen = [name for name in acting if name not in question.seen]
    if unseen:
        names = ", ".join(unseen)
        return _refuse(
            question,
            f"{names} {'is' if len(unseen) == 1 else 'are'} not observed",
            (f"a column that shows {unseen[0]}" if len(unseen) == 1 else f"columns that show {names}",),
        )
    lost = [name for name in acting if name in question.selected]
    if lost and (question.outcome in lost or not question.masked):
        names = ", ".join(lost)
        return _refuse(
            question,
            f"{names}, whose effect is asked, is seen only where {question.exposure} = 1",
            (f"{names} of opportunities that were not exposed as well",),
        )
    if question.together is not None:
        return _refuse(
            question,
            f"rows of one {question.together} act on each other, so that {question.on} under an action on all of them "
            "is no formula over single rows",
            (f"a log in which what is done was randomised for whole groups of one {question.together}",),
        )
    found = _formula(question, tuple(acting))
    if isinstance(found, Hedge):
        return _confounded(question, acting, found)
    criterion, formula, chosen = _readable(question, tuple(acting), found)
    if not _fillable(question, acting, formula, chosen):
        return _refuse(question, reasons.selected(question), reasons.remedies(question, _works))
    said = text(formula, question.effect_of, question.on)
    idle = [name for name in question.effect_of if name not in acting]
    used = sorted(columns(formula) - {*question.effect_of, question.on})
    return Identified(
        question.effect_of,
        question.on,
        criterion,
        said,
        tuple(sorted(chosen or ())),
        _assumptions(question, criterion, tuple(used), idle),
        _observed(question),
        question.unseen,
        tuple(sorted(columns(formula))),
    )


def shares_no_cause(question: Question, moved: Iterable[str], *, wide: bool) -> bool:
    """Whether a formula for setting sites also gives what a shift or a policy does, which reads the value that a site
    had, or what else is seen (``wide``): no chain of unseen causes may tie a site to what it acts on directly (Tian and
    Pearl 2002, theorem 3; Shpitser 2013 for interventions on edges).
    """
    mixed, sites = project(question.graph, question.usable), set(moved)
    hard = set(question.effect_of) - sites
    ends = {question.on}
    if wide:
        ends |= set(mixed.directed) - criteria.below(question.graph, question.effect_of)
    part = mixed.within(mixed.ancestors(ends) - hard)
    return all(not part.district(name) & set(part.directed.successors(name)) for name in sites if name in part.directed)


def tied(question: Question, one: str, other: str) -> bool:
    """Whether a chain of unseen causes ties two sites: then no log tells the mechanism of one from what it shares with
    the other, and an edge between them cannot be cut in the data (Shpitser 2013, recanting districts).
    """
    mixed = project(question.graph, question.usable)
    part = mixed.within(mixed.ancestors({question.on, one, other}))
    return other in part.district(one)


def _formula(question: Question, acting: tuple[str, ...]) -> Formula | Hedge:
    """The formula of the complete algorithm; y0 must come to the same verdict.

    What is seen on exposed rows only is no covariate.
    """
    from counterlog.identification.y0_bridge import has_formula

    mixed = project(question.graph, question.usable)
    found = functional(mixed, acting, question.on)
    second = has_formula(mixed, acting, question.on)
    if second == isinstance(found, Hedge):
        raise RuntimeError(
            f"two implementations of the identification algorithm disagree about the effect of {', '.join(acting)} on "
            f"{question.on} in {question.model}; please report the program"
        )
    return found


def _readable(
    question: Question, acting: tuple[str, ...], found: Formula
) -> tuple[str, Formula, tuple[str, ...] | None]:
    """The same effect as an adjustment or by the front-door where that is possible, with the set that is adjusted
    for.
    """
    from counterlog.identification import dowhy_bridge

    graph, on, seen = question.graph, question.on, question.usable
    if question.masked and question.exposure not in acting:
        chosen = criteria.smallest_selection_set(graph, question.exposure, acting, on, seen)
        if chosen is not None:
            return "selection back-door", criteria.back_door_formula(acting, on, chosen), chosen
        return "ID algorithm", found, None
    proposed = dowhy_bridge.adjustment_set(graph, acting, on, seen)
    if proposed is not None and proposed <= seen and criteria.is_adjustment_set(graph, acting, on, proposed):
        chosen = criteria.nearest_set(graph, acting, on, seen)
        if chosen is None:
            chosen = tuple(sorted(proposed))
        kind = "back-door" if criteria.is_back_door_set(graph, acting, on, chosen) else "adjustment"
        return kind, criteria.back_door_formula(acting, on, chosen), chosen
    if len(acting) == 1:
        mediators = dowhy_bridge.front_door_set(graph, acting[0], on, seen)
        if mediators is not None and mediators <= seen:
            smallest = criteria.shrunk_front_door(graph, acting[0], on, mediators)
            if smallest:
                return "front-door", criteria.front_door_formula(acting[0], on, smallest), None
    return "ID algorithm", found, None


def _fillable(question: Question, acting: Iterable[str], formula: Formula, chosen: tuple[str, ...] | None) -> bool:
    """Whether the formula's terms can be filled in from a log whose outcomes stand on exposed rows only."""
    if not question.masked:
        return True
    if question.exposure in acting:
        return criteria.seen_as_asked(formula, question.selected, question.exposure)
    return chosen is not None


def _works(question: Question) -> bool:
    """Whether this question has a formula, without asking a second opinion."""
    acting = tuple(criteria.acting(question.graph, question.effect_of, question.on))
    if not set(acting) <= question.seen or question.on not in question.seen:
        return False
    seen = question.usable
    found = functional(project(question.graph, seen), acting, question.on)
    if isinstance(found, Hedge):
        return False
    if not question.masked:
        return True
    if question.exposure not in acting:
        graph = question.graph
        return criteria.smallest_selection_set(graph, question.exposure, acting, question.on, seen) is not None
    return criteria.seen_as_asked(found, question.selected, question.exposure)


def _no_effect(question: Question) -> Identified:
    causes = ", ".join(question.effect_of)
    said = [f"{question.on} does not depend on {causes}: no directed path leads there"]
    if question.masked:
        said.append(f"{question.on} is seen only where {question.exposure} = 1, so that its level is another question")
    return Identified(
        question.effect_of,
        question.on,
        "no effect",
        text(Given(question.on), on=question.on),
        (),
        (*said, _graph(question)),
        _observed(question),
        question.unseen,
        (question.on,),
    )


def _missing_not_at_random(question: Question) -> NotIdentified:
    on, exposure = question.on, question.exposure
    return _refuse(
        question,
        f"{on} is a cause of {exposure}: what is seen was selected by its own value (missing not at random), so that "
        f"the {on} of unexposed opportunities may be anything",
        (
            f"{on} of opportunities that were exposed at random",
            f"a column that moves {on} and, given {on} and what else is seen, does not move {exposure} (a shadow "
            "variable; Miao and Tchetgen Tchetgen 2016), rich enough to tell the values apart",
        ),
    )


def _confounded(question: Question, acting: list[str], hedge: Hedge) -> NotIdentified:
    mixed = project(question.graph, question.usable)
    because = reasons.confounded(question, mixed, hedge, acting)
    return replace(
        _refuse(question, because, reasons.remedies(question, _works)), instruments=_instruments(question, acting)
    )


def _instruments(question: Question, acting: list[str]) -> tuple[str, ...]:
    """Seen causes of the one cause that act on the outcome through it alone, as DoWhy finds and d-separation
    confirms.
    """
    if len(acting) != 1 or not set(question.graph.predecessors(acting[0])) & question.usable:
        return ()
    from counterlog.identification import dowhy_bridge

    found = dowhy_bridge.instruments(question.graph, acting, question.on) & question.usable
    return tuple(sorted(name for name in found if criteria.is_instrument(question.graph, name, acting[0], question.on)))


def _refuse(question: Question, because: str, would_need: tuple[str, ...]) -> NotIdentified:
    latent = [name for name in question.unseen if name not in question.effect_of]
    rests_on = (
        f"the factor model: {', '.join(sorted(latent))} stand for the unseen causes and are learnt from the log "
        f"through the parametric form of {question.model}"
        if latent
        else f"the parametric form of {question.model}"
    )
    return NotIdentified(
        question.effect_of,
        question.on,
        because,
        would_need,
        rests_on,
        (),
        (_graph(question),),
        _observed(question),
        question.unseen,
    )


def _observed(question: Question) -> tuple[str, ...]:
    return tuple(name for name in question.graph if name in question.seen)


def _graph(question: Question) -> str:
    edges = ", ".join(f"{a} -> {b}" for a, b in question.graph.edges)
    return f"the graph read from the program holds: {edges or 'no edges'}"


def _assumptions(question: Question, criterion: str, used: tuple[str, ...], idle: list[str]) -> tuple[str, ...]:
    causes, others = ", ".join(question.effect_of), ", ".join(used)
    if criterion == "front-door":
        overlap = f"overlap: whatever {causes}, every value of {others} had some chance"
    elif criterion == "ID algorithm":
        overlap = (
            f"overlap: every combination of values of {others} and {causes} that the formula reads had some chance"
        )
    else:
        overlap = (
            f"overlap: {f'whatever {others}, ' if used else ''}every value of {causes} asked about had some chance"
        )
    said = [
        _graph(question),
        f"consistency: {question.on} under do({causes}) is what is seen where {causes} took that value by itself",
        "no interference: what is done at one opportunity changes no other",
        overlap,
    ]
    if question.masked:
        said.append(
            f"{question.on} is seen only where {question.exposure} = 1"
            + (f", so that the formula holds for {question.exposure} = 1" if question.exposure in causes else "")
        )
    if question.features:
        said.append(f"the formula holds given {', '.join(question.features)}, which the program reads without a site")
    if idle:
        said.append(f"once the others are set, {question.on} does not depend on {', '.join(idle)}")
    return tuple(said)
