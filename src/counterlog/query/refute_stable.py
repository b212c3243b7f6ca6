"""Refuters that change what should not matter: some users, a cause of which nobody has heard."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyro
import pyro.distributions as dist
import torch
from pyro.poutine.messenger import Messenger
from torch import Tensor

from counterlog import rng as _rng
from counterlog.errors import RefusedError
from counterlog.logs.log import Features
from counterlog.logs.vocabulary import Vocabulary
from counterlog.model.mechanisms import OrdinalRating, pick
from counterlog.query.refit import Case, judged, skipped, spread
from counterlog.query.refutation import Refuted

if TYPE_CHECKING:
    from counterlog.logs import InteractionLog
    from counterlog.model import SCM, View

#: The sites of the added cause's coefficients.
COEFFICIENTS = ("random_cause_on_exposure", "random_cause_on_outcome")


def random_common_cause(case: Case) -> Refuted:
    """A random cause of exposure and outcome, known for every user and item, is added to the program, its coefficients
    are learnt, and twice as many steps are taken: the answer must not move.

    It fires on an answer that depends on where a fit stopped or started. The tolerance is the answer's own widened
    spread, which also covers sampling, so that it errs on the quiet side.
    """
    name, fit = "random common cause", case.fit
    got = []
    for index in range(case.repeats):
        log = _with_cause(fit.log, case.rng, index)
        try:
            again = case.again(name, index, log, with_random_cause(fit.scm), times=2)
        except RefusedError as refused:
            if index == 0 and "random cause" in str(refused):
                return skipped(name, str(refused))
            raise
        got.append(case.ask(again).estimate)
    return judged(
        case,
        name,
        got,
        case.answer.estimate,
        spread(fit, case.answer),
        "With a random cause of exposure and outcome added and twice the steps the answer is",
        "The answer depends on where the fit stopped or started. Fit with more steps (--steps) or restarts; if it "
        "still moves, the log does not settle it.",
        "a cause that is not random, which is what `sensitivity` asks about",
    )


def subset(case: Case) -> Refuted:
    """The users are split at random into two halves, each is fitted alone: its answer about its own users must be what
    the whole fit says about them.

    It fires where a few users carry what all answers lean on. Each half is judged by its own widened spread; the
    squares are added (chi-squared).
    """
    from scipy.stats import chi2, norm

    name, fit = "subset", case.fit
    n_users = len(fit.log.users)
    if n_users < 10:
        return skipped(name, f"{n_users} users are too few to split")
    groups = case.ask(fit, by="user").groups
    code = {label: k for k, label in enumerate(fit.log.users.labels)}
    rows, sums = np.zeros(n_users), np.zeros(n_users)
    for group in groups:
        rows[code[group["group"]]] = group["rows"]
        sums[code[group["group"]]] = group["rows"] * group["estimate"]
    scores, worst, number = [], (0.0, 0.0, 0.0, 1.0), 0
    for split in range(max(1, case.repeats // 2)):
        halves = _split(case, split)
        if halves is None:
            return skipped(name, "a level of the rating is so rare that half of the users lack it")
        for chosen in halves:
            again = case.again(name, number, of_users(fit.log, chosen))
            answer = case.ask(again)
            whole, sd = float(sums[chosen].sum() / rows[chosen].sum()), spread(again, answer)
            z = (answer.estimate - whole) / max(sd, 1e-12)
            scores.append(z)
            worst = (z, answer.estimate, whole, sd) if abs(z) >= abs(worst[0]) else worst
            number += 1
    square = float(np.sum(np.square(scores)))
    p = float(chi2.sf(square, len(scores)))
    review = p < case.rate
    z, refuted, expected, sd = worst
    away = float(norm.isf(case.rate / 2.0 / len(scores))) * sd
    return Refuted(
        name=name,
        status="REVIEW" if review else "PASS",
        message=(
            f"Fitted to half of the users alone, the answer about them that is furthest off is {refuted:.4g}, where "
            f"the whole fit says {expected:.4g} about the same users (z = {z:.2f}; all {len(scores)} halves: "
            f"chi-squared = {square:.2f}, p = {p:.2g}, false-alarm rate {case.rate:g})."
        ),
        advice=(
            "Other users than those asked about carry the answer. Look for a few with very many rows or another "
            "behaviour (robots, testers), leave them out, or let the program say how users differ."
            if review
            else ""
        ),
        cannot_see="what all users have in common, such as a bias of every row",
        rate=case.rate,
        statistic=square,
        p_value=p,
        original=case.answer.estimate,
        refuted=refuted,
        expected=expected,
        interval=(expected - away, expected + away),
        repeats=number,
    )


def _split(case: Case, split: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Two random halves of the users' codes, each with every level of a rating and with rows."""
    log, levels = case.fit.log, np.asarray(case.fit.cells.levels)
    outcome = log.outcome if log.outcome is not None else np.empty(0)
    generator = _rng.generator(case.rng, "subset", split)
    for _ in range(50):
        order = generator.permutation(len(log.users))
        halves = np.sort(order[::2]), np.sort(order[1::2])
        inside = [np.isin(log.user_codes, half) for half in halves]
        if all(mask.any() and np.isin(levels, outcome[mask]).all() for mask in inside):
            return halves
    return None


