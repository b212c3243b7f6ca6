"""`@scm`: what is declared must be there, and a program may only say how things arise."""

from __future__ import annotations

import pyro
import pyro.distributions as dist
import pyro.poutine as poutine
import pytest
import torch
from tests.model.programs import ROLES, observed_confounder, plain

from counterlog.errors import ModelError, UnknownNameError
from counterlog.model import scm, tiny_view


def coin(view, level=0.5):
    with view.opportunities():
        pyro.sample("exposure", dist.Bernoulli(level))
        pyro.sample("click", dist.Bernoulli(0.1))


def test_a_program_takes_the_view_and_parameters_with_defaults() -> None:
    made = scm(**ROLES)(coin)
    assert made.parameters == {"level": 0.5}
    assert made.with_parameters(level=0.2).parameters == {"level": 0.2}
    assert made.parameters == {"level": 0.5}
    with pytest.raises(ModelError, match="takes the view first"):
        scm(**ROLES)(lambda: None)
    with pytest.raises(ModelError, match="parameter 'dim' needs a default"):
        scm(**ROLES)(lambda view, dim: None)
    with pytest.raises(UnknownNameError, match=r"no parameter 'leval'; known: level; did you mean 'level'"):
        made.with_parameters(leval=1)


@pytest.mark.parametrize(
    ("roles", "said"),
    [
        ({"exposure": "exposur", "outcome": "click"}, "no site 'exposur'.*did you mean 'exposure'"),
        ({"exposure": "exposure", "outcome": "clik"}, "no site 'clik'.*did you mean 'click'"),
        ({**ROLES, "latent": ("tast",)}, "no site 'tast'.*declares latent='tast'"),
        ({**ROLES, "truth": {"bse": 1.0}}, "no site 'bse'"),
    ],
)
def test_a_role_without_a_site_names_the_nearest(roles: dict, said: str) -> None:
    with pytest.raises(UnknownNameError, match=said):
        scm(**roles)(plain.program).validate()


def test_roles_that_exclude_each_other() -> None:
    with pytest.raises(ModelError, match="exposure and outcome are the same site 'click'"):
        scm(exposure="click", outcome="click")(coin).validate()
    with pytest.raises(ModelError, match="declared latent"):
        scm(**ROLES, latent=("click",))(coin).validate()
    with pytest.raises(ModelError, match=r"write latent=\('taste',\)"):
        scm(**ROLES, latent="taste")


def outcome_of_users(view):
    with view.opportunities():
        pyro.sample("exposure", dist.Bernoulli(0.5))
    with view.users():
        pyro.sample("click", dist.Bernoulli(0.5))


def outcome_of_nobody(view):
    with view.opportunities():
        pyro.sample("exposure", dist.Bernoulli(0.5))
    pyro.sample("click", dist.Bernoulli(0.5))


def twice_the_name(view):
    with view.opportunities():
        pyro.sample("exposure", dist.Bernoulli(0.5))
        pyro.sample("click", dist.Bernoulli(0.5))
        pyro.sample("click", dist.Bernoulli(0.5))


def two_plates(view):
    with view.users(), view.items():
        pyro.sample("taste", dist.Normal(0.0, 1.0))
    coin(view)


def own_plate(view):
    with view.users(), pyro.plate("topics", 3, dim=-2):
        pyro.sample("taste", dist.Normal(0.0, 1.0))
    coin(view)


def with_obs(view):
    coin(view)
    pyro.sample("seen", dist.Normal(0.0, 1.0), obs=torch.tensor(1.0))


def with_factor(view):
    coin(view)
    pyro.factor("more", torch.tensor(1.0))


def with_deterministic(view):
    coin(view)
    pyro.deterministic("double", torch.tensor(1.0))


def with_scale(view):
    with poutine.scale(scale=2.0):
        coin(view)


def with_mask(view):
    with poutine.mask(mask=torch.tensor(True)):
        coin(view)


def raises(view):
    coin(view)
    _ = torch.zeros(3) @ torch.zeros(4)


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (outcome_of_users, "outcome site 'click' is in the plate 'users'; sample it inside"),
        (outcome_of_nobody, "outcome site 'click' is in no plate"),
        (twice_the_name, "click"),
        (two_plates, "two_plates raises"),
        (own_plate, r"'topics'.*\.expand\(\[n\]\)\.to_event\(1\)"),
        (with_obs, "site 'seen' is made by obs="),
        (with_factor, "site 'more' is made by obs="),
        (with_deterministic, "site 'double' is made by pyro.deterministic"),
        (with_scale, "under poutine.mask or poutine.scale"),
        (with_mask, "under poutine.mask or poutine.scale"),
        (raises, r"raises RuntimeError in line \d+ of test_program.py: .*elements"),
    ],
)
def test_programs_that_cannot_be_used_are_one_clear_error(program, said: str) -> None:
    with pytest.raises(ModelError, match=said) as caught:
        scm(**ROLES)(program).validate()
    assert "Trace Shapes" not in str(caught.value)


def test_sites_know_their_plate_and_kind() -> None:
    sites = plain.validate()
    assert [(s.name, s.plate, s.discrete) for s in sites.values()] == [
        ("taste", "users", False),
        ("exposure", "opportunities", True),
        ("click", "opportunities", True),
    ]
    assert observed_confounder.sites()["lift"].plate is None


def test_the_hash_follows_the_source_of_the_whole_file() -> None:
    assert plain.source_hash == observed_confounder.source_hash
    assert plain.with_parameters().source_hash == plain.source_hash
    assert plain.file is not None
    assert plain.file.name == "programs.py"


def test_reading_a_program_leaves_the_random_state_and_the_parameter_store_alone() -> None:
    before = torch.random.get_rng_state()
    plain.validate()
    plain.with_parameters().graph()
    assert torch.equal(before, torch.random.get_rng_state())
    assert not dict(pyro.get_param_store())


def test_a_context_that_is_not_there_is_named_with_the_nearest() -> None:
    @scm(**ROLES)
    def by_hour(view):
        with view.opportunities() as o:
            pyro.sample("exposure", dist.Bernoulli(logits=1.0 * o.context["hour"]))
            pyro.sample("click", dist.Bernoulli(0.5))

    assert by_hour.validate()  # without a log any context is there
    with pytest.raises(UnknownNameError, match=r"no context 'hour'; known: hours; did you mean 'hours'.*--context"):
        by_hour.sites(tiny_view(context={"hours": torch.zeros(12)}))
