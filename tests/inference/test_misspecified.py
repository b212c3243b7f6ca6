"""Worlds in which the model is wrong: does the card warn? `docs/coverage.md` has more worlds of the same kinds."""

from __future__ import annotations

import multiprocessing

import pytest
from bench.misspecified import KINDS, one

WORLDS = 4


@pytest.fixture(scope="module")
def worlds() -> dict[str, list[dict]]:
    """By kind, from seeds that the bench does not use."""
    tasks = [(kind, seed, 160, 100) for seed in range(501, 501 + WORLDS) for kind in KINDS]
    found: dict[str, list[dict]] = {kind: [] for kind in KINDS}
    with multiprocessing.get_context("spawn").Pool() as pool:
        for row in pool.imap_unordered(one, tasks):
            found[str(row["kind"])].append(row)
    return found


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("kind", "check"), [("wrong_link", "exposure_by_prediction"), ("missing_interaction", "exposure_interaction")]
)
def test_the_card_warns_of_a_form_that_the_log_contradicts(worlds, kind, check, capsys) -> None:
    with capsys.disabled():
        print(f"\n{kind}: covered {sum(r['covered'] for r in worlds[kind])} of {WORLDS}", end="")
    for row in worlds[kind]:
        assert any(w.startswith(f"{check}:") for w in row["warned"]), row
        assert any(check in w for w in row["card"]), "what a check found stands on the card"


@pytest.mark.slow
def test_these_checks_keep_quiet_where_the_form_is_right(worlds) -> None:
    """All predictive checks together FAIL in at most 0.5% of right fits: in 2% of runs one of these four. Checks of the
    guide are not asked: fits of 400 steps may be off their optimum, and two of these are (by 1.7 and 1.8 of a spread).
    """
    for row in worlds["none"]:
        for check in ("exposure_by_prediction", "exposure_interaction"):
            assert f"{check}:FAIL" not in row["warned"], row


@pytest.mark.slow
def test_a_confounder_that_no_check_can_see_has_its_strength_on_the_card(worlds) -> None:
    for row in worlds["ignored_confounder"]:
        assert "unseen cause" in row["sensitivity"]
