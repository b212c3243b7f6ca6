"""Whether an impression is looked at, by its position in the slate."""

from __future__ import annotations

import torch
from torch import Tensor


def examination(position: Tensor, decay: Tensor) -> Tensor:
    """P(an impression is looked at): 1 at the first position, falling exponentially with the rank.

    The position-based model (Richardson, Dominowska, Ragno 2007, WWW; Craswell et al. 2008, WSDM) with a curve of one
    parameter. That the first position is always looked at fixes the scale: clicks alone tell only the product of
    looking and liking.

    Parameters
    ----------
    position
        Rank from 1, any shape.
    decay
        How fast attention falls, 0 or more: the share ``exp(-decay)`` of one position looks at the next.
    """
    return torch.exp(-decay * (position - 1.0))
