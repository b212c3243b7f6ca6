"""The negative ELBO of a whole log as a deterministic function of one vector, with its first and second derivatives.

With noise that is drawn once and kept, the objective can be minimised to the end by Newton's method, and its curvature
at the minimum says how far the posterior reaches (Giordano, Ingram, Broderick 2024, J. Mach. Learn. Res. 25,
"Black box variational inference with a deterministic objective").
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pyro
import torch
from torch import Tensor

from counterlog import rng as _rng
from counterlog.errors import RefusedError
from counterlog.inference.blocks import block
from counterlog.inference.blocks import plan as plan_blocks
from counterlog.inference.elbo import negative_elbo
from counterlog.inference.tables import TABLES

if TYPE_CHECKING:
    from counterlog.inference.cells import Cells
    from counterlog.inference.fit import Fit

#: Opportunities up to which a log is gone through as one block, with all that its second derivative keeps in memory.
MOST_OPPORTUNITIES = 300_000
#: Globals whose posterior is taken as a point when curvature is measured: the sites of at most this many numbers.
STEM_SITE = 16
_POINT = -10.0  # log-scale of a point: its square is lost in a float32 sum


def refuse_large(cells: Cells, most: int = MOST_OPPORTUNITIES) -> None:
    """Refuse a log that is too large to be gone through at once.

    Raises
    ------
    RefusedError
        It has more than ``most`` opportunities: rows, or cells of the grid where all of them count.
    """
    size = cells.n_users * cells.n_items if cells.treatment.implied else cells.n
    if size > most:
        raise RefusedError(
            f"the log has {size:,} opportunities; an arrow or chains go through all of them at once, up to {most:,}. "
            "Keep the mean-field guide, whose intervals are widened by a measured factor, or fit a sample of the users"
        )


class Whole:
    """The objective over the whole log.

    The vector holds the locations of every table, then the log-scales of users and items: ``[n + m]``. Globals of the
    stem are points; the other numbers have the guide's normal noise, replaced by signs that are orthogonal between
    halves of a row and antithetic, so that no scale can profit from what few draws happen to leave out.

    Raises
    ------
    RefusedError
        The log has more opportunities than fit in memory with their second derivatives.
    """

    def __init__(self, fit: Fit) -> None:
        cells = fit.cells
        refuse_large(cells)
        self.fit = fit
        plan = plan_blocks(
            cells, 2 * MOST_OPPORTUNITIES, "all" if cells.treatment.implied else None, torch.device("cpu")
        )
        self.block = block(plan, 0, 0, 0, {})
        self.shapes = {name: tuple(fit.loc[name].shape) for name in TABLES}
        self.sizes = {name: fit.loc[name].numel() for name in TABLES}
        self.n = sum(self.sizes.values())
        self.m = self.sizes["users"] + self.sizes["items"]
        self.stem = small_sites(fit)
        self.point = torch.zeros(self.shapes["globals"], dtype=torch.bool)
        self.point[:, self.stem] = True
        self._noises = _signs(self)

    def start(self) -> Tensor:
        """The fit's own locations and scales."""
        fit = self.fit
        locs = [fit.loc[name].reshape(-1) for name in TABLES]
        return torch.cat([*locs, *(fit.log_scale[name].reshape(-1) for name in ("users", "items"))])

    def units(self) -> Tensor:
        """The size of one step in every number of the vector: the guide's own spread."""
        fit = self.fit
        locs = [fit.log_scale[name].exp().reshape(-1) for name in TABLES]
        return torch.cat([*locs, torch.full((self.m,), 0.5**0.5)])

    def split(self, vector: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
        """Location and log-scale of each table."""
        locs = vector[: self.n].split([self.sizes[name] for name in TABLES])
        scales = vector[self.n :].split([self.sizes["users"], self.sizes["items"]])
        scale = self.fit.log_scale["globals"]
        held = torch.where(self.point, torch.full_like(scale, _POINT), scale)
        shaped = {name: loc.reshape(self.shapes[name]) for name, loc in zip(TABLES, locs, strict=True)}
        return {
            "globals": (shaped["globals"], held),
            "users": (shaped["users"], scales[0].reshape(self.shapes["users"])),
            "items": (shaped["items"], scales[1].reshape(self.shapes["items"])),
        }

    def value(self, vector: Tensor) -> Tensor:
        """Negative ELBO, averaged over the fixed noise."""
        leaves = self._rows(self.split(vector))
        total = torch.zeros(())
        for noise in self._noises:
            total = total + self._loss(leaves, noise)
        return total / len(self._noises)

    def energy(self, tables: dict[str, Tensor]) -> Tensor:
        """Negative log joint density of one value of every latent, unconstrained, up to a constant."""
        leaves = self._rows({name: (loc, torch.full_like(loc, _POINT)) for name, loc in tables.items()})
        return self._loss(leaves, {name: torch.zeros_like(loc) for name, (loc, _) in leaves.items()})

    def _rows(self, leaves: dict[str, tuple[Tensor, Tensor]]) -> dict[str, tuple[Tensor, Tensor]]:
        if self.block.items is None:
            return leaves
        loc, scale = leaves["items"]
        return {**leaves, "items": (loc.index_select(0, self.block.items), scale.index_select(0, self.block.items))}

    def _loss(self, leaves: dict[str, tuple[Tensor, Tensor]], noise: dict[str, Tensor]) -> Tensor:
        fit = self.fit
        return negative_elbo(fit.scm, self.block, fit.layout, fit.treatment, leaves, noise).total

    def gradient(self, vector: Tensor) -> tuple[float, Tensor]:
        """Value and gradient."""
        at = vector.detach().requires_grad_()
        with pyro.validation_enabled(False):
            value = self.value(at)
            (gradient,) = torch.autograd.grad(value, at)
        return float(value.detach()), gradient

    def curvature(self, vector: Tensor) -> Callable[[Tensor], Tensor]:
        """The product of the Hessian at a point with any vector."""
        at = vector.detach().requires_grad_()
        with pyro.validation_enabled(False):
            (gradient,) = torch.autograd.grad(self.value(at), at, create_graph=True)

        def times(direction: Tensor) -> Tensor:
            (product,) = torch.autograd.grad(gradient, at, direction, retain_graph=True)
            return product

        return times


def small_sites(fit: Fit) -> Tensor:
    """Columns of the globals of small sites: those whose joint posterior is worth a dense matrix."""
    small = [site for site in fit.layout.of("globals") if site.stop - site.start <= STEM_SITE]
    return torch.tensor([column for site in small for column in range(site.start, site.stop)], dtype=torch.int64)


def _signs(whole: Whole) -> list[dict[str, Tensor]]:
    """Four draws of signs for every number, the second half the negative of the first; within a row the two classes of
    columns are orthogonal.
    """
    draw = torch.Generator().manual_seed(_rng.derive(whole.fit.seed, "signs"))
    first, second = {}, {}
    for name in TABLES:
        rows, width = whole.shapes[name]
        sign = (torch.randint(0, 2, (rows, width), generator=draw) * 2 - 1).float()
        turned = (torch.arange(width) + torch.randint(0, 2, (rows, 1), generator=draw)) % 2
        if name == "globals":
            sign = sign.masked_fill(whole.point, 0.0)
        first[name], second[name] = sign, torch.where(turned == 0, sign, -sign)
    if whole.block.items is not None:
        for signs in (first, second):
            signs["items"] = signs["items"].index_select(0, whole.block.items)
    negative = lambda signs: {name: -value for name, value in signs.items()}  # noqa: E731
    return [first, negative(first), second, negative(second)]
