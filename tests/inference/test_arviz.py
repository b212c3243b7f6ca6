"""A fit as ArviZ data: groups, real ids, no pretended chains, and ArviZ's own functions run on it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.inference import programs
from tests.inference.test_fit import impressions
from tests.inference.worlds import ZOO, small, zoo_log

import counterlog as cl
from counterlog.inference import Fit

SCRIPTS = ["ana", "Žofie", "Αλέξης", "мария", "美咲", "سارة", "🦊", "a b"]


@pytest.fixture(scope="module")
def fit() -> Fit:
    n = len(SCRIPTS)
    rng = np.random.default_rng(0)
    exposure = rng.random(n * n) < 0.6
    table = pa.table(
        {
            "user": np.repeat(SCRIPTS, n),
            "item": np.tile(SCRIPTS[::-1], n),
            "exposure": exposure.astype(int),
            "click": (exposure & (rng.random(n * n) < 0.4)).astype(int),
        }
    )
    return cl.fit(programs.quick, cl.from_frame(table, outcome="click", exposure="exposure"), steps=60)


@pytest.fixture(scope="module")
def data(fit: Fit) -> Any:
    return fit.to_arviz(draws=60, rng=1)


def test_groups_dims_and_real_ids(fit: Fit, data: Any) -> None:
    assert {"posterior", "posterior_predictive", "log_likelihood", "observed_data"} <= set(data.groups())
    assert data.posterior["taste"].dims == ("chain", "draw", "user")
    assert data.posterior["charm"].dims == ("chain", "draw", "item")
    assert data.posterior["base"].dims == ("chain", "draw")
    assert list(data.posterior.coords["user"].values) == fit.log.users.labels
    assert set(data.posterior.coords["item"].values) == set(SCRIPTS)
    events = data.observed_data.coords["event"].values
    assert (fit.log.exposure[events] == 1).all()
    np.testing.assert_array_equal(data.observed_data["click"].values, fit.log.outcome[events])
    assert data.posterior_predictive["click"].shape == data.log_likelihood["click"].shape == (1, 60, len(events))


def test_one_chain_and_no_claim_of_convergence(data: Any) -> None:
    import arviz as az

    assert data.posterior.sizes["chain"] == 1
    assert "there are no chains" in data.attrs["inference"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # ArviZ warns that R-hat needs more than one chain, which is the point
        table = az.summary(data, var_names=["base", "taste"])
    assert table["r_hat"].isna().all()
    assert "taste[мария]" in table.index


def test_summary_ppc_and_loo_run(data: Any) -> None:
    import arviz as az
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        az.plot_ppc(data, num_pp_samples=10)
        plt.close("all")
        found = az.loo(data, pointwise=True)
    assert np.isfinite(found.elpd_loo)
    assert len(found.pareto_k) == data.observed_data.sizes["event"]


def test_the_predictive_distribution_is_that_of_the_outcome(fit: Fit, data: Any) -> None:
    replicated = data.posterior_predictive["click"].values
    assert set(np.unique(replicated)) <= {0.0, 1.0}
    # 60 draws of about 38 events, whose own mean moves from draw to draw: a loose bound on a gross error
    assert replicated.mean() == pytest.approx(data.observed_data["click"].values.mean(), abs=0.15)


def test_the_log_likelihood_is_that_of_everything_seen_of_an_event(fit: Fit, data: Any) -> None:
    sites = {name: data.posterior[name].values[0, 7] for name in ("base", "appeal", "taste", "charm")}
    events = data.observed_data.coords["event"].values
    liking = sites["taste"][fit.log.user_codes[events]] + sites["charm"][fit.log.item_codes[events]]
    shown = 1 / (1 + np.exp(-(sites["base"] + liking)))
    wanted = 1 / (1 + np.exp(-(sites["appeal"] + liking)))
    click = fit.log.outcome[events]
    expected = np.log(shown) + np.log(np.where(click == 1, wanted, 1 - wanted))
    np.testing.assert_allclose(data.log_likelihood["click"].values[0, 7], expected, rtol=1e-4, atol=1e-5)


def test_it_survives_a_file_with_ids_in_every_script(data: Any, tmp_path: Path) -> None:
    import arviz as az

    path = tmp_path / "inference_data.nc"
    data.to_netcdf(str(path))
    back = az.from_netcdf(str(path))
    assert list(back.posterior.coords["user"].values) == list(data.posterior.coords["user"].values)
    np.testing.assert_array_equal(back.posterior["taste"].values, data.posterior["taste"].values)
    assert back.attrs["fit_hash"] == data.attrs["fit_hash"]


def test_what_is_too_large_is_left_out_by_name_and_events_are_sampled(fit: Fit, monkeypatch: Any) -> None:
    from counterlog.inference import arviz_export

    monkeypatch.setattr(arviz_export, "MOST_NUMBERS", 10 * 7)
    data = cl.to_arviz(fit, draws=10, events=9)
    assert data.attrs["left_out"] == "taste, charm"
    assert set(data.posterior.data_vars) == {"base", "appeal"}
    assert data.observed_data.sizes["event"] == 9
    np.testing.assert_array_equal(
        data.observed_data["click"].values, fit.log.outcome[data.observed_data.coords["event"]]
    )


@pytest.mark.parametrize("name", ZOO)
def test_every_zoo_model_exports(name: str) -> None:
    log = zoo_log(name)
    fit = cl.fit(small(cl.zoo.load(name)), log, steps=3)
    data = fit.to_arviz(draws=4)
    assert set(data.posterior.data_vars) == {site.name for site in fit.layout.sites}
    assert np.isfinite(data.log_likelihood[fit.scm.outcome].values).all()
    if name == "self_selection":
        assert set(np.unique(data.posterior_predictive["rating"])) <= set(log.levels)


def test_a_site_that_is_summed_out_is_summed_out_here_too() -> None:
    data = cl.fit(programs.attentive, impressions(), steps=3).to_arviz(draws=3)
    assert np.isfinite(data.log_likelihood["click"].values).all()
