"""What a fit says of opportunities that an unseen cause could change: how probable exposure is, and the outcome under
it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import networkx as nx
import numpy as np
import torch
from scipy.special import logit
from torch import Tensor

from counterlog import rng as _rng
from counterlog.errors import RefusedError
from counterlog.inference.elbo import Assign
from counterlog.inference.population import Piece, Population, pieces, population
from counterlog.model.interventions import Intervention
from counterlog.model.view import Context, Opportunities, View
from counterlog.model.worlds import level_probs, run
from counterlog.query.unseen_cause import Levels, Magnitudes

if TYPE_CHECKING:
    from counterlog.inference import Fit

_SMALL = 1e-9


@dataclass(frozen=True, eq=False)
class Mechanisms:
    """Exposure and outcome of n opportunities, those of each value of an unseen discrete site one after the other.

    ``exposure`` log-odds ``[n, 1]``, or ``[n, K]`` at each level of an outcome that causes it; ``predictor`` of the
    outcome under exposure ``[n, m]``: logit P(outcome > level), the log of the mean, or the mean in its own standard
    deviations.
    """

    exposure: np.ndarray
    predictor: np.ndarray
    laws: Levels | Magnitudes


@dataclass(frozen=True)
class Benchmark:
    """How strong a cause that the program has is, on the scale of the unseen one.

    Parameters
    ----------
    site
        Its name, or ``user features``, ``item features``.
    exposure, outcome
        Standard deviation of what it contributes to the log-odds of exposure and to the linear predictor of the outcome
        under exposure, all else held: the root mean square change when it is exchanged between users, items or
        opportunities, by the square root of 2.
    """

    site: str
    exposure: float
    outcome: float


def laws_of(fit: Fit, rng: int, draws: int, rows: int) -> Levels | Magnitudes:
    """The laws of ``rows`` opportunities of the fit's population in each of ``draws`` posterior draws.

    Raises
    ------
    RefusedError
        The outcome acts on exposure through an unseen site of the opportunities, exposure on the outcome through
        another site, rows of the program depend on each other, or the outcome has no mean.
    """
    _refuse_detours(fit)
    whole = population(fit, rows, rng)
    found = [mechanisms(fit, piece.view, held).laws for piece, held in _draws(fit, whole, rng, draws)]
    joined: dict[str, Any] = {}
    for name in (f.name for f in dataclasses.fields(found[0])):
        parts = [getattr(laws, name) for laws in found]
        joined[name] = np.concatenate(parts) if name not in ("values", "link") else parts[0]
    joined["weight"] = joined["weight"] / joined["weight"].sum()
    return dataclasses.replace(found[0], **joined)


def _refuse_detours(fit: Fit) -> None:
    """The laws below are of an outcome that follows its own row's exposure and nothing between."""
    scm = fit.scm
    if scm.together is not None:
        raise RefusedError(
            f"{scm.outcome} depends on the exposure of all rows of one {scm.together!r}; what an unseen cause of a "
            "single row's exposure would change is not known here"
        )
    graph = scm.graph()
    between = sorted(nx.descendants(graph, scm.exposure) & nx.ancestors(graph, scm.outcome))
    if between:
        raise RefusedError(
            f"{scm.exposure} acts on {scm.outcome} through {between[0]!r}; what an unseen cause would change is "
            "answered where it acts directly"
        )


def benchmarks_of(fit: Fit, rng: int, draws: int, rows: int) -> tuple[Benchmark, ...]:
    """The causes of exposure or outcome that the program has, the strongest first."""
    whole = population(fit, rows, rng)
    squares: dict[str, list[tuple[float, float]]] = {}
    for number, (piece, held) in enumerate(_draws(fit, whole, rng, draws)):
        base = mechanisms(fit, piece.view, held)
        for name, view, values in _exchanged(fit, piece, held, (rng, number)):
            other = mechanisms(fit, view, values)
            on_exposure = float(np.mean((_possible(other.exposure) - _possible(base.exposure)) ** 2))
            on_outcome = float(np.mean((other.predictor - base.predictor) ** 2))
            squares.setdefault(name, []).append((on_exposure, on_outcome))
    strengths = {name: np.sqrt(np.mean(each, axis=0) / 2.0) for name, each in squares.items()}
    found = [Benchmark(name, float(s[0]), float(s[1])) for name, s in strengths.items() if s.max() > 1e-6]
    return tuple(sorted(found, key=lambda b: -b.exposure * b.outcome - 1e-3 * (b.exposure + b.outcome)))


def _possible(log_odds: np.ndarray) -> np.ndarray:
    """Log-odds between those of 0.001 and 0.999: beyond, a difference tells nothing (1 is infinitely far away)."""
    kept: np.ndarray = np.clip(log_odds, logit(0.001), logit(0.999))
    return kept


