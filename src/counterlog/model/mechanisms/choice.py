"""A choice among what was shown: the rows of a slate compete for one click."""

from __future__ import annotations

from typing import Any

import pyro.distributions as dist
import torch
from torch import Tensor
from torch.distributions import constraints


class SlateChoice(dist.TorchDistribution):
    """At most one click a slate: the multinomial logit over what was shown and the choice of nothing.

    P(click on r) = shown_r exp(u_r) / (1 + sum of exp(u_s) over the shown rows s of the slate), with utility 0 for
    nothing (McFadden 1974, in Frontiers in Econometrics; for recommender slates Ie et al. 2019, IJCAI). Whoever utters
    Gumbel noise on each utility and takes the greatest chooses so. A row is a coin given its slate, but rows of a slate
    are not independent: the log-probability of a slate is that of its choice, written at the row that was clicked, or
    in equal parts at its shown rows where none was. A program that uses it declares the slate with ``together=``.

    Parameters
    ----------
    utility
        Of each row against nothing, ``[n]``.
    shown
        1 where the row was shown, else 0, ``[n]``.
    slate
        A whole number for each slate, ``[n]``, in any order.
    """

    arg_constraints = {"utility": constraints.real, "shown": constraints.boolean}  # noqa: RUF012
    support = constraints.boolean

    def __init__(self, utility: Tensor, shown: Tensor, slate: Tensor, validate_args: bool | None = None) -> None:
        self.slate = slate
        self.utility, self.shown = utility.expand(slate.shape), shown.expand(slate.shape)
        names, self._of = torch.unique(slate, return_inverse=True)
        self._n = len(names)
        super().__init__(self.slate.shape, validate_args=False)

    def _summed(self, rows: Tensor) -> Tensor:
        """The sum of each slate's rows, ``[slates]``."""
        return torch.zeros(self._n, dtype=rows.dtype, device=rows.device).index_add(0, self._of, rows)

    def _nothing(self) -> Tensor:
        """Log P(no click) of each slate; its utilities are taken against the greatest, so that none overflows."""
        seen = torch.where(self.shown > 0, self.utility, torch.full_like(self.utility, -1e9))
        top = torch.zeros(self._n, dtype=seen.dtype, device=seen.device)
        top = top.scatter_reduce(0, self._of, seen.detach(), "amax")
        total = torch.exp(-top) + self._summed(torch.exp(seen - top[self._of]))
        return -(top + total.log())

    @property
    def probs(self) -> Tensor:
        """P(click on the row), ``[n]``."""
        return self.shown * torch.exp(self.utility.clamp(max=80.0) + self._nothing()[self._of])

    @property
    def mean(self) -> Tensor:
        """P(click on the row)."""
        return self.probs

    @property
    def variance(self) -> Tensor:
        """Variance of the row's click."""
        return self.probs * (1.0 - self.probs)

    def expand(self, batch_shape: Any, _instance: Any = None) -> SlateChoice:
        """The same distribution: a slate has no copies.

        Raises
        ------
        ValueError
            For another shape.
        """
        if torch.Size(batch_shape) != self.batch_shape:
            raise ValueError(f"rows of a slate cannot be copied: shape {tuple(self.batch_shape)} to {batch_shape}")
        return self

    def sample(self, sample_shape: Any = torch.Size()) -> Tensor:  # noqa: B008
        """Draw the click of each slate, ``[n]`` of 0 and 1."""
        if len(sample_shape):
            return torch.stack([self.sample(sample_shape[1:]) for _ in range(sample_shape[0])])
        with torch.no_grad():
            noise = lambda n: -torch.log(-torch.log(torch.rand(n).clamp(min=1e-30)))  # noqa: E731
            utter = torch.where(self.shown > 0, self.utility + noise(len(self.slate)), torch.full((), -torch.inf))
            best = noise(self._n).scatter_reduce(0, self._of, utter, "amax")
            return ((utter == best[self._of]) & (self.shown > 0)).to(self.utility.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        """The slate's log-probability as the sum over its rows; minus infinity at clicks on what was not shown, and at
        two clicks.
        """
        nothing, shown = self._nothing()[self._of], self.shown > 0
        clicks = self._summed(value.to(self.utility.dtype))[self._of]
        count = self._summed(self.shown)[self._of].clamp(min=1.0)
        zero = torch.zeros_like(nothing)
        never = torch.full_like(nothing, -torch.inf)
        none = torch.where(shown & (clicks == 0), nothing / count, zero)
        one = torch.where(shown & (clicks == 1), self.utility + nothing, never)
        return torch.where(value > 0, one, none)
