"""The arrow and the chains against posteriors that are known exactly, with the mean-field guide as the naive answer."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from tests.inference.linear import (
    column,
    exact,
    exact_sd,
    featured_log,
    level_and_patience,
    spread_of,
    times_log,
    weights_and_patience,
)

import counterlog as cl
from counterlog.errors import FitError, InputError, RefusedError, UnknownNameError
from counterlog.inference import chain_state, cost, lean, load_fit, polish
from counterlog.inference.chart import Chart, Coordinates, chart, chart_gradients, plain_chart
from counterlog.inference.response import minimum
from counterlog.inference.whole import Whole, refuse_large
from counterlog.model.known_world import known_world
from counterlog.model.pairs import inner_products
from counterlog.model.view import Opportunities


@pytest.fixture(scope="module")
def log():
    return times_log(12, 4, 0)


@pytest.fixture(scope="module")
def mean_field(log):
    return cl.fit(level_and_patience, log, steps=600)


@pytest.fixture(scope="module")
def arrow(mean_field):
    return lean(mean_field)


@pytest.fixture(scope="module")
def chains(arrow):
    return polish(arrow, draws=200, warmup=60, ess=200)


def test_inner_products_have_second_derivatives() -> None:
    generator = torch.Generator().manual_seed(0)
    user, item = (torch.randint(0, n, (9,), generator=generator) for n in (11, 13))
    rows = Opportunities(user, item)
    left, right = (torch.randn(n, 3, generator=generator, dtype=torch.float64) for n in (11, 13))
    left, right = left.requires_grad_(), right.requires_grad_()
    assert 4 * len(rows) < 11 * 13, "the sparse road is the one that is tested"

    def with_own(a, b):
        return inner_products(a, b, rows)

    assert torch.autograd.gradcheck(with_own, (left, right))
    assert torch.autograd.gradgradcheck(with_own, (left, right))


def test_the_arrow_has_the_exact_posterior_of_a_linear_program(log, mean_field, arrow) -> None:
    mean, covariance = exact(log)
    found, sd = spread_of(arrow)
    true = np.sqrt(np.diag(covariance))
    assert np.allclose(found, mean, atol=0.06)  # 4,000 draws, sd below 0.35: 0.06 is eleven standard errors
    assert np.allclose(sd / true, 1.0, atol=0.06)  # a standard deviation of 4,000 draws errs by 1.1%
    _, naive = spread_of(mean_field)
    assert naive[0] / true[0] < 0.45, "the mean-field guide cannot lean: its level is several times too narrow"


def test_an_arrow_tells_what_leans_on_what(log, arrow) -> None:
    _, covariance = exact(log)
    level, patience = column(arrow, "level"), []
    drawn = []
    for draw in arrow.draws(3000, 2):
        drawn.append(float(draw.tables["globals"][0, level]))
        patience.append(draw.values()["patience"].numpy())
    with_level = np.corrcoef(np.asarray(drawn), np.asarray(patience).mean(1))[0, 1]
    mean = np.r_[0.0, np.full(12, 1 / 12)]
    true = covariance[0] @ mean / np.sqrt(covariance[0, 0] * (mean @ covariance @ mean))
    assert true < -0.8
    assert with_level == pytest.approx(true, abs=0.03)


def test_what_the_data_do_not_touch_keeps_its_prior(log) -> None:
    two = dataclasses.replace(level_and_patience)
    fit = lean(cl.fit(two, log, steps=100))
    assert np.isfinite(spread_of(fit, 50)[1]).all()


def test_newtons_method_goes_below_where_descent_stopped() -> None:
    scm = cl.zoo.popularity_exposure.with_parameters(dim=2)
    world = known_world(scm, 40, 25, 3)
    whole = Whole(cl.fit(scm, world.log, steps=150))
    before, gradient = whole.gradient(whole.start())
    after, left = whole.gradient(minimum(whole))
    assert after < before - 1.0
    assert float((left * whole.units()).norm()) < 0.5 < float((gradient * whole.units()).norm())


def test_chains_have_the_exact_posterior_of_a_linear_program(log, chains) -> None:
    mean, covariance = exact(log)
    level = chains.chains.tables["globals"][:, :, 0, column(chains, "level")].numpy()
    ess = chains.chains.about["least_ess"]
    assert ess > 40
    true = np.sqrt(covariance[0, 0])
    assert abs(level.mean() - mean[0]) < 4 * true / np.sqrt(ess)  # false alarm 6e-5
    assert level.std() / true == pytest.approx(1.0, abs=4 / np.sqrt(2 * ess))
    assert chains.chains.about["worst_r_hat"] < 1.1
    assert chains.chains.about["divergences"] == 0


def test_chains_end_when_they_have_enough(arrow) -> None:
    short = polish(arrow, draws=400, warmup=60, ess=20)
    assert 100 <= short.chains.quantity.shape[1] < 400
    assert short.chains.about["ess"] >= 20


def test_each_draw_of_the_chains_comes_once_before_any_comes_twice(chains) -> None:
    number = chains.chains.number
    level = column(chains, "level")
    seen = [float(draw.tables["globals"][0, level]) for draw in chains.draws(number, 5)]
    assert sorted(seen) == sorted(chains.chains.tables["globals"][:, :, 0, level].reshape(-1).tolist())


def test_answers_of_chains_are_not_widened(chains) -> None:
    answer = cl.effect(chains, "dwell", cl.fix(exposure=1), draws=200)
    low, high = np.quantile(answer.draws, [0.05, 0.95])
    assert answer.interval == pytest.approx((low, high))
    assert "Markov chain Monte Carlo" in answer.card.interval


def test_the_same_seed_gives_the_same_chains_and_another_others(arrow) -> None:
    options = {"draws": 50, "warmup": 50, "ess": 1}
    one, two, other = (polish(arrow, rng=seed, **options) for seed in (1, 1, 2))
    assert one.hash == two.hash != other.hash


def test_stopped_chains_go_on_to_the_very_same_draws(arrow, tmp_path) -> None:
    options = {"draws": 100, "warmup": 50, "ess": 1e9}
    whole = polish(arrow, **options)

    def stop(done: int, _total: int) -> None:
        if done > 210:  # both warm-ups, the first round of both chains, and something more
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        polish(arrow, checkpoint=tmp_path / "c", progress=stop, **options)
    assert (tmp_path / "c" / chain_state.FILE).is_file()
    with pytest.raises(FitError, match="another fit, seed or options"):
        polish(arrow, rng=7, checkpoint=tmp_path / "c", **options)
    steps = []
    again = polish(arrow, checkpoint=tmp_path / "c", progress=lambda done, _: steps.append(done), **options)
    assert again.hash == whole.hash
    assert len(steps) < 220, "what was done is not done again"
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize("which", ["arrow", "chains"])
def test_a_saved_posterior_opens_as_what_it_was(which, request, tmp_path) -> None:
    fit = request.getfixturevalue(which)
    fit.save(tmp_path / "fit")
    opened = load_fit(tmp_path / "fit", level_and_patience)
    assert (opened.hash, opened.guide) == (fit.hash, which)
    ask = lambda f: cl.effect(f, "dwell", cl.fix(exposure=1), draws=20).interval  # noqa: E731
    assert ask(opened) == ask(fit)


def test_arviz_gets_real_chains(chains) -> None:
    data = chains.to_arviz()
    assert data.posterior.sizes["chain"] == 2
    assert data.posterior.sizes["draw"] == chains.chains.quantity.shape[1]
    assert "Markov chain" in data.attrs["inference"]


def test_cost_is_told_beforehand(arrow) -> None:
    found = cost(arrow, chains=2, draws=100, warmup=50)
    assert 0 < found.seconds[0] < found.seconds[1]
    assert found.bytes == 4 * 2 * 100 * Whole(arrow).n
    assert "MiB of draws" in str(found)


def test_coordinates_place_the_origin_at_the_location(arrow) -> None:
    whole = Whole(arrow)
    at = Coordinates(whole, plain_chart(arrow)).place(torch.zeros(whole.n))
    assert all(torch.equal(at[name], arrow.loc[name]) for name in at)


def _sd(found: Chart) -> np.ndarray:
    """Standard deviations where the coordinates are standard normal."""
    factor = torch.diag(found.scale)
    factor[:, found.stem] += found.slopes
    return (factor @ factor.T).diag().sqrt().numpy()


def test_a_chart_frees_many_overlapping_weights_of_one_another() -> None:
    """24 weights, more than an arrow's stem takes of a site, of four groups that each add up to one for every user."""
    fit = lean(cl.fit(weights_and_patience, featured_log(60, 4, 24, 0), steps=300))
    true, first = exact_sd(fit), column(fit, "weights")
    wide, plain = _sd(chart(fit, Whole(fit))), _sd(plain_chart(fit))
    weights = slice(first, first + 24)
    assert np.allclose(wide[weights] / true["weights"], 1.0, atol=0.08)  # equations are solved to 3%
    assert np.allclose(wide[26:] / true["patience"], 1.0, atol=0.08)
    assert (plain[weights] / true["weights"]).max() < 0.4, "the arrow's own coordinates hold each weight too short"
    assert chart_gradients(fit) > 8 * 26


