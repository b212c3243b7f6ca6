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


@scm(exposure="exposure", outcome="dwell", latent=("patience",))
def weights_and_patience(view):
    """patience, features -> dwell; exposure."""
    x = view.user_features
    level = pyro.sample("level", dist.Normal(0.0, 1.0))
    rate = pyro.sample("rate", dist.Normal(0.0, 1.0))
    weights = pyro.sample("weights", dist.Normal(0.0, 1.0).expand([x.shape[1]]).to_event(1))
    with view.users():
        patience = pyro.sample("patience", dist.Normal(0.0, 1.0))
    with view.opportunities() as o:
        pyro.sample("exposure", dist.Bernoulli(logits=rate.expand(len(o))))
        pyro.sample("dwell", dist.LogNormal(level + pick(x @ weights + patience, o.user), NOISE))


def featured_log(n_users: int, per_user: int, n_features: int, seed: int) -> InteractionLog:
    """A log of that program; its features overlap: four groups, of each of which every user is in one."""
    import pandas as pd

    plain = times_log(n_users, per_user, seed)
    rng = np.random.default_rng(seed + 1)
    size = n_features // 4
    group = np.concatenate([np.eye(size)[rng.integers(0, size, n_users)] for _ in range(4)], 1)
    assert plain.outcome is not None
    log_time = np.log(plain.outcome) + (group @ rng.normal(size=n_features))[plain.user_codes]
    users = pd.DataFrame(group, columns=[f"f{k:02d}" for k in range(n_features)]).assign(
        user=[f"u{k:03d}" for k in range(n_users)]
    )
    frame = pd.DataFrame(
        {
            "user": [f"u{k:03d}" for k in plain.user_codes],
            "item": [f"i{k}" for k in plain.item_codes],
            "exposure": 1,
            "dwell": np.exp(log_time),
        }
    )
    return from_frame(frame, exposure="exposure", outcome="dwell", outcome_kind="positive", users=users)


def exact_sd(fit) -> dict[str, np.ndarray]:
    """The posterior standard deviations of that program's level, weights and every user's patience."""
    log = fit.log
    x = np.asarray(fit.cells.user_features, dtype=np.float64)
    n, p = x.shape
    design = np.concatenate([np.ones((log.rows, 1)), x[log.user_codes], np.eye(n)[log.user_codes]], 1)
    sd = np.sqrt(np.diag(np.linalg.inv(np.eye(1 + p + n) + design.T @ design / NOISE**2)))
    return {"level": sd[:1], "weights": sd[1 : 1 + p], "patience": sd[1 + p :]}
