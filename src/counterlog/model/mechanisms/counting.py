"""How often: counts that vary more than chance alone would have them."""

from __future__ import annotations

from typing import Any

import pyro.distributions as dist
import torch
from torch import Tensor
from torch.distributions import constraints


class OverdispersedCount(dist.TorchDistribution):
    """Negative binomial count by its mean: a Poisson whose own rate is gamma-distributed around ``rate``.

    Its variance is ``rate + rate ** 2 / concentration`` (Greenwood and Yule 1920, J. R. Stat. Soc. 83; the form by the
    mean: Hilbe 2011, Negative Binomial Regression, 8). Unlike ``NegativeBinomial`` and ``GammaPoisson`` it takes a rate
    of 0, which is a count of 0: what nobody saw is not played.

    Parameters
    ----------
    rate
        Mean, 0 or more, any batch shape.
    concentration
        Above 0; the smaller, the more counts vary beyond a Poisson's.
    """

    arg_constraints = {"rate": constraints.nonnegative, "concentration": constraints.positive}  # noqa: RUF012
    support = constraints.nonnegative_integer

    def __init__(self, rate: Tensor, concentration: Tensor, validate_args: bool | None = None) -> None:
        self.rate, self.concentration = torch.broadcast_tensors(rate, concentration)
        super().__init__(self.rate.shape, validate_args=False)

    @property
    def mean(self) -> Tensor:
        """Expected count."""
        return self.rate

    @property
    def variance(self) -> Tensor:
        """Variance of the count."""
        return self.rate + self.rate.square() / self.concentration

    def expand(self, batch_shape: Any, _instance: Any = None) -> OverdispersedCount:
        """The same distribution over a larger batch."""
        shape = torch.Size(batch_shape)
        return OverdispersedCount(self.rate.expand(shape), self.concentration.expand(shape))

    def sample(self, sample_shape: Any = torch.Size()) -> Tensor:  # noqa: B008
        """Draw counts, as numbers of the parameters' type."""
        with torch.no_grad():
            shape = self._extended_shape(sample_shape)
            size = self.concentration.expand(shape)
            return torch.poisson(torch._standard_gamma(size) / size * self.rate.expand(shape))

    def log_prob(self, value: Tensor) -> Tensor:
        """Log P(count = value); minus infinity above 0 where the rate is 0."""
        rate, size = self.rate, self.concentration
        some = rate > 0
        positive = torch.where(some, rate, torch.ones((), dtype=rate.dtype, device=rate.device))
        ways = torch.lgamma(value + size) - torch.lgamma(size) - torch.lgamma(value + 1.0)
        found = ways - size * torch.log1p(positive / size) + value * (positive.log() - (positive + size).log())
        none = torch.zeros_like(found).masked_fill((value != 0).expand(found.shape), -torch.inf)
        return torch.where(some, found, none)

    def icdf(self, value: Tensor) -> Tensor:
        """The count at each probability, by SciPy and without a gradient."""
        from scipy import stats

        rate, size = self.rate.detach().double().numpy(), self.concentration.detach().double().numpy()
        found = stats.nbinom.ppf(value.double().numpy(), size, size / (size + rate))
        return torch.as_tensor(found).to(self.rate.dtype)
