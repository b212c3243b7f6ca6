"""Known worlds: a program with its truth set, the log that such a world would leave, and the answers that are true in
it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyro.poutine as poutine
import torch
from torch import Tensor

from counterlog import rng as _rng
from counterlog.errors import InputError, unknown_name
from counterlog.logs.roles import KIND_OF_NAME, Roles
from counterlog.model.interventions import Intervention
from counterlog.model.view import Context, Opportunities, View, tiny_view
from counterlog.model.worlds import World, run

if TYPE_CHECKING:
    from counterlog.logs import InteractionLog
    from counterlog.model.program import SCM


@dataclass(frozen=True, eq=False)
class KnownWorld:
    """A drawn world: ``values`` of every site over the opportunities of ``view``, and the latents among them that stay
    as they are.

    ``log`` is what a platform would have recorded; ``mean`` is the truth that an estimator is judged by.
    """

    scm: SCM
    view: View
    values: Mapping[str, Tensor]
    latents: Mapping[str, Tensor]
    seed: int

    @property
    def levels(self) -> tuple[float, ...]:
        """The rating levels 1 .. K, empty for other outcomes."""
        return tuple(float(k + 1) for k in range(self.view.n_levels)) if self.kind == "rating" else ()

    @property
    def kind(self) -> str:
        """The outcome's kind, from the name of its site or the distribution."""
        named = KIND_OF_NAME.get(self.scm.outcome)
        if named is not None:
            return named
        if not self.scm.sites()[self.scm.outcome].discrete:
            return "positive"
        with _rng.seeded(0, "kind", self.scm.name):
            support = self.scm.trace(tiny_view())[self.scm.outcome]["fn"].support
        return "click" if support is torch.distributions.constraints.boolean else "count"

    def mean(self, on: str, do: Intervention | None = None) -> float:
        """True mean of ``on`` over all opportunities under an intervention, with these users and items."""
        return float(
            self.run(do or Intervention()).mean(on, self.levels if on == self.scm.outcome else ()).double().mean()
        )

    def run(self, do: Intervention) -> World:
        """The world once more under an intervention, its latents as they are."""
        do.check(self.scm)
        with _rng.seeded(self.seed, "known world again"):
            return run(self.scm, self.view, self.latents, do)

    @cached_property
    def log(self) -> InteractionLog:
        """What is recorded: every opportunity with its exposure; or every impression, where exposure is latent and has
        other causes than users and items; or clicks alone; or the outcomes of exposed cells where the outcome decides
        about exposure or is a rating.
        """
        import pandas as pd

        from counterlog.logs import from_frame

        scm, rows = self.scm, self.view.rows
        outcome = self.values[scm.outcome].numpy().astype(np.float64) + (1.0 if self.kind == "rating" else 0.0)
        exposure = self.values[scm.exposure].numpy()
        sites = scm.sites()
        seen = [
            n
            for n, s in sites.items()
            if s.plate == "opportunities" and n not in (scm.exposure, scm.outcome, *scm.latent)
        ]
        data: dict[str, Any] = {
            "user": [f"u{k}" for k in rows.user.tolist()],
            "item": [f"i{k}" for k in rows.item.tolist()],
        }
        data |= {name: self.values[name].numpy() for name in seen}
        if scm.together is not None:
            data[scm.together] = [f"{scm.together}{k}" for k in rows.context[scm.together].tolist()]
        context = tuple(name for name in data if name not in ("user", "item", "position"))
        roles: dict[str, Any] = {"outcome": scm.outcome, "outcome_kind": self.kind, "context": context}
        roles |= {"position": "position"} if "position" in seen else {}
        selected = np.ones(len(rows), bool)
        if scm.exposure in scm.latent:
            selected = selected if seen else outcome > 0
        elif self.kind == "rating" or scm.exposure in set(_below(scm, scm.outcome)):
            selected = exposure > 0
        else:
            data["exposure"], roles["exposure"] = exposure.astype(np.int8), "exposure"
            outcome = np.where(exposure > 0, outcome, 0.0 if self.kind in ("click", "count") else np.nan)
        if self.kind == "positive":  # a log has no amount where there was none
            outcome = np.where(outcome > 0, outcome, np.nan)
        frame = pd.DataFrame({**data, scm.outcome: outcome})[selected]
        users = pd.DataFrame({"user": [f"u{k}" for k in range(self.view.n_users)], **_named(self.view.user_features)})
        items = pd.DataFrame({"item": [f"i{k}" for k in range(self.view.n_items)], **_named(self.view.item_features)})
        return from_frame(
            frame, Roles(**roles), users=users, items=items, name=f"known world of {scm.name}, seed {self.seed}"
        )


