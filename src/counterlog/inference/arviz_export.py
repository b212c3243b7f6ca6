"""A fit as ArviZ data: the only module that imports ArviZ."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from counterlog import rng as _rng

if TYPE_CHECKING:
    from pathlib import Path

    from counterlog.inference.fit import Draw, Fit

#: Most numbers of one latent site that are written, over all draws, and most events with predictive draws and
#: log-likelihoods.
MOST_NUMBERS = 20_000_000
MOST_EVENTS = 20_000


def to_arviz(fit: Fit, draws: int = 200, rng: int = 0, events: int = MOST_EVENTS) -> Any:
    """Posterior, posterior predictive, observed data and log-likelihood, with real user and item ids as coordinates.

    A variational posterior has no chains: there is one, of independent draws, and ``attrs`` says so; R-hat of it means
    nothing. Of a polished fit every draw of every chain is given, whatever ``draws`` says. Latents with more than 20
    million numbers over all draws are left out and named in ``attrs["left_out"]``. Predictive draws and log-likelihoods
    are of exposed events, a uniform sample of ``events`` of them where there are more; the log-likelihood of an event
    is of everything seen of it, unseen sites summed out.

    Returns
    -------
    arviz.InferenceData (ArviZ before 1.0) or xarray.DataTree
    """
    import arviz as az

    log, cells = fit.log, fit.cells
    posterior: dict[str, np.ndarray] = {}
    dims: dict[str, list[str]] = {}
    coords: dict[str, Any] = {
        "user": np.asarray(log.users.labels, dtype=object),
        "item": np.asarray(log.items.labels, dtype=object),
    }
    left_out = []
    shape = (1, draws) if fit.chains is None else fit.chains.quantity.shape
    draws = shape[0] * shape[1]
    rows = {"users": len(log.users), "items": len(log.items), "globals": 1}
    for site in fit.layout.sites:
        if rows[site.table] * (site.stop - site.start) * draws > MOST_NUMBERS:
            left_out.append(site.name)
            continue
        lead = {"users": ["user"], "items": ["item"], "globals": []}[site.table]
        inner = [f"{site.name}_dim_{k}" for k in range(len(site.shape))]
        dims[site.name] = lead + inner
        coords.update({name: np.arange(size) for name, size in zip(inner, site.shape, strict=True)})
        posterior[site.name] = np.empty((1, draws, *([rows[site.table]] if lead else []), *site.shape), np.float32)
    chosen, seen, likelihood, replicated = _events(fit, draws, rng, events, posterior)
    coords["event"] = cells.order[chosen]
    outcome = fit.scm.outcome
    dims[outcome] = ["event"]
    attrs = {
        "inference": f"{fit.guide} variational inference; draws are independent, there are no chains"
        if fit.chains is None
        else "Markov chain Monte Carlo",
        "model": fit.scm.name,
        "fit_hash": fit.hash,
        "left_out": ", ".join(left_out) or "nothing",
        "event": "row of the log",
    }
    data = az.from_dict(
        posterior={name: values.reshape(*shape, *values.shape[2:]) for name, values in posterior.items()},
        posterior_predictive={outcome: replicated.reshape(*shape, -1)},
        log_likelihood={outcome: likelihood.reshape(*shape, -1)},
        observed_data={outcome: seen},
        coords=coords,
        dims=dims,
    )
    data.attrs.update(attrs)
    return data


def pareto_smoothed(log_ratios: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pareto-smoothed importance sampling (Vehtari, Simpson, Gelman, Yao, Gabry 2024, JMLR 25).

    Parameters
    ----------
    log_ratios
        ``[m, draws]``: of each of ``m`` quantities, its own importance ratios.

    Returns
    -------
    tuple
        Smoothed normalised log-weights ``[m, draws]`` and k-hat ``[m]``; k-hat is 0 where all ratios are equal.
    """
    import arviz as az

    flat = np.ptp(log_ratios, axis=1) < 1e-9
    weights = np.full(log_ratios.shape, -math.log(log_ratios.shape[1]))
    khat = np.zeros(len(log_ratios))
    if not flat.all():
        # reff of 1: the draws are independent. ArviZ orients weights as [..., draws].
        smoothed, k = az.psislw(log_ratios[~flat].astype(np.float64), 1.0)
        weights[~flat], khat[~flat] = np.asarray(smoothed), np.asarray(k)
    return weights, khat


