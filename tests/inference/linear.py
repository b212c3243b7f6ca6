"""A program whose posterior is known exactly: log times that are normal around a level and what each user adds."""

from __future__ import annotations

import numpy as np
import pyro
import pyro.distributions as dist
import torch

from counterlog import scm
from counterlog.logs import InteractionLog, from_frame
from counterlog.model.mechanisms import pick

NOISE = 0.7


@scm(exposure="exposure", outcome="dwell", latent=("patience",))
def level_and_patience(view):
    """patience -> dwell; exposure."""
    level = pyro.sample("level", dist.Normal(0.0, 1.0))
    rate = pyro.sample("rate", dist.Normal(0.0, 1.0))
    with view.users():
        patience = pyro.sample("patience", dist.Normal(0.0, 1.0))
    with view.opportunities() as o:
        pyro.sample("exposure", dist.Bernoulli(logits=rate.expand(len(o))))
        pyro.sample("dwell", dist.LogNormal(level + pick(patience, o.user), NOISE))


def times_log(n_users: int, per_user: int, seed: int) -> InteractionLog:
    """A log of the program with level 0.8; every opportunity exposed."""
    import pandas as pd

    rng = np.random.default_rng(seed)
    patience = rng.normal(size=n_users)
    user = np.repeat(np.arange(n_users), per_user)
    log_time = 0.8 + patience[user] + NOISE * rng.normal(size=len(user))
    frame = pd.DataFrame(
        {
            "user": [f"u{k:03d}" for k in user],
            "item": [f"i{k}" for k in np.tile(np.arange(per_user), n_users)],
            "exposure": 1,
            "dwell": np.exp(log_time),
        }
    )
    return from_frame(frame, exposure="exposure", outcome="dwell", outcome_kind="positive")


def exact(log: InteractionLog) -> tuple[np.ndarray, np.ndarray]:
    """Posterior mean ``[1 + n_users]`` and covariance of the level and every user's patience."""
    n = len(log.users)
    design = np.zeros((log.rows, 1 + n))
    design[:, 0] = 1.0
    design[np.arange(log.rows), 1 + log.user_codes] = 1.0
    precision = np.eye(1 + n) + design.T @ design / NOISE**2
    covariance = np.linalg.inv(precision)
    assert log.outcome is not None
    return covariance @ (design.T @ np.log(log.outcome)) / NOISE**2, covariance


def column(fit, name: str) -> int:
    """The column of a global."""
    return next(site.start for site in fit.layout.sites if site.name == name)


def spread_of(fit, draws: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation over draws of the level and of every user's patience."""
    found = []
    for draw in fit.draws(draws, 1):
        values = draw.values()
        found.append(torch.cat([values["level"].reshape(1), values["patience"].reshape(-1)]).numpy())
    drawn = np.asarray(found)
    return drawn.mean(0), drawn.std(0)
