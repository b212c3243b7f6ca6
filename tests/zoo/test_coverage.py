"""Coverage of every model's 90% interval over worlds drawn from its prior, as `docs/coverage.md` has it.

50 worlds a model, 200 of self_selection, seeds 1 and on; the factors were measured on seeds above 1,000. If an interval
covers nine in ten, a model fails here by chance with a probability below 0.1% (binomial): below 0.7% over all models.
"""

from __future__ import annotations

import multiprocessing

import numpy as np
import pytest
from bench.coverage import one_world
from bench.coverage_tables import interval
from scipy.stats import binom

from counterlog import zoo
from counterlog.inference.widening import Widening, widening

WORLDS = {name: 200 if name == "self_selection" else 50 for name in zoo.names()}
ALPHA = 0.0005


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", zoo.names())
def test_intervals_cover(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    wanted, tasks = WORLDS[name], [(name, seed, ("mean-field",), 100, 60, 300) for seed in range(1, WORLDS[name] + 1)]
    with multiprocessing.get_context("spawn").Pool() as pool:
        rows = [row for found in pool.imap_unordered(one_world, tasks) for row in found if "error" not in row]
    covered = sum(bool(row["low"] <= row["truth"] <= row["high"]) for row in rows)
    low, high = interval(covered, len(rows))
    alone = np.mean([abs(row["estimate"] - row["truth"]) <= 1.645 * row["sd"] for row in rows])
    with capsys.disabled():
        print(
            f"\n{name}: {covered / len(rows):.2f} [{low:.2f}, {high:.2f}] of {len(rows)} worlds; unwidened {alone:.2f}",
            end="",
        )
    assert len(rows) >= 0.8 * wanted, "too few worlds could be fitted"
    assert covered >= binom.ppf(ALPHA, len(rows), 0.9)


def test_every_model_of_the_zoo_has_a_measured_factor() -> None:
    from types import SimpleNamespace

    for name in zoo.names():
        fit = SimpleNamespace(guide="mean-field", scm=SimpleNamespace(name=name), treatment=None)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("counterlog.inference.widening.unseen_kind", lambda _: "seen")
            found: Widening = widening(fit)  # type: ignore[arg-type]
        assert f"from the prior of {name}" in found.measured
        assert found.whole >= 1.0
        assert found.group >= 1.0
