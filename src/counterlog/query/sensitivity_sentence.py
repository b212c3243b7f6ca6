"""One sentence for the card: how strong an unseen cause would have to be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from counterlog.errors import RefusedError
from counterlog.model.policies import Uniform
from counterlog.query.sensitivity_laws import laws_of
from counterlog.query.unseen_cause import Laws, Magnitudes, strength

if TYPE_CHECKING:
    from counterlog.inference import Fit
    from counterlog.model.interventions import Intervention

#: Small enough for an answer in a fraction of a second.
_ROWS, _DRAWS, _LIMIT = 100, 2, 3.0


def sensitivity_sentence(
    fit: Fit, estimate: float, interval: tuple[float, float], naive: float | None, rng: int = 0
) -> str:
    """How strong an unseen cause of exposure and outcome would have to be to move the answer to the naive one, computed
    on 100 opportunities in 2 posterior draws: see `sensitivity`.

    Parameters
    ----------
    estimate, interval, naive
        Of the outcome with everything exposed.
    """
    if naive is None:
        return "not asked: there is no naive answer to move to; `sensitivity` asks for any value"
    try:
        laws = laws_of(fit, rng, _DRAWS, _ROWS)
    except RefusedError as refused:
        return f"not answered: {refused}"
    shift = naive - estimate
    both = strength(laws, shift, _LIMIT)
    signs = "raises both" if shift <= 0 else "raises one and lowers the other"
    inside = " (its interval holds the naive one already)" if interval[0] <= naive <= interval[1] else ""
    if both is None:
        return (
            f"no unseen cause that {signs} by up to {_LIMIT:g} a standard deviation of itself (on the log-odds of "
            f"exposure and on {unit_of(laws)}) would bring the answer {estimate:.4g} to the naive {naive:.4g}"
        )
    return (
        f"an unseen cause that {signs} by {both:.2g} a standard deviation of itself (on the log-odds of exposure and "
        f"on {unit_of(laws)}) would bring the answer {estimate:.4g} to the naive {naive:.4g}{inside}"
    )


def unit_of(laws: Laws) -> str:
    """What the strength on the outcome is counted in."""
    if not isinstance(laws, Magnitudes):
        return "the log-odds of the outcome exceeding each level"
    return "the log of the outcome's mean" if laws.link == "log" else "the outcome's mean, in its standard deviations"


def shows_everything(fit: Fit, do: Intervention) -> bool:
    """Whether an action exposes every opportunity and does nothing else."""
    name = fit.scm.exposure
    if do.sites() != {name} or do.cuts:
        return False
    if name in do.fixed:
        return bool(np.all(np.asarray(do.fixed[name]) == 1))
    policy = do.replaced.get(name)
    return isinstance(policy, Uniform) and policy.probability == 1.0
