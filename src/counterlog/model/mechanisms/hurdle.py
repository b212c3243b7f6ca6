"""First whether, then how much: an amount that is 0 until something else has happened."""

from __future__ import annotations

from typing import Any

import pyro.distributions as dist
import torch
from torch import Tensor
from torch.distributions import constraints


class Hurdle(dist.TorchDistribution):
    """An amount that is 0 where the gate is shut and follows ``amount`` where it is open.

    The hurdle model of Cragg (1971, Econometrica 39) and Mullahy (1986, J. Econometrics 33), with the gate as a site of
    its own: an item is opened (a click of 0 or 1), and if so somebody stays for a time. Its mean is the gate times the
    mean of the amount, so that the time of an exposure counts what was never opened as 0.

    Parameters
    ----------
    gate
        0 or 1, any batch shape.
    amount
        A distribution of positive numbers.
    """

    arg_constraints = {"gate": constraints.boolean}  # noqa: RUF012
    support = constraints.nonnegative

    def __init__(self, gate: Tensor, amount: Any, validate_args: bool | None = None) -> None:
        shape = torch.broadcast_shapes(gate.shape, amount.batch_shape)
        self.gate, self.amount = gate.expand(shape), amount.expand(shape)
        super().__init__(shape, validate_args=False)

    @property
    def mean(self) -> Tensor:
        """Expected amount given the gate, 0 where it is shut."""
        return self.gate * self.amount.mean

    @property
    def variance(self) -> Tensor:
        """Variance given the gate, 0 where it is shut."""
        return self.gate * self.amount.variance

    def expand(self, batch_shape: Any, _instance: Any = None) -> Hurdle:
        """The same distribution over a larger batch."""
        return Hurdle(self.gate.expand(torch.Size(batch_shape)), self.amount)

    def sample(self, sample_shape: Any = torch.Size()) -> Tensor:  # noqa: B008
        """Draw amounts, 0 where the gate is shut."""
        with torch.no_grad():
            return self.gate * self.amount.sample(torch.Size(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density of a positive amount where the gate is open, log-probability of 0 where it is shut."""
        above = value > 0
        inside = torch.where(above, value, torch.ones((), dtype=value.dtype, device=value.device))
        density = self.amount.log_prob(inside)
        impossible = torch.full((), -torch.inf, dtype=density.dtype, device=density.device)
        certain = torch.zeros((), dtype=density.dtype, device=density.device)
        return torch.where(
            self.gate > 0, torch.where(above, density, impossible), torch.where(above, impossible, certain)
        )

    def icdf(self, value: Tensor) -> Tensor:
        """The amount at each probability, 0 where the gate is shut."""
        return self.gate * self.amount.icdf(value)
