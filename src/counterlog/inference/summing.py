"""Whether unseen sites of a program may be summed out: each takes all its values at once, in its own dimension."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from counterlog import rng as _rng
from counterlog.errors import RefusedError
from counterlog.inference.elbo import Assign
from counterlog.inference.tables import sample_view

if TYPE_CHECKING:
    from counterlog.inference.cells import Cells
    from counterlog.model import SCM


def check_sums(scm: SCM, cells: Cells) -> None:
    """Compare the program's probabilities with all values at once with those of one value after the other.

    They differ where python reads a site (``if``, ``.item()``, NumPy): the sum would then be wrong without an error.

    Raises
    ------
    RefusedError
        They differ, or the values cannot be listed.
    """
    how = cells.treatment
    summed = {
        *how.others,
        *([scm.exposure] if how.sum_exposure else []),
        *([scm.outcome] if how.sum_outcome else []),
    }
    if not summed:
        return
    view = sample_view(cells)
    with torch.no_grad(), _rng.seeded(0, "sums", scm.name):
        values = {name: node["value"] for name, node in scm.trace(view).items()}
        with Assign(values, frozenset(summed)) as together:
            scm(view)
        latents = {name for name, site in scm.sites(view).items() if site.plate != "opportunities"}
        at_once = _joint(together, latents)
        levels = {name: together.used[name].reshape(-1) for name in together.dims}
        n = len(view.rows)
        for index in itertools.product(*(range(len(values)) for values in levels.values())):
            held = {name: levels[name][k].expand(n) for name, k in zip(levels, index, strict=True)}
            with Assign({**values, **held}) as alone:
                scm(view)
            one = _joint(alone, latents)
            place = at_once.expand(*(len(v) for v in reversed(levels.values())), n)[tuple(reversed(index))]
            if not torch.allclose(place, one.expand(n), rtol=1e-3, atol=1e-4, equal_nan=True):
                raise RefusedError(
                    f"{', '.join(levels)} was not seen and must be summed out, for which it takes all its values at "
                    f"once; {scm.name} reads it with python (if, .item(), NumPy), where one value fits: use tensor "
                    "operations, such as torch.where"
                )


def _joint(run: Assign, latents: set[str]) -> Tensor:
    parts: list[Any] = [fn.log_prob(run.used[name]) for name, fn in run.fns.items() if name not in latents]
    total: Tensor = sum(parts[1:], parts[0])
    return total
