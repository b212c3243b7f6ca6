"""`again`: the batch of a provenance card, made once more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from counterlog.errors import InputError
from counterlog.model.interventions import Intervention
from counterlog.model.policies import uniform
from counterlog.synth.counterfactuals import CounterfactualLog, counterfactual
from counterlog.synth.simulation import SyntheticLog, simulate

if TYPE_CHECKING:
    from counterlog.inference import Fit
    from counterlog.logs import InteractionLog


def again(
    card: Mapping[str, Any], fit: Fit, policy: Any = None, log: InteractionLog | None = None
) -> SyntheticLog | CounterfactualLog:
    """The batch of a card, to be made again from the same fit.

    Parameters
    ----------
    policy
        The user's own mechanism, where the card replaces a site by one.
    log
        The events of a counterfactual batch, where they are not the fit's own log.

    Raises
    ------
    InputError
        The card is of another verb, fit or log, or needs a policy that was not given.
    """
    if card.get("kind") not in ("simulate", "counterfactual"):
        raise InputError(f"the card is of a batch made by {card.get('kind')!r}, not by simulate or counterfactual")
    if card["fit"]["hash"] != fit.hash:
        raise InputError(f"the card belongs to the fit {card['fit']['hash'][:12]}, this is the fit {fit.hash[:12]}")
    act = _intervention(card["intervention"], policy)
    made: SyntheticLog | CounterfactualLog
    made = _events(card, fit, act, log) if card["kind"] == "counterfactual" else _simulated(card, fit, act)
    if made.batch != card["batch"]:
        raise InputError(
            f"the card says batch {card['batch']}, what it asks for is {made.batch}: the card was changed, or the "
            "policy differs"
        )
    return made


def _intervention(did: Mapping[str, Any], policy: Any) -> Intervention:
    replaced = {}
    for site, mechanism in did["replace"].items():
        if policy is None and not mechanism["name"].startswith("uniform"):
            raise InputError(
                f"the card replaces {site} by {mechanism['name']!r}, a mechanism of the user's own; pass it as policy="
            )
        if policy is not None:
            replaced[site] = policy
        else:
            chance = mechanism["name"].removeprefix("uniform").strip("()")
            replaced[site] = uniform(float(chance) if chance else 1.0)
    return Intervention(did["fix"], did["shift"], replaced, tuple((p, c) for p, c in did["cut"]))


def _simulated(card: Mapping[str, Any], fit: Fit, act: Intervention) -> SyntheticLog:
    asked = card["arguments"]
    names = ("per_user", "rows", "draws", "users", "truth")
    return simulate(fit, act, rng=card["seed"], **{name: asked[name] for name in names})


def _events(card: Mapping[str, Any], fit: Fit, act: Intervention, log: InteractionLog | None) -> CounterfactualLog:
    asked, found = card["arguments"], fit.log if log is None else log
    if found.hash != asked["log"]:
        whose = "the fit's own log" if log is None else "this log"
        raise InputError(
            f"the card is of the events of the log {card['log']['name']!r} ({asked['log'][:12]}), {whose} is "
            f"{found.hash[:12]}; give that log"
        )
    return counterfactual(fit, found, act, draws=asked["draws"], rng=card["seed"])
