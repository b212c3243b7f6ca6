"""Small known worlds: the zoo's programs at their stated truth, drawn once, as logs."""

from __future__ import annotations

import functools

import numpy as np
import pyarrow as pa
import torch

import counterlog as cl
from counterlog import rng as _rng
from counterlog.logs import InteractionLog
from counterlog.model import SCM
from counterlog.model.interventions import Intervention
from counterlog.model.view import Context, Opportunities, View
from counterlog.model.worlds import run

ZOO = ("latent_exposure", "popularity_exposure", "position_examination", "self_selection")


def grid(n_users: int, n_items: int, n_levels: int = 5, n_positions: int = 5) -> View:
    """Every cell of a grid, without features."""
    user = torch.arange(n_users).repeat_interleave(n_items)
    item = torch.arange(n_items).repeat(n_users)
    return View(
        torch.zeros(n_users, 0), torch.zeros(n_items, 0), Opportunities(user, item, Context({})), n_levels, n_positions
    )


def small(scm: SCM) -> SCM:
    """The program with the dimension of its stated truth."""
    return scm.with_parameters(dim=4) if "dim" in scm.parameters else scm


def draw_world(scm: SCM, view: View, seed: int, do: Intervention | None = None) -> dict[str, torch.Tensor]:
    """Values of every site in a world with the program's stated truth."""
    truth = {name: torch.as_tensor(value, dtype=torch.float32) for name, value in scm.truth.items()}
    with _rng.seeded(seed, "world"):
        return dict(run(scm, view, truth, do or Intervention()).values)


def to_log(name: str, view: View, values: dict[str, torch.Tensor]) -> InteractionLog:
    """What a platform would have logged of such a world."""
    seen = values["exposure"] > 0
    columns = {"user": [f"u{k}" for k in view.rows.user.tolist()], "item": [f"i{k}" for k in view.rows.item.tolist()]}
    if name == "self_selection":
        rows, extra, outcome = seen, {"rating": values["rating"] + 1}, "rating"
    elif name == "latent_exposure":
        rows, extra, outcome = values["click"] > 0, {"click": values["click"].long()}, "click"
    elif name == "position_examination":
        rows, extra, outcome = (
            torch.ones_like(seen),
            {"click": values["click"].long(), "position": values["position"]},
            "click",
        )
    else:
        rows = torch.ones_like(seen)
        extra, outcome = {"click": values["click"].long(), "exposure": seen.long()}, "click"
    keep = np.flatnonzero(rows.numpy())
    table = pa.table({**columns, **{k: v.numpy() for k, v in extra.items()}}).take(pa.array(keep))
    roles = {"exposure": "exposure"} if "exposure" in extra else {}
    roles |= {"position": "position"} if "position" in extra else {}
    return cl.from_frame(table, outcome=outcome, **roles)


@functools.cache
def zoo_log(name: str, n_users: int = 30, n_items: int = 20, seed: int = 0) -> InteractionLog:
    """A log of one zoo model's known world."""
    view = grid(n_users, n_items)
    return to_log(name, view, draw_world(small(cl.zoo.load(name)), view, seed))
