"""Interventions as frozen objects: atomic, soft, mechanism or policy, and edge."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from counterlog.errors import InputError, unknown_name

if TYPE_CHECKING:
    from counterlog.model import SCM

#: What a site may be replaced by: a distribution, or a policy (a function of a frame of opportunities that gives
#: probabilities).
Mechanism = Any
Policy = Callable[[Any], Any]


@dataclass(frozen=True)
class Intervention:
    """What is done to a program: sites fixed, shifted, replaced, edges cut. Combine with ``+``; one site can be acted
    on once.
    """

    fixed: Mapping[str, Any] = field(default_factory=dict)
    shifted: Mapping[str, float] = field(default_factory=dict)
    replaced: Mapping[str, Mechanism] = field(default_factory=dict)
    cuts: tuple[tuple[str, str], ...] = ()

    def __add__(self, other: Intervention) -> Intervention:
        twice = self.sites() & other.sites()
        if twice:
            raise InputError(f"two interventions act on {', '.join(sorted(twice))}; a site can be acted on once")
        return Intervention(
            {**self.fixed, **other.fixed},
            {**self.shifted, **other.shifted},
            {**self.replaced, **other.replaced},
            self.cuts + other.cuts,
        )

    def __bool__(self) -> bool:
        return bool(self.fixed or self.shifted or self.replaced or self.cuts)

    def sites(self) -> set[str]:
        """The sites whose mechanism or value is changed (not the ends of cut edges)."""
        return {*self.fixed, *self.shifted, *self.replaced}

    def only(self, sites: set[str]) -> Intervention:
        """The part that acts on some sites' values, without the cuts."""
        keep = lambda actions: {name: act for name, act in actions.items() if name in sites}  # noqa: E731
        return Intervention(keep(self.fixed), keep(self.shifted), keep(self.replaced))

    def check(self, scm: SCM) -> None:
        """Refuse sites that the program does not have and edges that its graph does not have.

        Raises
        ------
        UnknownNameError
            Naming the nearest site.
        InputError
            For a cut of an edge that is not there.
        """
        sites = scm.sites()
        for name in [*self.sites(), *(end for edge in self.cuts for end in edge)]:
            if name not in sites:
                raise unknown_name("site", name, sites, f"An intervention acts on a site of {scm.name}.")
        if self.cuts:
            graph = scm.graph()
            for parent, child in self.cuts:
                if not graph.has_edge(parent, child):
                    parents = ", ".join(graph.predecessors(child)) or "nothing"
                    raise InputError(f"{scm.name} has no edge {parent} -> {child} to cut; {child} depends on {parents}")
                if child in self.fixed or child in self.replaced:
                    raise InputError(
                        f"{child} is set by the same intervention and follows none of its causes; there is no edge "
                        f"{parent} -> {child} left to cut"
                    )

    def describe(self) -> str:
        """What was done, as in the literature: ``do(exposure=1)``, ``do(popularity += 0.5)``."""
        parts = [
            f"{name}={value:g}" if isinstance(value, int | float) else f"{name}=..."
            for name, value in self.fixed.items()
        ]
        parts += [f"{name} += {amount:g}" for name, amount in self.shifted.items()]
        parts += [f"{name} ~ {_name(mechanism)}" for name, mechanism in self.replaced.items()]
        parts += [f"cut {parent} -> {child}" for parent, child in self.cuts]
        return f"do({', '.join(parts)})" if parts else "no intervention"

    def to_json(self) -> dict[str, Any]:
        """The same as data; a policy function by its name and source."""
        return {
            "fix": {k: _plain(v) for k, v in self.fixed.items()},
            "shift": dict(self.shifted),
            "replace": {k: {"name": _name(v), "source": _source(v)} for k, v in self.replaced.items()},
            "cut": [list(edge) for edge in self.cuts],
        }


def fix(**values: Any) -> Intervention:
    """Atomic intervention: the site is set to a number (or an array, one value a row) whatever its causes say.

    >>> fix(exposure=1).describe()
    'do(exposure=1)'
    """
    _some(values, "fix(exposure=1)")
    return Intervention(fixed=values)


def shift(**amounts: float) -> Intervention:
    """Soft intervention: the site keeps its mechanism and is moved by an amount, in its own units."""
    _some(amounts, "shift(popularity=-1.0)")
    return Intervention(shifted={name: float(amount) for name, amount in amounts.items()})


def replace(**mechanisms: Mechanism) -> Intervention:
    """A new mechanism for a site: a distribution, or a policy that gives the probability of 1 for each opportunity.

    A policy is an object of `counterlog.policies` or a function of a pandas frame with the columns ``user``, ``item``
    and the context.
    """
    _some(mechanisms, "replace(exposure=policies.uniform())")
    for name, mechanism in mechanisms.items():
        if not callable(mechanism) and not hasattr(mechanism, "log_prob"):
            raise InputError(
                f"replace({name}=...) needs a distribution or a policy function; given {mechanism!r}; a number is "
                f"fix({name}=...)"
            )
    return Intervention(replaced=mechanisms)


def cut(parent: str, child: str) -> Intervention:
    """Edge intervention: the child no longer follows this parent; it sees another unit's value of it, at random.

    The parent keeps its other effects. The value that the child sees is drawn from the parent's own rows, so that the
    marginal distribution of what the child sees stays as it is.
    """
    return Intervention(cuts=((parent, child),))


def _some(values: Mapping[str, Any], example: str) -> None:
    if not values:
        raise InputError(f"an intervention needs a site, as in {example}")


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value


def _name(mechanism: Mechanism) -> str:
    return getattr(mechanism, "name", None) or getattr(mechanism, "__name__", None) or repr(mechanism)


def _source(mechanism: Mechanism) -> str | None:
    if not inspect.isfunction(mechanism):
        return repr(mechanism)
    try:
        return inspect.getsource(mechanism)
    except (OSError, TypeError):
        return None
