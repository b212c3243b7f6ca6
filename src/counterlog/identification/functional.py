"""P(outcome | do(...)) as a formula of what is seen, by the complete identification algorithm.

Tian and Pearl (2002, AAAI), "A general identification condition for causal effects"; complete by Huang and Valtorta
(2006, UAI) and Shpitser and Pearl (2006, AAAI). The verdict is checked against a second implementation (`y0_bridge`),
whose formulas are not used: those of y0 0.2.11 are wrong where a district is entered twice, as in the napkin graph.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from counterlog.identification.projection import Mixed


@dataclass(frozen=True)
class Given:
    """P(of | given) of the seen sites."""

    of: str
    given: tuple[str, ...] = ()


@dataclass(frozen=True)
class Times:
    """A product."""

    factors: tuple[Formula, ...]


@dataclass(frozen=True)
class Over:
    """A sum (or integral) over the values of sites; within it these names mean the summed values."""

    sites: tuple[str, ...]
    of: Formula


@dataclass(frozen=True)
class Ratio:
    """A quotient."""

    top: Formula
    bottom: Formula


Formula = Given | Times | Over | Ratio


@dataclass(frozen=True)
class Hedge:
    """Why there is no formula: the sites of ``outer`` are tied by unseen causes, and wanted of them is ``inner`` alone
    (Shpitser and Pearl 2006).
    """

    outer: frozenset[str]
    inner: frozenset[str]


class _NoFormula(Exception):
    def __init__(self, outer: set[str], inner: set[str]) -> None:
        super().__init__("no formula")
        self.hedge = Hedge(frozenset(outer), frozenset(inner))


def functional(mixed: Mixed, effect_of: Iterable[str], on: str) -> Formula | Hedge:
    """P(on | do(effect_of)) as a formula of the seen sites, or the hedge that forbids one."""
    causes = set(effect_of)
    whole = mixed.within(mixed.ancestors({on}))
    wanted = whole.within(set(whole.directed) - causes)
    wanted = wanted.within(wanted.ancestors({on}))
    try:
        factors = tuple(_factor(whole, part) for part in wanted.districts())
    except _NoFormula as none:
        return none.hedge
    return over(set(wanted.directed) - {on}, times(factors))


def _factor(whole: Mixed, part: set[str]) -> Formula:
    """Q[part], the effect of all other sites on a district of what is wanted."""
    around = whole.district(next(iter(part)))
    order = whole.order()
    known = times(tuple(Given(name, _pillow(whole, order, name)) for name in order if name in around))
    return _descend(whole, part, around, known)


def _pillow(whole: Mixed, order: list[str], name: str) -> tuple[str, ...]:
    """The earlier sites on which ``name`` depends given all earlier ones: its district among them and the parents of
    that district (Tian and Pearl 2002, section 4).
    """
    earlier = whole.within(order[: order.index(name) + 1])
    tied = earlier.district(name)
    found = set(tied)
    for member in tied:
        found |= set(earlier.directed.predecessors(member))
    return tuple(site for site in order if site in found - {name})


def _descend(mixed: Mixed, inner: set[str], outer: set[str], known: Formula) -> Formula:
    """Q[inner] out of Q[outer], which ``known`` gives (procedure Identify of Tian and Pearl)."""
    inside = mixed.within(outer)
    above = inside.ancestors(inner)
    if above == inner:
        return over(outer - inner, known)
    if above == outer:
        raise _NoFormula(outer, inner)
    smaller = mixed.within(above)
    tied = smaller.district(next(iter(inner)))
    marginal = over(outer - above, known)
    order = [name for name in mixed.order() if name in above]
    factors = []
    for name in order:
        if name in tied:
            later = set(order[order.index(name) + 1 :])
            factors.append(ratio(over(later, marginal), over(later | {name}, marginal)))
    return _descend(mixed, inner, tied, times(tuple(factors)))


def times(factors: tuple[Formula, ...]) -> Formula:
    """The product, a single factor as itself."""
    flat: list[Formula] = []
    for factor in factors:
        flat += factor.factors if isinstance(factor, Times) else (factor,)
    return flat[0] if len(flat) == 1 else Times(tuple(flat))


def over(sites: set[str], of: Formula) -> Formula:
    """The sum over ``sites``; a factor P(a | ...) that is summed over a and occurs nowhere else is 1 and left out."""
    if not sites:
        return of
    if isinstance(of, Over):
        return over(sites | set(of.sites), of.of)
    factors = list(of.factors) if isinstance(of, Times) else [of]
    left = set(sites)
    changed = True
    while changed:
        changed = False
        for factor in factors:
            others = [f for f in factors if f is not factor]
            alone = isinstance(factor, Given) and factor.of in left and not any(_mentions(f, factor.of) for f in others)
            if alone and others:
                assert isinstance(factor, Given)
                factors, changed = others, True
                left.discard(factor.of)
                break
    inside = times(tuple(factors))
    return Over(tuple(sorted(left)), inside) if left else inside


def ratio(top: Formula, bottom: Formula) -> Formula:
    """The quotient, without factors that both have and without a denominator that is a sum to one."""
    if isinstance(bottom, Over) and isinstance(bottom.of, Given) and bottom.sites == (bottom.of.of,):
        return top
    above, below = _factors(top), _factors(bottom)
    rest = [f for f in below if f not in above]
    kept = [f for f in above if f not in below]
    return Ratio(times(tuple(kept)), times(tuple(rest))) if rest else times(tuple(kept))


def _factors(formula: Formula) -> list[Formula]:
    return list(formula.factors) if isinstance(formula, Times) else [formula]


def _mentions(formula: Formula, site: str) -> bool:
    return any(site == leaf.of or site in leaf.given for leaf, _ in leaves(formula))


def leaves(formula: Formula, bound: frozenset[str] = frozenset()) -> Iterator[tuple[Given, frozenset[str]]]:
    """Every P(of | given) in the formula, with the sites that a sum around it binds."""
    if isinstance(formula, Given):
        yield formula, bound
    elif isinstance(formula, Times):
        for factor in formula.factors:
            yield from leaves(factor, bound)
    elif isinstance(formula, Over):
        yield from leaves(formula.of, bound | set(formula.sites))
    else:
        yield from leaves(formula.top, bound)
        yield from leaves(formula.bottom, bound)


def free(formula: Formula) -> set[str]:
    """The sites whose value the formula leaves open."""
    return {name for leaf, bound in leaves(formula) for name in (leaf.of, *leaf.given) if name not in bound}


def columns(formula: Formula) -> set[str]:
    """Every site that the formula reads."""
    return {name for leaf, _ in leaves(formula) for name in (leaf.of, *leaf.given)}


def text(formula: Formula, effect_of: Iterable[str] = (), on: str = "") -> str:
    """The formula in words and symbols; a summed name that is taken already gets a prime.

    >>> text(Over(("device",), Times((Given("click", ("exposure", "device")), Given("device")))), ["exposure"], "click")
    'sum over device: P(click | exposure, device) P(device)'
    """
    said = _text(formula, {name: name for name in (*effect_of, on)})
    loose = sorted(free(formula) - set(effect_of) - {on})
    return f"{said}, for any one value of {', '.join(loose)}" if loose else said


def _text(formula: Formula, names: dict[str, str]) -> str:
    if isinstance(formula, Given):
        return _joined([formula], names)[0]
    if isinstance(formula, Times):
        plain = _joined([f for f in formula.factors if isinstance(f, Given)], names)
        others = [_text(f, names) for f in formula.factors if not isinstance(f, Given)]
        wrapped = [f"[{p}]" for p in others[:-1]] + others[-1:]  # the last sum may stand open
        return " ".join(plain + wrapped)
    if isinstance(formula, Over):
        new = dict(names)
        for site in formula.sites:
            new[site] = f"{names[site]}'" if site in names else site
        return f"sum over {', '.join(new[s] for s in formula.sites)}: {_text(formula.of, new)}"
    return f"[{_text(formula.top, names)}] / [{_text(formula.bottom, names)}]"


def _joined(factors: list[Given], names: dict[str, str]) -> list[str]:
    """P(a | c) P(b | c, a) as P(a, b | c)."""
    groups: list[tuple[list[str], tuple[str, ...]]] = []
    for factor in factors:
        if groups and set(factor.given) == {*groups[-1][0], *groups[-1][1]}:
            groups[-1][0].append(factor.of)
        else:
            groups.append(([factor.of], factor.given))
    said = lambda group: ", ".join(names.get(name, name) for name in group)  # noqa: E731
    return [f"P({said(of)} | {said(given)})" if given else f"P({said(of)})" for of, given in groups]
