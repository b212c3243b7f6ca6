"""Continuous outcomes in two worlds: the value of the other world that lies at the same quantile."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from counterlog.errors import RefusedError
from counterlog.query import coupling

#: Families that a shift and a scale carry onto each other, exactly and without a distribution function.
LOCATION_SCALE = (
    torch.distributions.Normal,
    torch.distributions.Laplace,
    torch.distributions.Cauchy,
    torch.distributions.Gumbel,
)
#: Families with a scale only: name of its parameter, and whether it divides.
SCALE = {"HalfNormal": ("scale", False), "HalfCauchy": ("scale", False), "Exponential": ("rate", True)}


def carry(fn: Any, value: Tensor, other: Any) -> Tensor:
    """``other``'s quantile function at ``fn``'s distribution function of ``value``; ``value`` itself where the two are
    the same.

    Raises
    ------
    RefusedError
        Two families, or one whose quantiles are not known here.
    """
    if type(fn).__name__ == "Delta" or type(other).__name__ == "Delta":
        return value if type(other).__name__ != "Delta" else other.v
    if type(fn) is not type(other):
        raise RefusedError(
            f"a {type(fn).__name__} in this world and a {type(other).__name__} in the other share no noise; keep the "
            "kind of the distribution"
        )
    if isinstance(fn, torch.distributions.TransformedDistribution) and _same_maps(fn, other):
        return _through(fn, value, other)
    moved = _moved(fn, value, other)
    return torch.where(coupling.same_parameters(fn, other), value, moved)


def quantile(fn: Any, u: Tensor) -> Tensor:
    """The quantile function at uniforms ``u``.

    Raises
    ------
    RefusedError
        It is not known here.
    """
    if isinstance(fn, torch.distributions.Gamma):
        from scipy import stats

        shape, rate = fn.concentration.double().numpy(), fn.rate.double().numpy()
        found = stats.gamma.ppf(u.double().numpy(), shape, scale=1.0 / rate)
        return torch.as_tensor(found).to(u.dtype)
    try:
        value: Tensor = fn.icdf(u.clamp(min=torch.finfo(u.dtype).tiny))
    except NotImplementedError:
        raise _unknown(fn) from None
    return value


def _through(fn: Any, value: Tensor, other: Any) -> Tensor:
    """Both are the same maps of a base: undo them, carry at the base, do them again."""
    z = value
    for transform in reversed(fn.transforms):
        z = transform.inv(z)
    base, target = coupling.plain(fn.base_dist), coupling.plain(other.base_dist)
    moved = carry(base, z, target)
    same = torch.as_tensor(moved == z)
    for transform in other.transforms:
        moved = transform(moved)
    return torch.where(same, value, moved)  # maps there and back are not exact


def _same_maps(fn: Any, other: Any) -> bool:
    return len(fn.transforms) == len(other.transforms) and all(
        type(a) is type(b) and getattr(a, "domain", None) == getattr(b, "domain", None) and a == b
        for a, b in zip(fn.transforms, other.transforms, strict=True)
    )


def _moved(fn: Any, value: Tensor, other: Any) -> Tensor:
    if isinstance(fn, LOCATION_SCALE):
        return other.loc + other.scale * ((value - fn.loc) / fn.scale)
    if type(fn).__name__ in SCALE:
        name, divides = SCALE[type(fn).__name__]
        this, that = getattr(fn, name), getattr(other, name)
        return value * (this / that if divides else that / this)
    if isinstance(fn, torch.distributions.Gamma):
        return _gamma(fn, value, other)
    try:
        wide: Tensor = other.icdf(fn.cdf(value))
    except NotImplementedError:
        raise _unknown(fn) from None
    return wide


def _gamma(fn: Any, value: Tensor, other: Any) -> Tensor:
    """In double precision and from the nearer tail, so that large values keep their quantile."""
    from scipy import stats

    x = value.double().numpy()
    this = {"a": fn.concentration.double().numpy(), "scale": 1.0 / fn.rate.double().numpy()}
    that = {"a": other.concentration.double().numpy(), "scale": 1.0 / other.rate.double().numpy()}
    low, high = stats.gamma.cdf(x, **this), stats.gamma.sf(x, **this)
    moved = torch.where(
        torch.as_tensor(low < 0.5),
        torch.as_tensor(stats.gamma.ppf(low, **that)),
        torch.as_tensor(stats.gamma.isf(high, **that)),
    )
    return moved.to(value.dtype)


def _unknown(fn: Any) -> RefusedError:
    return RefusedError(
        f"the quantiles of {type(fn).__name__} are not known here, so that no outcome can be carried to another "
        "world; use Normal, LogNormal, Exponential, Gamma, HalfNormal, Weibull, Laplace, or a distribution with cdf "
        "and icdf"
    )
