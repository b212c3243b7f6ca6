"""Coordinates for Markov chains in which a posterior is as round as its curvature tells.

An arrow straightens the ridge between a few globals and all locals. A program may have hundreds of globals more, such
as weights of crossed features that overlap, and those trade off with one another and with every local as well: here
all of them belong to the stem, if they are not too many.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import pyro
import torch
from torch import Tensor

from counterlog import rng as _rng
from counterlog.errors import FitError
from counterlog.inference.response import eliminate, prior_precision
from counterlog.inference.tables import TABLES
from counterlog.inference.whole import Whole, small_sites

if TYPE_CHECKING:
    from counterlog.inference.fit import Fit

#: Most globals that are freed of one another, and most pairs of one and a number of the posterior: finding the slopes
#: holds 12 bytes for each pair, and takes about eight products of the Hessian with a vector for each global.
MOST_STEM, MOST_PAIRS = 2000, 100_000_000
#: Points at which the curvature of single coordinates is measured, vectors of signs at each, and the range beyond which
#: it is not followed.
POINTS, SIGNS = 16, 3
ROUGHNESS = (0.25, 8.0)


@dataclass(frozen=True, eq=False)
class Chart:
    """Numbers of the posterior = ``loc + scale * e + slopes @ e[stem]``, with ``e`` about standard normal.

    ``loc``, ``scale`` float32 ``[n]`` (``scale`` is 0 in the stem); ``stem`` int64 ``[s]``; ``slopes`` float32
    ``[n, s]``.
    """

    loc: Tensor
    scale: Tensor
    stem: Tensor
    slopes: Tensor

    def place(self, e: Tensor) -> Tensor:
        """The numbers ``[n]`` at some coordinates ``[n]``."""
        return self.loc + self.scale * e + self.slopes @ e.index_select(0, self.stem)


def is_wide(fit: Fit) -> bool:
    """Whether there are globals outside an arrow's stem, which a chart takes into its own."""
    number = fit.loc["globals"].numel()
    pairs = number * sum(table.numel() for table in fit.loc.values())
    return len(small_sites(fit)) < number <= MOST_STEM and pairs <= MOST_PAIRS


def chart(fit: Fit, whole: Whole, progress: Callable[[int, int], None] | None = None) -> Chart:
    """The coordinates for a fit that has an arrow.

    Raises
    ------
    FitError
        It has no arrow.
    """
    found = plain_chart(fit)
    if is_wide(fit):
        stem = torch.arange(whole.sizes["globals"])
        own = bare_chart(fit).scale
        slopes = _wide(whole, found.loc, own, stem, progress)
        found = Chart(found.loc, own.index_fill(0, stem, 0.0), stem, slopes)
    noise = torch.Generator().manual_seed(_rng.derive(fit.seed, "points"))
    points = [torch.randn(len(found.loc), generator=noise) for _ in range(POINTS)]
    step = roughness(whole, found, points, fit.seed).rsqrt()
    return Chart(found.loc, found.scale * step, found.stem, found.slopes * step[found.stem])


def plain_chart(fit: Fit) -> Chart:
    """The arrow's own coordinates.

    Raises
    ------
    FitError
        The fit has no arrow.
    """
    arrow = fit.arrow
    if arrow is None:
        raise FitError("coordinates start from an arrow, which this fit does not have")
    bare = bare_chart(fit)
    slopes = torch.cat([arrow.slopes[name].reshape(-1, len(arrow.stem)) for name in TABLES])
    return Chart(bare.loc, bare.scale.index_fill(0, arrow.stem, 0.0), arrow.stem, slopes)


def bare_chart(fit: Fit) -> Chart:
    """The mean-field guide's coordinates, in which everything is on its own."""
    loc = torch.cat([fit.loc[name].reshape(-1) for name in TABLES])
    scale = torch.cat([fit.log_scale[name].exp().reshape(-1) for name in TABLES])
    return Chart(loc, scale, torch.empty(0, dtype=torch.int64), torch.empty(len(loc), 0))


def chart_gradients(fit: Fit) -> int:
    """About how many gradients `chart` costs."""
    return 8 * POINTS + (8 * fit.loc["globals"].numel() if is_wide(fit) else 0)