def of_users(log: InteractionLog, users: np.ndarray) -> InteractionLog:
    """The log of some users alone, int64 codes ascending; all items stay."""
    ids = Vocabulary(log.users.kind, log.users.ids.take(pa.array(users)))
    features = Features(log.user_features.names, log.user_features.values[users], log.user_features.missing[users])
    table = log.table.filter(pa.array(np.isin(log.user_codes, users)))
    return dataclasses.replace(log, table=table, users=ids, user_features=features)


def _with_cause(log: InteractionLog, rng: int, index: int) -> InteractionLog:
    """The log with one more feature of users and of items: standard normal numbers."""
    generator = _rng.generator(rng, "random common cause", index)
    more = [_one_more(features, generator) for features in (log.user_features, log.item_features)]
    return dataclasses.replace(log, user_features=more[0], item_features=more[1])


def _one_more(features: Features, generator: np.random.Generator) -> Features:
    column = generator.normal(size=(len(features.values), 1)).astype(np.float32)
    return Features(
        (*features.names, "random cause"), np.concatenate([features.values, column], axis=1), features.missing
    )


def with_random_cause(scm: SCM) -> SCM:
    """The program with the last feature of users and items taken from its view and added, with learnt coefficients, to
    exposure and outcome.
    """

    def program(view: View, **parameters: Any) -> Any:
        users, items = view.user_features, view.item_features
        own = dataclasses.replace(view, user_features=users[:, :-1], item_features=items[:, :-1])
        on_exposure, on_outcome = (pyro.sample(name, dist.Normal(0.0, 1.0)) for name in COEFFICIENTS)
        # one cause of the opportunities with variance 1
        cause = (pick(users[:, -1], view.rows.user) + pick(items[:, -1], view.rows.item)) / 2.0**0.5
        with _Added({scm.exposure: on_exposure * cause, scm.outcome: on_outcome * cause}):
            return scm.program(own, **parameters)

    program.__name__ = scm.name
    return dataclasses.replace(scm, program=program)


class _Added(Messenger):
    """Adds a number of each opportunity to the linear predictor of some sites."""

    def __init__(self, amounts: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.amounts = amounts

    def _pyro_sample(self, msg: dict[str, Any]) -> None:
        if msg["name"] in self.amounts:
            msg["fn"] = added(msg["name"], msg["fn"], self.amounts[msg["name"]])


def added(name: str, fn: Any, amount: Tensor) -> Any:
    """A distribution with ``amount`` added to its linear predictor: log-odds, location, or log of the mean.

    Raises
    ------
    RefusedError
        For a distribution without one.
    """
    if isinstance(fn, torch.distributions.Bernoulli):
        return dist.Bernoulli(logits=fn.logits + amount)
    if isinstance(fn, OrdinalRating):
        return OrdinalRating(fn.affinity + amount, fn.cutpoints)
    if isinstance(fn, torch.distributions.Poisson):
        return dist.Poisson(fn.rate * amount.exp())
    if isinstance(fn, torch.distributions.LogNormal):
        return dist.LogNormal(fn.loc + amount, fn.scale)
    if isinstance(fn, torch.distributions.Exponential):
        return dist.Exponential(fn.rate * (-amount).exp())
    if isinstance(fn, torch.distributions.Gamma):
        return dist.Gamma(fn.concentration, fn.rate * (-amount).exp())
    if isinstance(fn, torch.distributions.Normal):
        return dist.Normal(fn.loc + amount * fn.scale, fn.scale)
    raise RefusedError(f"nothing can be added to site {name!r} ({type(fn).__name__}) as a random cause")