def known_world(
    scm: SCM,
    n_users: int = 300,
    n_items: int = 200,
    rng: int = 0,
    truth: Mapping[str, Any] | None = None,
    n_features: int = 0,
    n_levels: int = 5,
    n_positions: int = 5,
    per_user: int | None = None,
) -> KnownWorld:
    """Draw a world from a program with its global sites set to ``truth`` (the program's own by default), the rest from
    the prior.

    Every cell of the grid is an opportunity, or ``per_user`` distinct items a user drawn uniformly. Where a program has
    rows that stay together, a user's opportunities are dealt at random into groups of ``n_positions``.

    Raises
    ------
    UnknownNameError
        The truth names a site that the program does not have.
    InputError
        A true value has the wrong shape.
    """
    chosen = dict(scm.truth if truth is None else truth)
    for name in chosen:
        if name not in scm.sites():
            raise unknown_name("site", name, scm.sites(), "The truth sets sites of the program.")
    generator = _rng.generator(rng, "known world")
    if per_user is None or per_user >= n_items:
        user, item = np.divmod(np.arange(n_users * n_items), n_items)
    else:
        user = np.repeat(np.arange(n_users), per_user)
        item = generator.random((n_users, n_items)).argsort(1)[:, :per_user].reshape(-1)
    context = {} if scm.together is None else {scm.together: _slates(user, n_positions, generator)}
    rows = Opportunities(torch.from_numpy(user), torch.from_numpy(item), Context(context))
    with _rng.seeded(rng, "known world", scm.name):
        view = View(torch.randn(n_users, n_features), torch.randn(n_items, n_features), rows, n_levels, n_positions)
        held = {name: torch.as_tensor(value, dtype=torch.get_default_dtype()) for name, value in chosen.items()}
        try:
            nodes = poutine.trace(poutine.condition(scm.__call__, data=held)).get_trace(view).nodes
        except (RuntimeError, ValueError) as error:
            said = str(error).partition("Trace Shapes:")[0].strip()
            raise InputError(f"{scm.name} cannot be run at its truth {list(chosen)}: {said}") from error
    sites = scm.sites()
    values = {
        n: s["value"].detach()
        for n, s in nodes.items()
        if s["type"] == "sample" and type(s["fn"]).__name__ != "_Subsample"
    }
    latents = {n: v for n, v in values.items() if n not in sites or sites[n].plate != "opportunities"}
    return KnownWorld(scm, view, values, latents, rng)


def _slates(user: np.ndarray, size: int, generator: np.random.Generator) -> Tensor:
    """A number for each opportunity's group: those of a user (rows by user) at random into groups of ``size``."""
    order = np.lexsort((generator.random(len(user)), user))
    first = np.searchsorted(user, user)  # of each row, where its user begins
    groups = np.empty(len(user), np.int64)
    groups[order] = (np.arange(len(user)) - first) // size
    return torch.from_numpy(user * (int(groups.max(initial=0)) + 1) + groups)


def _below(scm: SCM, site: str) -> set[str]:
    import networkx as nx

    found: set[str] = nx.descendants(scm.graph(), site)
    return found


def _named(features: Tensor) -> dict[str, np.ndarray]:
    return {f"x{k}": features[:, k].numpy() for k in range(features.shape[1])}