def mechanisms(fit: Fit, view: View, held: Mapping[str, Tensor]) -> Mechanisms:
    """The laws that the program gives these opportunities with every site held, ``exposure`` at 1."""
    scm, how, n = fit.scm, fit.treatment, view.n_opportunities
    summed = frozenset({*how.others, *([scm.outcome] if how.sum_outcome else [])})
    with torch.no_grad(), Assign({k: v for k, v in held.items() if k not in summed}, summed) as assign:
        scm(view)
    shape, seat = [1] * len(assign.dims) + [n], assign.dims.get(scm.outcome)
    for name, dim in assign.dims.items():
        shape[dim] = len(assign.used[name].reshape(-1))
    others = [s if seat is None or k != len(shape) + seat else 1 for k, s in enumerate(shape)]
    weight = torch.zeros(others, dtype=torch.double)
    for name in assign.dims.keys() - {scm.outcome}:
        chance = assign.fns[name].log_prob(assign.used[name])
        if torch.broadcast_shapes(chance.shape, others) != torch.Size(others):
            raise RefusedError(
                f"{scm.outcome} acts on {scm.exposure} through the unseen site {name!r}; what an unseen cause would "
                "change is answered where it acts directly, or where such a site is logged"
            )
        weight = weight + chance.double()
    shown, outcome = assign.fns[scm.exposure], assign.fns[scm.outcome]
    one = torch.ones(())
    odds = (shown.log_prob(one) - shown.log_prob(0.0 * one)).expand(shape)
    exposure = (odds[..., None] if seat is None else odds.movedim(seat, -1)).double().numpy()
    exposure = exposure.reshape(-1, exposure.shape[-1])
    share = weight.exp().reshape(-1).numpy()
    laws = _laws(fit, outcome, torch.Size(others), exposure, share)
    return Mechanisms(exposure, _predictor(laws), laws)


def _laws(fit: Fit, fn: Any, shape: torch.Size, exposure: np.ndarray, weight: np.ndarray) -> Levels | Magnitudes:
    kind = fit.log.roles.outcome_kind
    if kind in ("rating", "click") or fit.treatment.sum_outcome:
        values = np.asarray(fit.cells.levels or _listed(fn), dtype=np.float64)
        probs = _level_probs(fn, len(values)).double().expand(*shape, len(values))
        return Levels(probs.reshape(-1, len(values)).numpy(), exposure, values, weight)
    mean = fn.mean.double().expand(shape).reshape(-1).numpy()
    if not np.isfinite(mean).all():
        raise RefusedError(f"{fit.scm.outcome} ({type(fn).__name__}) has no mean that is a number")
    if not bool(fn.support.check(torch.tensor(-1.0))):
        return Magnitudes(np.maximum(mean, _SMALL), exposure[:, 0], np.ones(len(mean)), weight, "log")
    spread = fn.variance.double().sqrt().expand(shape).reshape(-1).numpy()
    return Magnitudes(mean, exposure[:, 0], spread, weight, "identity")


def _level_probs(fn: Any, n_levels: int) -> Tensor:
    """P(level = k), batch shape + ``[n_levels]``; a coin wants its sides as floats."""
    if not isinstance(fn, torch.distributions.Bernoulli):
        return level_probs(fn, n_levels)
    return torch.stack([1.0 - fn.probs, fn.probs], -1)


def _listed(fn: Any) -> list[float]:
    """The values of a discrete site that has finitely many, 0 first."""
    values: list[float] = fn.enumerate_support(expand=False).reshape(-1).double().tolist()
    return values


def _predictor(laws: Levels | Magnitudes) -> np.ndarray:
    if isinstance(laws, Magnitudes):
        return np.log(laws.mean)[:, None] if laws.link == "log" else (laws.mean / laws.unit)[:, None]
    above = 1.0 - laws.probs.cumsum(1)[:, :-1]
    return _possible(logit(np.clip(above, _SMALL, 1.0 - _SMALL)))


def _draws(fit: Fit, whole: Population, rng: int, draws: int) -> Iterator[tuple[Piece, dict[str, Tensor]]]:
    """The population's pieces in each posterior draw, every site held at what it is or would be under exposure."""
    for number, draw in enumerate(fit.draws(draws, rng)):
        for piece in pieces(fit.cells, whole):
            with _rng.seeded(rng, "sensitivity", number, piece.start):
                world = run(fit.scm, piece.view, piece.given(draw), Intervention(fixed={fit.scm.exposure: 1.0}))
            yield piece, dict(world.values)


def _exchanged(
    fit: Fit, piece: Piece, held: dict[str, Tensor], stream: tuple[int, int]
) -> Iterator[tuple[str, View, dict[str, Tensor]]]:
    """Each cause in turn with its rows exchanged at random: a site, a context column that is no site, the features."""
    view, sites = piece.view, fit.scm.sites()
    generator = _rng.generator(stream[0], "benchmarks", stream[1])
    mix = lambda rows: rows[torch.from_numpy(generator.permutation(len(rows)))]  # noqa: E731
    unknown = {fit.scm.exposure, fit.scm.outcome, *fit.treatment.others}
    for name, value in held.items():
        plate = sites[name].plate if name in sites else None
        if plate is not None and name not in unknown and value.dim() > 0 and len(value) > 1:
            yield name, view, {**held, name: mix(value)}
    for name in view.rows.context.keys() - held.keys():
        columns = Context({**view.rows.context, name: mix(view.rows.context[name])})
        yield name, dataclasses.replace(view, rows=Opportunities(view.rows.user, view.rows.item, columns)), held
    if view.user_features.shape[1]:
        yield "user features", dataclasses.replace(view, user_features=mix(view.user_features)), held
    if view.item_features.shape[1]:
        yield "item features", dataclasses.replace(view, item_features=mix(view.item_features)), held
