"""What a synthetic log says: what `effect` says; like the real log as it is, nearer to the truth if acted on."""

from __future__ import annotations

import numpy as np
import pytest

from counterlog import audit, effect, fit, fix, policies, replace, rng, simulate, zoo

from .small_fits import fitted

UNIFORM = replace(exposure=policies.uniform())


@pytest.mark.parametrize("model", ["self_selection", "popularity_exposure", "position_examination", "latent_exposure"])
def test_the_mean_under_uniform_exposure_is_what_effect_says(model: str) -> None:
    fitted_model, seed, draws = fitted(model), 5, 10
    n_items = len(fitted_model.log.items)
    batch = simulate(fitted_model, UNIFORM, per_user=n_items, draws=draws, rng=seed)
    outcome = batch.table[fitted_model.log.roles.outcome].to_numpy()
    # The same posterior draws for both, so that only the drawing of outcomes and the split of rows over draws differ.
    said = effect(fitted_model, fitted_model.scm.outcome, fix(exposure=1), rng=rng.derive(seed, "worlds"), draws=draws)
    if model == "position_examination":  # its effect is over the log's own slates, half of the grid
        tolerance = 0.06
    else:
        tolerance = 4 * outcome.std() / np.sqrt(len(outcome))
    assert abs(outcome.mean() - said.estimate) < tolerance


def test_a_twin_is_like_the_real_log() -> None:
    ratings = fitted("self_selection", 300)
    twins = [simulate(ratings, rng=seed).table for seed in range(4)]
    rows = np.mean([t.num_rows for t in twins])
    assert 0.75 < rows / ratings.log.rows < 1.25
    mean = np.mean([np.mean(t["rating"].to_numpy()) for t in twins])
    assert abs(mean - ratings.log.outcome.mean()) < 0.2

    shown = fitted("popularity_exposure", 300)
    twin = simulate(shown, draws=10, rng=1).table
    for name in ("exposure", "click"):
        real = shown.log.table[name].to_numpy().mean()
        error = np.sqrt(real * (1 - real) / shown.log.rows)
        assert abs(twin[name].to_numpy().mean() - real) < 5 * error


def test_a_corrected_log_is_nearer_to_the_truth_than_the_log_itself() -> None:
    known = zoo.self_selection.world(120, 60, rng=1)
    truth, naive = known.mean("rating", fix(exposure=1)), known.log.outcome.mean()
    learnt = fit(zoo.self_selection.with_parameters(dim=2), known.log, steps=300)
    fair = simulate(learnt, UNIFORM, per_user=20, draws=10, rng=1).table["rating"].to_numpy().mean()
    assert naive > truth + 0.5
    assert abs(fair - truth) < 0.5 * abs(naive - truth)


def test_truth_mean_is_the_mean_of_what_was_drawn() -> None:
    table = simulate(fitted("self_selection"), UNIFORM, per_user=20, users=200, rng=1, truth=True).table
    residual = table["rating"].to_numpy() - table["truth_mean"].to_numpy()
    assert abs(residual.mean()) < 4 * residual.std() / np.sqrt(len(residual))


def test_the_audit_sees_that_a_corrected_log_has_other_outcomes_than_clicks_alone() -> None:
    clicks = fitted("latent_exposure")
    found = audit(clicks.log, synthetic=simulate(clicks, UNIFORM, rng=1))
    assert found["likeness_outcome"].value > 0.3
