"""The two answers to "is this effect identified?"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Identified:
    """The effect follows from the graph and the columns of the log, whatever the parametric form.

    ``criterion`` is how (no effect, back-door, adjustment, selection back-door, front-door, ID algorithm); ``estimand``
    the formula of what is observed; ``adjust_for`` the set, where the formula is an adjustment; ``uses`` all columns
    that the formula reads; ``observed`` and ``unobserved`` the sites that the log shows and does not show.
    """

    effect_of: tuple[str, ...]
    on: str
    criterion: str
    estimand: str
    adjust_for: tuple[str, ...]
    assumptions: tuple[str, ...]
    observed: tuple[str, ...]
    unobserved: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    rests_on: str = "the graph and the observed columns; no parametric form"

    @property
    def identified(self) -> bool:
        """True."""
        return True

    def to_json(self) -> dict[str, Any]:
        """The answer as data, with the keys of the command line."""
        return _json(self, estimand=self.estimand, adjust_for=self.adjust_for, uses=self.uses)

    def rows(self) -> list[tuple[str, str]]:
        """The answer as labelled sentences."""
        return [
            ("identified", f"yes, by {self.criterion}" if self.criterion != "no effect" else "yes: there is no effect"),
            ("estimand", f"{_query(self.effect_of, self.on)} = {self.estimand}"),
            *([("adjusts for", ", ".join(self.adjust_for) or "nothing")] if _adjusts(self.criterion) else []),
            ("rests on", self.rests_on),
            *_listed("assumes", self.assumptions),
            ("observed", ", ".join(self.observed) or "nothing"),
            ("unobserved", ", ".join(self.unobserved) or "nothing"),
        ]

    def to_text(self) -> str:
        """The answer in words."""
        return _text(self.rows())

    def __str__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        return _html(self.rows())


@dataclass(frozen=True)
class NotIdentified:
    """The effect does not follow from the graph and the columns of the log: another world with the same log has another
    effect.

    ``because`` names the unseen causes or the selection; ``would_need`` lists what would make it identified, one
    sufficient thing an entry; ``rests_on`` what an answer of the fitted model needs beyond the data; ``instruments``
    the columns with which a local effect is identified under a further assumption.
    """

    effect_of: tuple[str, ...]
    on: str
    because: str
    would_need: tuple[str, ...]
    rests_on: str
    instruments: tuple[str, ...]
    assumptions: tuple[str, ...]
    observed: tuple[str, ...]
    unobserved: tuple[str, ...] = ()
    criterion: str = "none"

    @property
    def identified(self) -> bool:
        """False."""
        return False

    def to_json(self) -> dict[str, Any]:
        """The answer as data, with the keys of the command line."""
        return _json(self, because=self.because, would_need=self.would_need, instruments=self.instruments)

    def rows(self) -> list[tuple[str, str]]:
        """The answer as labelled sentences."""
        return [
            ("identified", f"no: {_query(self.effect_of, self.on)} cannot be told from the log"),
            ("because", self.because),
            *_listed("would need", self.would_need, "or"),  # each would do alone
            *([("instruments", local_effect(self))] if self.instruments else []),
            ("a fit", f"rests on {self.rests_on}"),
            *_listed("assumes", self.assumptions),
            ("observed", ", ".join(self.observed) or "nothing"),
            ("unobserved", ", ".join(self.unobserved) or "nothing"),
        ]

    def to_text(self) -> str:
        """The answer in words."""
        return _text(self.rows())

    def __str__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        return _html(self.rows())


def local_effect(answer: NotIdentified) -> str:
    """What the instruments are good for."""
    names = ", ".join(answer.instruments)
    return (
        f"with {names}: if it moves {answer.effect_of[0]} in one direction only (monotonicity), the mean effect among "
        "those whom it moves is identified (Imbens and Angrist 1994); the mean effect over all opportunities is not"
    )


def _adjusts(criterion: str) -> bool:
    return criterion in ("back-door", "adjustment", "selection back-door")


def _query(effect_of: tuple[str, ...], on: str) -> str:
    return f"P({on} | do({', '.join(effect_of)}))"


def _listed(label: str, entries: tuple[str, ...], again: str = "") -> list[tuple[str, str]]:
    return [(label if k == 0 else again, entry) for k, entry in enumerate(entries)]


def _json(answer: Identified | NotIdentified, **own: Any) -> dict[str, Any]:
    """One set of keys for both answers; what does not apply is null or empty."""
    data: dict[str, Any] = {
        "identified": answer.identified,
        "effect_of": answer.effect_of,
        "on": answer.on,
        "criterion": answer.criterion,
        "estimand": None,
        "adjust_for": (),
        "because": "",
        "would_need": (),
        "instruments": (),
        "uses": (),
        "rests_on": answer.rests_on,
        "assumptions": answer.assumptions,
        "observed": answer.observed,
        "unobserved": answer.unobserved,
    } | own
    return {key: list(value) if isinstance(value, tuple) else value for key, value in data.items()}


def _text(rows: list[tuple[str, str]]) -> str:
    width = max(len(label) for label, _ in rows)
    return "\n".join(f"{label:<{width}}  {said}" for label, said in rows)


def _html(rows: list[tuple[str, str]]) -> str:
    from html import escape

    cells = "".join(
        f"<tr><th style='text-align:left;vertical-align:top'>{escape(label)}</th>"
        f"<td style='text-align:left'>{escape(said)}</td></tr>"
        for label, said in rows
    )
    return f"<table>{cells}</table>"
