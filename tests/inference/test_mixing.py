"""R-hat of every parameter."""

import numpy as np
from torch.distributions import biject_to, constraints

from counterlog.inference.mixing import mixing
from counterlog.inference.tables import Latent, Layout


def _layout(size: int) -> Layout:
    real = biject_to(constraints.real)
    return Layout(
        (Latent("spread", "globals", 0, size, (size,), (size,), real),), {"globals": size, "users": 0, "items": 0}
    )


def _draws(size: int) -> np.ndarray:
    return np.random.default_rng(0).normal(np.arange(size) * 3.0, 1.0, size=(2, 300, size))


def test_every_number_is_named() -> None:
    assert set(mixing(_draws(3), _layout(3))) == {f"spread[{k}]" for k in range(3)}
    assert set(mixing(_draws(1), _layout(1))) == {"spread"}


def test_chains_that_agree_are_said_to() -> None:
    assert max(each["r_hat"] for each in mixing(_draws(3), _layout(3)).values()) < 1.05


def test_what_differs_is_told_by_its_name() -> None:
    draws = _draws(3)
    draws[1, :, 0] += 5.0
    found = mixing(draws, _layout(3))
    assert [name for name, each in found.items() if each["r_hat"] > 1.2] == ["spread[0]"]


def test_numbers_that_changed_places_do_not_agree() -> None:
    """Their order of size would, and would hide that, say, selection acts at another level in the other chain."""
    draws = _draws(3)
    draws[1] = draws[1][:, [2, 0, 1]]
    assert all(each["r_hat"] > 1.2 for each in mixing(draws, _layout(3)).values())
