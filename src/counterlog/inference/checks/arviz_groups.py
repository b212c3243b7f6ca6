"""The checks' numbers as groups of ArviZ data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from counterlog.inference.arviz_export import to_arviz
from counterlog.inference.checks.contraction import prior_draws

if TYPE_CHECKING:
    from counterlog.inference.checks.result import Checks


def with_checks(checks: Checks, draws: int = 100, rng: int = 0) -> Any:
    """`counterlog.inference.to_arviz` of the fit with the groups ``prior``, ``khat`` and ``leave_one_out``.

    ``prior`` has draws of every global site. ``khat`` has ``khat_user`` and ``khat_item`` (of the users and items that
    were looked at) and ``khat_event``. ``leave_one_out`` has, of the left-out events, ``observed``, ``replicated`` and
    ``log_weights`` (chain, draw, event), ``log_likelihood`` and ``log_density``.

    Returns
    -------
    arviz.InferenceData (ArviZ before 1.0) or xarray.DataTree
    """
    import xarray as xr

    fit = checks.fit
    data = to_arviz(fit, draws, rng)
    groups: dict[str, xr.Dataset] = {"prior": _prior(checks, rng)}
    khat: dict[str, Any] = {}
    for each in checks.khats:
        one = each.table[:-1]
        labels = (fit.log.users if each.table == "users" else fit.log.items).labels
        ids = np.asarray([labels[int(k)] for k in each.codes], dtype=object)
        khat[f"khat_{one}"] = xr.DataArray(each.khat, dims=[one], coords={one: ids})
        loo = each.leave_one_out
        if loo is not None:
            event = {"event": loo.rows}
            khat["khat_event"] = xr.DataArray(loo.khat, dims=["event"], coords=event)
            drawn = ["chain", "draw", "event"]
            groups["leave_one_out"] = xr.Dataset(
                {
                    "observed": ("event", loo.observed),
                    "log_density": ("event", loo.log_density),
                    "replicated": (drawn, loo.replicated[None]),
                    "log_weights": (drawn, loo.log_weights[None]),
                    "log_likelihood": (drawn, loo.log_likelihood[None]),
                },
                coords={**event, "chain": [0], "draw": np.arange(len(loo.replicated))},
            )
    if khat:
        groups["khat"] = xr.Dataset(khat)
    if isinstance(data, xr.DataTree):
        for name, dataset in groups.items():
            data[name] = xr.DataTree(dataset)
    else:
        data.add_groups(groups, warn_on_custom_groups=False)
    return data


def _prior(checks: Checks, rng: int) -> Any:
    import xarray as xr

    fit = checks.fit
    drawn = prior_draws(fit, rng)
    found = {}
    for site in fit.layout.sites:
        if site.table == "globals":
            inner = [f"{site.name}_dim_{k}" for k in range(len(site.shape))]
            coords = {name: np.arange(size) for name, size in zip(inner, site.shape, strict=True)}
            found[site.name] = xr.DataArray(drawn[site.name][None], dims=["chain", "draw", *inner], coords=coords)
    return xr.Dataset(found)
