"""Ten small worlds: what the guides say of E[outcome | do(exposure=1)], against long enough Markov chains.

A ratio of spreads is cheap and sharp where coverage of few worlds is neither. The limits hold for the medians of these
ten fixed worlds; 100 draws of two chains are worth some 40, and a spread of those is off by 11%. The naive answer, the
mean-field guide as it is, must be the narrowest.
"""

from __future__ import annotations

import numpy as np
import pytest

import counterlog as cl
from counterlog.inference import lean, polish
from counterlog.model.known_world import known_world

#: The fixture fits and polishes ten worlds, within the time of the first test.
pytestmark = pytest.mark.timeout(900)
WORLDS = [("popularity_exposure", seed) for seed in range(1, 6)] + [
    ("self_selection", seed) for seed in (1, 2, 3, 5, 6)
]


@pytest.fixture(scope="module")
def compared() -> dict[str, np.ndarray]:
    """By what: spread over the chains' spread, and distance of the centres in spreads of the chains, one a world."""
    found: dict[str, list[float]] = {"mean-field": [], "widened": [], "arrow": [], "off": []}
    for name, seed in WORLDS:
        scm = getattr(cl.zoo, name).with_parameters(dim=2)
        world = known_world(scm, 30, 20, seed, n_levels=3)
        plain = cl.fit(scm, world.log, rng=seed, steps=250)
        arrow = lean(plain)
        chains = polish(arrow, rng=seed, draws=50, warmup=50, ess=1, depth=3)
        ask = lambda fit, scm=scm: cl.effect(fit, scm.outcome, cl.fix(exposure=1), draws=200)  # noqa: E731
        truth = ask(chains)
        sd = float(np.std(truth.draws))
        answer = ask(plain)
        found["mean-field"].append(float(np.std(answer.draws)) / sd)
        found["widened"].append((answer.interval[1] - answer.interval[0]) / (truth.interval[1] - truth.interval[0]))
        leaning = ask(arrow)
        found["arrow"].append(float(np.std(leaning.draws)) / sd)
        found["off"].append((leaning.estimate - truth.estimate) / sd)
    return {name: np.asarray(values) for name, values in found.items()}


def test_the_arrow_is_about_as_wide_as_the_chains(compared) -> None:
    assert 0.6 < np.median(compared["arrow"]) < 1.4, compared["arrow"]


def test_the_mean_field_guide_alone_is_the_narrowest(compared) -> None:
    assert np.median(compared["mean-field"]) < np.median(compared["arrow"]), compared


def test_the_default_interval_is_no_narrower_than_the_chains(compared) -> None:
    assert np.median(compared["widened"]) > 0.9, compared["widened"]


def test_the_arrow_is_where_the_chains_are(compared) -> None:
    assert np.sqrt(np.mean(np.square(compared["off"]))) < 1.2, compared["off"]
