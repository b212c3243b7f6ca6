"""The public checks themselves: planted faults, each caught by the check meant for it, and a sound model passed."""

from __future__ import annotations

import itertools
from typing import Any

import pyro
import pyro.distributions as dist
import pytest
import torch

from counterlog import scm
from counterlog.errors import ModelError
from counterlog.model import SCM
from counterlog.testing import Sizes, check_scm, documented_edges

SMALL = Sizes(n_users=60, n_items=40, steps=300)
ROLES: dict[str, Any] = {"exposure": "exposure", "outcome": "click", "latent": ("taste",)}


def model(fault: str = "", roles: dict[str, Any] | None = None, naive_bias: int = 1) -> SCM:
    """A small world of targeted exposure, sound unless a fault is planted in it."""
    count = itertools.count()

    def program(view, size=1.0, extra=None):
        """taste -> exposure -> click <- taste."""
        if fault == "state":
            size = size + 0.1 * next(count)
        if fault == "grows with the view":
            size = size + 0.2 * view.n_users
        with view.users():
            taste = pyro.sample("taste", dist.LogNormal(0.0, 1e3) if fault == "not finite" else dist.Normal(0.0, 1.0))
        with view.opportunities() as o:
            exposure = pyro.sample("exposure", dist.Bernoulli(logits=size * taste[o.user]))
            wanted = torch.sigmoid(size * taste[o.user] - 1.0)
            if fault == "obs":
                pyro.sample("click", dist.Bernoulli(probs=exposure * wanted), obs=torch.zeros(len(o)))
            else:
                pyro.sample("click", dist.Bernoulli(probs=exposure * wanted))

    if fault == "docstring":
        program.__doc__ = "taste -> exposure -> click."
    made = scm(**(roles or ROLES), naive_bias=naive_bias)(program)
    return made.with_parameters(extra=object()) if fault == "cannot be saved" else made


def test_a_sound_model_passes_every_check() -> None:
    passed = check_scm(model(), SMALL)
    assert len(passed) == 7
    assert set(passed.values()) == {"ok"}


@pytest.mark.parametrize(
    ("planted", "check"),
    [
        (lambda: model(roles={**ROLES, "latent": ("tast",)}), "roles"),
        (lambda: model("obs"), "roles"),
        (lambda: model("docstring"), "graph as documented"),
        (lambda: model("not finite"), "prior simulation"),
        (lambda: model("state"), "doing what happened changes nothing"),
        (lambda: model("grows with the view"), "blocks agree with the whole"),
        (lambda: model(naive_bias=-1), "recovers its truth"),
        (lambda: model("cannot be saved"), "save and load"),
    ],
)
def test_a_planted_fault_is_caught_by_its_check(planted: Any, check: str) -> None:
    with pytest.raises(ModelError) as caught:
        check_scm(planted(), SMALL)
    assert f"- {check}: " in str(caught.value)


@pytest.mark.parametrize(
    ("text", "edges"),
    [
        ("a -> b <- c", {("a", "b"), ("c", "b")}),
        ("a x c, d -> b; b -> d.", {("a", "b"), ("c", "b"), ("d", "b"), ("b", "d")}),
        ("a ─► b ◄─\n c", {("a", "b"), ("c", "b")}),
        ("a -> nothing -> b", set()),
        ("a and b are unrelated", set()),
    ],
)
def test_edges_are_read_from_arrows(text: str, edges: set[tuple[str, str]]) -> None:
    assert documented_edges(text, {"a", "b", "c", "d"}) == edges
