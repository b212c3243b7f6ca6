"""The identification card: what an answer means, and what it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from counterlog.errors import InputError
from counterlog.query.identified import Verdict, verdict

if TYPE_CHECKING:
    from counterlog.inference import Fit
    from counterlog.inference.checks.result import Checks
    from counterlog.model.interventions import Intervention


@dataclass(frozen=True)
class Card:
    """What stands beside every number.

    ``rung`` is L1 (association), L2 (intervention) or L3 (counterfactual); ``identified`` is True only if the effect
    follows from the graph and the observed columns without the parametric form; ``adjust_for`` the columns of such a
    set; ``rests_on`` what the answer needs beyond the graph; ``because`` why it is not identified, each of
    ``would_need`` what would make it so; ``criterion`` by which it is; ``overlap`` how probable the queried exposure
    was; ``warnings`` what the checks of the fit found that speaks against it.
    """

    rung: str
    estimand: str
    identified: bool
    adjust_for: tuple[str, ...]
    because: str
    rests_on: str
    assumptions: tuple[str, ...]
    overlap: Mapping[str, Any] = field(default_factory=dict)
    sensitivity: str = "not asked here: `sensitivity` tells how strong an unseen cause would have to be"
    interval: str = ""
    would_need: tuple[str, ...] = ()
    criterion: str = ""
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The card as data."""
        return {**asdict(self), "overlap": dict(self.overlap)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Card:
        """The card that `to_json` wrote, such as that of a stored batch."""
        lists = ("adjust_for", "assumptions", "would_need", "warnings")
        known: dict[str, Any] = {k: tuple(v) if k in lists else v for k, v in data.items() if k in cls.__annotations__}
        return cls(**known)

    def to_text(self) -> str:
        """The card in words."""
        known = (
            f"identified from the observed columns ({self.criterion})"
            if self.identified
            else f"not identified without the model: {self.because}"
        )
        lines = [f"{self.estimand}  [{self.rung}]", *(f"WARNING: {w}" for w in self.warnings), known]
        if self.identified and self.adjust_for:
            lines.append(f"adjusts for: {', '.join(self.adjust_for)}")
        lines += [f"{'or' if k else 'would need'}: {entry}" for k, entry in enumerate(self.would_need)]
        lines += [f"rests on: {self.rests_on}", *(f"assumes: {a}" for a in self.assumptions)]
        if self.overlap:
            lines.append(f"overlap: {self.overlap['status']}: {self.overlap['message']}")
        lines.append(f"sensitivity: {self.sensitivity}")
        lines += [f"interval: {self.interval}"] if self.interval else []
        return "\n".join(lines)


def card(
    fit: Fit,
    do: Intervention,
    on: str,
    population: str,
    overlap: Mapping[str, Any],
    interval: str,
    versus: Intervention | None = None,
    rung: str | None = None,
    extra: tuple[str, ...] = (),
    checks: Checks | None = None,
) -> Card:
    """The card of an answer about the mean of ``on`` under ``do``, or with ``versus`` about a difference of two.

    ``rung`` is L2, or L1 where nothing is done, unless it is named; for L3 the answer is about what each event would
    have been, which no data identify. ``extra`` stands before the other assumptions. The card warns of every one of
    ``checks`` that did not pass.

    Raises
    ------
    InputError
        The checks are of another fit.
    """
    arms = [do] if versus is None else [do, versus]
    rung = rung or ("L2" if any(arms) else "L1")
    found = verdict(fit, arms, on)
    if rung == "L3" and found.identified and found.criterion != "no effect":
        found = _unit_level(found, on)
    graph = fit.scm.graph()
    latent = sorted(s.name for s in fit.layout.sites if s.table != "globals")
    edges = ", ".join(f"{a} -> {b}" for a, b in graph.edges if graph.nodes[a]["plate"] is not None)
    seen = ", what was observed" if rung == "L3" else ""
    return Card(
        rung=rung,
        estimand=f"{' - '.join(f'E[{on} | {arm.describe()}{seen}]' for arm in arms)}, averaged over {population}",
        identified=found.identified,
        adjust_for=found.adjust_for,
        because=found.because,
        rests_on=(
            f"the factor model: {', '.join(latent)} stand for the unseen causes and are learnt from the log through "
            "the parametric form of "
            f"{fit.scm.name}"
            if latent
            else f"the parametric form of {fit.scm.name}"
        ),
        assumptions=(
            *extra,
            *found.said,
            f"the graph read from the program holds: {edges}",
            "no interference: one user's exposure changes no other user's outcome",
            "overlap: every opportunity could have been exposed, and could have been left out",
            _unseen(fit),
        ),
        overlap=overlap,
        interval=interval,
        would_need=found.would_need,
        criterion=found.criterion,
        warnings=_warnings(fit, checks),
    )


def _warnings(fit: Fit, checks: Checks | None) -> tuple[str, ...]:
    """What speaks against the fit: a loss that still falls, and the checks that did not pass."""
    said = [] if fit.converged or fit.guide != "mean-field" else [f"not converged: {fit.convergence.message}"]
    if checks is not None:
        if checks.about["fit_hash"] != fit.hash:
            raise InputError("the checks are of another fit; give those of this one: checks=fit.check()")
        found = (f for f in checks.findings if f.status in ("REVIEW", "FAIL"))
        said += [f"{f.status} {f.name}: {f.message}" for f in found]
    return tuple(said)


def _unit_level(found: Verdict, on: str) -> Verdict:
    """The mean under the intervention is identified; what one event would have been is not (Pearl 2009, section
    9.2).
    """
    return Verdict(
        identified=False,
        criterion="none",
        because=f"how the two worlds of one event hang together shows in no data; the mean of {on} over all events is "
        f"identified ({found.criterion})",
        said=found.said,
    )


def _unseen(fit: Fit) -> str:
    from counterlog.inference.display import unseen

    return f"what the log does not show: {unseen(fit)}"
