"""An ordered outcome, such as a rating."""

from __future__ import annotations

from typing import Any

import pyro.distributions as dist
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import constraints


class OrdinalRating(dist.TorchDistribution):
    """Ordered logistic outcome: P(level <= k) = sigmoid(cutpoint_k - affinity), levels 0 .. K-1.

    The proportional-odds model of McCullagh (1980, J. R. Stat. Soc. B 42). Unlike ``OrderedLogistic`` it writes nothing
    in place, so that Pyro's provenance sees through it, and it can be enumerated.

    Parameters
    ----------
    affinity
        Location, any batch shape.
    cutpoints
        Increasing, ``[K - 1]`` or batch shape + ``[K - 1]``.
    """

    arg_constraints = {"affinity": constraints.real, "cutpoints": constraints.real_vector}  # noqa: RUF012
    has_enumerate_support = True

    def __init__(self, affinity: Tensor, cutpoints: Tensor, validate_args: bool | None = None) -> None:
        self.affinity, self.cutpoints = affinity, cutpoints
        shape = torch.broadcast_shapes(affinity.shape, cutpoints.shape[:-1])
        super().__init__(shape, validate_args=False)

    @property
    def n_levels(self) -> int:
        """Number of levels K."""
        return self.cutpoints.shape[-1] + 1

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self) -> Any:  # noqa: D102
        return constraints.integer_interval(0, self.n_levels - 1)

    @property
    def cumulative(self) -> Tensor:
        """P(level <= k) for k = 0 .. K-2, batch shape + ``[K - 1]``."""
        return torch.sigmoid(self.cutpoints - self.affinity[..., None])

    @property
    def probs(self) -> Tensor:
        """P(level = k), batch shape + ``[K]``."""
        return torch.diff(F.pad(F.pad(self.cumulative, (0, 1), value=1.0), (1, 0)), dim=-1)

    @property
    def mean(self) -> Tensor:
        """Expected level index: the sum of P(level > k)."""
        return (1.0 - self.cumulative).sum(-1)

    @property
    def variance(self) -> Tensor:
        """Variance of the level index."""
        index = torch.arange(self.n_levels, dtype=self.affinity.dtype, device=self.affinity.device)
        return (self.probs * (index - self.mean[..., None]) ** 2).sum(-1)

    def expand(self, batch_shape: Any, _instance: Any = None) -> OrdinalRating:
        """The same distribution over a larger batch."""
        return OrdinalRating(self.affinity.expand(torch.Size(batch_shape)), self.cutpoints)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All levels along a new first dimension, ``[K, 1, ...]`` or expanded to the batch shape."""
        levels = torch.arange(self.n_levels, device=self.affinity.device).reshape((-1,) + (1,) * len(self.batch_shape))
        return levels.expand((-1, *self.batch_shape)) if expand else levels

    def sample(self, sample_shape: Any = torch.Size()) -> Tensor:  # noqa: B008
        """Draw levels (int64): the number of cut-points below a logistic draw."""
        with torch.no_grad():
            u = torch.rand(self._extended_shape(sample_shape), dtype=self.affinity.dtype, device=self.affinity.device)
            return (u[..., None] > self.cumulative).sum(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log P(level = value), stable in both tails."""
        value = value.long()
        top = self.n_levels - 1
        edges = F.pad(F.pad(self.cutpoints, (1, 0), value=-1.0), (0, 1), value=1.0)
        if self.cutpoints.dim() == 1:
            low_cut, high_cut = edges[value], edges[value + 1]
        else:
            edges = edges.expand((*self.batch_shape, self.n_levels + 1))
            shape = torch.broadcast_shapes(value.shape, self.batch_shape)
            index = value.expand(shape)[..., None]
            edges = edges.expand((*shape, self.n_levels + 1))
            low_cut, high_cut = edges.gather(-1, index)[..., 0], edges.gather(-1, index + 1)[..., 0]
        low, high = low_cut - self.affinity, high_cut - self.affinity
        # the middle: log(sigmoid(high) - sigmoid(low)) = log sigmoid(high) + log sigmoid(-low) + log(1 - exp(low -
        # high))
        gap = torch.where((value > 0) & (value < top), high_cut - low_cut, torch.ones_like(high_cut))
        below = torch.where(value == top, torch.zeros_like(high), F.logsigmoid(high))
        above = torch.where(value == 0, torch.zeros_like(low), F.logsigmoid(-low))
        middle = torch.where((value > 0) & (value < top), torch.log(-torch.expm1(-gap)), torch.zeros_like(gap))
        return below + above + middle
