"""What a fit may hold besides a mean-field normal: an arrow, or the draws of Markov chains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from counterlog import rng as _rng


@dataclass(frozen=True, eq=False)
class Arrow:
    """A normal posterior in which a few globals, the stem, are correlated, and all else leans on them.

    Every number is its location, plus its own noise, plus a linear function of the stem's standard noise ``e``:
    ``loc + scale * own + slopes @ e``; the stem has no noise of its own. The matrix of covariances is an arrow: dense
    for the stem, a dense edge, a diagonal.

    ``stem`` int64 ``[s]``: columns of the globals' table. ``slopes`` maps a table to float32 ``[rows, width, s]``.
    """

    stem: Tensor
    slopes: Mapping[str, Tensor]

    def lean(self, rng: int, index: int) -> dict[str, Tensor]:
        """What the stem's noise of draw ``index`` adds to each table ``[rows, width]``."""
        noise = torch.Generator().manual_seed(_rng.derive(rng, "posterior", index, "stem"))
        e = torch.randn(len(self.stem), generator=noise)
        return {table: slopes @ e for table, slopes in self.slopes.items()}

    def own(self, table: str, noise: Tensor) -> Tensor:
        """The own noise of a table, ``[rows, width]``: none for the stem."""
        return noise.index_fill(1, self.stem, 0.0) if table == "globals" else noise


@dataclass(frozen=True, eq=False)
class Chains:
    """Draws of Markov chains, unconstrained.

    ``tables`` maps a table to float32 ``[chains, draws, rows, width]``; ``quantity`` float64 ``[chains, draws]`` is the
    headline quantity of each draw, ``about`` its name, R-hat, effective sample sizes, step sizes, divergences, seconds.
    """

    tables: Mapping[str, Tensor]
    quantity: np.ndarray
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def number(self) -> int:
        """Draws in all chains together."""
        chains, draws = self.quantity.shape
        return int(chains * draws)

    def draw(self, rng: int, index: int) -> dict[str, Tensor]:
        """Draw ``index`` of the stream ``rng``: one of the chains' draws, each as often as any other, none twice before
        all were taken.
        """
        round_, place = divmod(index, self.number)
        at = int(_rng.generator(rng, "chains", round_).permutation(self.number)[place])
        chain, draw = divmod(at, self.quantity.shape[1])
        return {name: table[chain, draw] for name, table in self.tables.items()}
