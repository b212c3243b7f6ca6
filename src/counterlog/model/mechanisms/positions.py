"""The rank that an item gets in a slate."""

from __future__ import annotations

from typing import Any

import pyro.distributions as dist
import torch
from torch import Tensor
from torch.distributions import constraints


class Positions(dist.TorchDistribution):
    """Rank in a slate, 1 .. n, from logits ``[..., n]``; a categorical distribution that counts from one."""

    arg_constraints = {"logits": constraints.real_vector}  # noqa: RUF012
    has_enumerate_support = True

    def __init__(self, logits: Tensor, validate_args: bool | None = None) -> None:
        self._base = dist.Categorical(logits=logits, validate_args=False)
        self.logits = self._base.logits
        super().__init__(self._base.batch_shape, validate_args=False)

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self) -> Any:  # noqa: D102
        return constraints.integer_interval(1, self.logits.shape[-1])

    @property
    def probs(self) -> Tensor:
        """P(position = k + 1), batch shape + ``[n]``."""
        return self._base.probs

    @property
    def mean(self) -> Tensor:
        """Expected rank."""
        return (self.probs * torch.arange(1, self.logits.shape[-1] + 1, device=self.logits.device)).sum(-1)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Positions:
        """The same distribution over a larger batch."""
        return Positions(self.logits.expand((*torch.Size(batch_shape), self.logits.shape[-1])))

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All ranks along a new first dimension."""
        return self._base.enumerate_support(expand) + 1

    def sample(self, sample_shape: Any = torch.Size()) -> Tensor:  # noqa: B008
        """Draw ranks (int64) from 1."""
        return self._base.sample(torch.Size(sample_shape)) + 1

    def log_prob(self, value: Tensor) -> Tensor:
        """Log P(position = value)."""
        return self._base.log_prob(value.long() - 1)