def _wide(
    whole: Whole, loc: Tensor, scale: Tensor, stem: Tensor, progress: Callable[[int, int], None] | None
) -> Tensor:
    """Slopes on the principal directions of the globals, with the locals eliminated.

    Where the density bends up, or less than the prior does on average, a direction is let out as far as its prior.
    """
    precision, moved = eliminate(_products(whole, loc), stem, len(loc), scale.square(), progress)
    units = prior_precision(whole).sqrt().double()
    values, vectors = torch.linalg.eigh(precision / units[:, None] / units)
    factor = (vectors / values.clamp(min=1.0).sqrt() / units[:, None]).float()
    slopes = moved @ factor
    slopes[stem] = factor
    return slopes


def _products(whole: Whole, at: Tensor) -> Callable[[Tensor], Tensor]:
    """The product of the Hessian of the energy at a point with any vector."""
    point = at.clone().requires_grad_()
    with pyro.validation_enabled(False):
        (gradient,) = torch.autograd.grad(whole.energy(tables(whole, point)), point, create_graph=True)

    def times(direction: Tensor) -> Tensor:
        (product,) = torch.autograd.grad(gradient, point, direction, retain_graph=True)
        return product

    return times


def roughness(whole: Whole, found: Chart, points: Sequence[Tensor], seed: int) -> Tensor:
    """Curvature ``[n]`` along every coordinate, averaged over points (Hutchinson 1990: signs ask for the diagonal).

    Units are set by it, not learnt from a chain's first draws: those are few, and in nearly round coordinates their
    noise costs more than it gives.
    """
    total = torch.zeros(len(found.loc))
    generator = torch.Generator().manual_seed(_rng.derive(seed, "roughness"))
    for point in points:
        e = point.clone().requires_grad_()
        with pyro.validation_enabled(False):
            (gradient,) = torch.autograd.grad(whole.energy(tables(whole, found.place(e))), e, create_graph=True)
            for _ in range(SIGNS):
                signs = (torch.randint(0, 2, (len(total),), generator=generator) * 2 - 1).float()
                (product,) = torch.autograd.grad(gradient, e, signs, retain_graph=True)
                total += signs * product
    return (total / (len(points) * SIGNS)).nan_to_num(1.0).clamp(*ROUGHNESS)


def tables(whole: Whole, flat: Tensor) -> dict[str, Tensor]:
    """Numbers ``[n]`` as the unconstrained tables."""
    parts = flat.split([whole.sizes[name] for name in TABLES])
    return {name: part.reshape(whole.shapes[name]) for name, part in zip(TABLES, parts, strict=True)}


class Coordinates:
    """The energy of a log, as a function of a chart's coordinates ``e`` float32 ``[n]``."""

    def __init__(self, whole: Whole, found: Chart) -> None:
        self.whole, self.chart = whole, found

    def place(self, e: Tensor) -> dict[str, Tensor]:
        """The unconstrained tables at some coordinates."""
        return tables(self.whole, self.chart.place(e))

    def eager(self, e: Tensor) -> Tensor:
        """Negative log joint density at some coordinates, by running the program."""
        return self.whole.energy(self.place(e))

    @cached_property
    def fast(self) -> Callable[[Tensor], Tensor]:
        """`eager` recorded once, which saves the program's own time; where the record gives another value or gradient
        at another point, as where a program branches on what it draws, the program itself is run.
        """
        n = len(self.chart.loc)
        first, second = torch.zeros(n), torch.linspace(-1.0, 1.0, n)
        with warnings.catch_warnings(), pyro.validation_enabled(False):
            warnings.simplefilter("ignore")  # the recorder warns about constants, which these are
            recorded: Callable[[Tensor], Tensor] = torch.jit.trace(self.eager, (first,), check_trace=False)
        same = all(
            torch.allclose(one, two, rtol=1e-3, atol=1e-2)
            for one, two in zip(value_gradient(recorded, second), value_gradient(self.eager, second), strict=True)
        )
        return recorded if same else self.eager

    def energy(self, unit: Tensor) -> Callable[[dict[str, Tensor]], Tensor]:
        """Potential energy for the sampler, at ``unit`` times its own numbers."""
        return lambda at: self.fast(unit * at["e"])


def value_gradient(energy: Callable[[Tensor], Tensor], e: Tensor) -> tuple[Tensor, Tensor]:
    """Value and gradient of an energy at some coordinates."""
    at = e.clone().requires_grad_()
    with pyro.validation_enabled(False):
        value = energy(at)
        (gradient,) = torch.autograd.grad(value, at)
    return value.detach(), gradient
