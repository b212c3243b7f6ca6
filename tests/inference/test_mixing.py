"""R-hat of parameters whose numbers may have changed places."""

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


def test_numbers_that_changed_places_agree_in_order() -> None:
    draws = _draws(3)
    draws[1] = draws[1][:, [2, 0, 1]]
    found = mixing(draws, _layout(3))
    assert set(found) == {f"spread (in order)[{k}]" for k in range(3)}
    assert max(each["r_hat"] for each in found.values()) < 1.05


def test_numbers_that_stayed_are_named_as_they_are() -> None:
    assert set(mixing(_draws(3), _layout(3))) == {f"spread[{k}]" for k in range(3)}


def test_what_differs_differs_in_any_order() -> None:
    draws = _draws(3)
    draws[1, :, 0] += 5.0
    assert max(each["r_hat"] for each in mixing(draws, _layout(3)).values()) > 1.2


def test_weights_of_many_features_are_never_put_in_order() -> None:
    draws = _draws(20)
    draws[1] = draws[1][:, ::-1]
    found = mixing(draws, _layout(20))
    assert "spread[0]" in found
    assert max(each["r_hat"] for each in found.values()) > 1.2
