"""Short fits of small known worlds, one for each kind of log that the zoo reads; each is made once a session."""

from functools import cache

from counterlog import fit, zoo
from counterlog.inference import Fit
from counterlog.model.known_world import KnownWorld

#: Model -> the size of its world.
KINDS = {
    "self_selection": {"n_users": 40, "n_items": 20, "n_features": 2},
    "popularity_exposure": {"n_users": 40, "n_items": 20},
    "position_examination": {"n_users": 40, "n_items": 20, "per_user": 10},
    "latent_exposure": {"n_users": 40, "n_items": 20},
}


@cache
def world(model: str) -> KnownWorld:
    """The known world of a zoo model."""
    return zoo.load(model).world(**KINDS[model], rng=3)


@cache
def fitted(model: str, steps: int = 30) -> Fit:
    """A fit of its log: valid, not good."""
    return fit(zoo.load(model).with_parameters(dim=2), world(model).log, steps=steps)
