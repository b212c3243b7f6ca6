"""Every model of the zoo through the public checks, at sizes for a laptop.

Each recovery is one world with a fixed seed; the corrected mean must be twice as near to the truth as the naive one.
With the seed fixed there is no chance in it: what can fail is a change of the model, the fit or torch's generator.
"""

from __future__ import annotations

import pytest
from tests.zoo.checked import checked_models

from counterlog import zoo
from counterlog.testing import SCMChecks, Sizes

SMALL = Sizes(n_users=200, n_items=100, steps=500)


class TestSelfSelection(SCMChecks):
    scm = zoo.load("self_selection").with_parameters(dim=4)
    sizes = Sizes(n_users=150, n_items=80, steps=400)


class TestPopularityExposure(SCMChecks):
    scm = zoo.load("popularity_exposure")
    sizes = SMALL


class TestPositionExamination(SCMChecks):
    scm = zoo.load("position_examination")
    sizes = SMALL


class TestLatentExposure(SCMChecks):
    scm = zoo.load("latent_exposure").with_parameters(dim=4)
    sizes = SMALL


@pytest.mark.parametrize("name", zoo.names())
def test_every_model_opens_with_its_dag_and_its_assumptions(name: str) -> None:
    text = zoo.path(name).read_text(encoding="utf-8").partition('"""')[2].partition('"""')[0]
    for part in ("─►", "Assumptions:", "Columns", "When to use it:", "When not:", "Known truth"):
        assert part in text, f"{name} does not say: {part}"


def test_the_zoo_is_the_one_that_is_checked_here() -> None:
    assert checked_models() == set(zoo.names())