def chain_diagnostics(draws: np.ndarray) -> dict[str, float]:
    """Rank-normalised R-hat and the lesser of bulk and tail effective sample sizes of ``[chains, draws]`` (Vehtari,
    Gelman, Simpson, Carpenter, Buerkner 2021, Bayesian Analysis 16).
    """
    import arviz as az

    if np.ptp(draws) == 0.0:
        return {"r_hat": 1.0, "ess": float(draws.size)}
    ess = min(float(az.ess(draws, method="bulk")), float(az.ess(draws, method="tail")))
    return {"r_hat": float(az.rhat(draws)), "ess": ess}


def write_netcdf(fit: Fit, path: Path, draws: int = 200, rng: int = 0) -> None:
    """`to_arviz` as a netCDF file, which ``arviz.from_netcdf`` opens.

    The file is made in memory: the HDF5 library answers a full disk with a crash at the end of the process, Python's
    own writing with an error.

    Raises
    ------
    OSError
        It cannot be written.
    """
    import io

    import xarray as xr

    data = to_arviz(fit, draws, rng)
    if not isinstance(data, xr.DataTree):
        groups = {f"/{name}": data[name] for name in data.groups()}
        data = xr.DataTree.from_dict({"/": xr.Dataset(attrs=data.attrs), **groups})
    made = io.BytesIO()
    data.to_netcdf(made, engine="h5netcdf")
    with path.open("wb") as file:
        file.write(made.getbuffer())


def _events(fit: Fit, draws: int, rng: int, most: int, posterior: dict[str, np.ndarray]) -> tuple[np.ndarray, ...]:
    """The chosen events, their outcomes, log-likelihoods and replicated outcomes; fills ``posterior`` from the same
    draws.
    """
    from counterlog.inference.population import log_rows, pieces
    from counterlog.model.interventions import Intervention
    from counterlog.model.worlds import run

    cells = fit.cells
    known = np.flatnonzero(cells.known)
    chosen = known if len(known) <= most else np.sort(_rng.generator(rng, "events").choice(known, most, replace=False))
    part = log_rows(fit).take(chosen)
    levels = np.asarray(cells.levels)
    seen = levels[cells.outcome[chosen]] if len(levels) else cells.outcome[chosen].astype(np.float64)
    likelihood, replicated = np.empty((draws, len(chosen))), np.empty((draws, len(chosen)))
    parts = list(pieces(cells, part))
    exposed = None if cells.exposure is None else torch.from_numpy(cells.exposure[chosen])
    given_exposure = Intervention() if fit.treatment.sum_exposure else Intervention(fixed={fit.scm.exposure: 1.0})
    for number, draw in enumerate(_draws(fit, draws, rng)):
        for name, value in draw.values().items():
            if name in posterior:
                posterior[name][0, number] = value.numpy()
        for piece in parts:
            where = slice(piece.start, piece.start + len(piece.part))
            value = torch.from_numpy(cells.outcome[chosen[where]])
            likelihood[number, where] = _log_likelihood(
                fit, piece, draw, value, None if exposed is None else exposed[where]
            )
            with _rng.seeded(rng, "predictive", number, piece.start):
                world = run(fit.scm, piece.view, piece.given(draw), given_exposure)
            replica = world.values[fit.scm.outcome].numpy()
            replicated[number, where] = levels[replica] if len(levels) else replica
    return chosen, seen, likelihood, replicated


def _draws(fit: Fit, number: int, rng: int) -> Iterator[Draw]:
    """Draws in the order in which they are written: of chains, one chain after the other."""
    from counterlog.inference.fit import Draw

    if fit.chains is None:
        yield from fit.draws(number, rng)
        return
    chains, draws = fit.chains.quantity.shape
    for chain in range(chains):
        for draw in range(draws):
            yield Draw(fit.layout, {name: table[chain, draw] for name, table in fit.chains.tables.items()})


def _log_likelihood(
    fit: Fit, piece: Any, draw: Any, outcome: torch.Tensor, exposure: torch.Tensor | None
) -> np.ndarray:
    from counterlog.inference.elbo import Assign, combine

    scm = fit.scm
    seen = {scm.outcome: outcome, **({} if exposure is None else {scm.exposure: exposure})}
    summed = frozenset(fit.treatment.others) | (frozenset({scm.exposure}) if exposure is None else frozenset())
    given = piece.given(draw)
    with torch.no_grad(), Assign({**given, **seen}, summed) as assign:
        scm(piece.view)
    latents = {site.name for site in fit.layout.sites}
    parts = {n: fn.log_prob(assign.used[n]) for n, fn in assign.fns.items() if n not in latents}
    each = combine(parts, len(assign.dims))
    if not bool(torch.isfinite(each).all()):
        each = torch.nan_to_num(each, nan=-math.inf)
    return each.expand(len(piece.part)).double().numpy()