def test_a_recorded_program_is_dropped_where_it_would_lie(arrow) -> None:
    """The record of a program that looks at a value keeps the branch that it took."""
    coordinates = Coordinates(Whole(arrow), plain_chart(arrow))
    assert coordinates.fast is not coordinates.eager
    coordinates = Coordinates(Whole(arrow), plain_chart(arrow))
    plain = coordinates.whole.energy
    coordinates.whole.energy = lambda tables: (
        plain(tables) * (2.0 if float(tables["globals"].detach().sum()) > 0.5 else 1.0)
    )
    at = torch.linspace(-1.0, 1.0, len(coordinates.chart.loc))
    assert float(coordinates.fast(at)) == float(coordinates.eager(at))


def test_chains_of_many_weights_have_their_exact_posterior() -> None:
    fit = lean(cl.fit(weights_and_patience, featured_log(60, 4, 24, 0), steps=300))
    true, first = exact_sd(fit)["weights"], column(fit, "weights")
    found = polish(fit, draws=100, warmup=50, ess=1e9).chains
    assert found.about["worst_r_hat"] < 1.1  # of 26 numbers, 200 draws
    sd = found.tables["globals"][:, :, 0, first : first + 24].flatten(0, 1).std(0).numpy()
    assert np.abs(np.log(sd / true)).mean() < 0.15  # one errs by 5 to 8%
    assert found.about["divergences"] == 0


def test_bad_options_are_refused_before_any_work(mean_field, log) -> None:
    with pytest.raises(InputError, match="at least 2 chains"):
        polish(mean_field, chains=1)
    with pytest.raises(UnknownNameError, match="mean-field"):
        cl.fit(level_and_patience, log, guide="meanfield")
    with pytest.raises(RefusedError, match="up to 10"):
        refuse_large(mean_field.cells, most=10)
