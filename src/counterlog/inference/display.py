"""A fit shows itself: a sentence, the loss curve, and what was summed out."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from counterlog.inference.fit import Fit


def losses_frame(fit: Fit, points: int = 200) -> Any:
    """The loss curve as a pandas frame of ``step`` and ``loss``, averaged to at most ``points`` rows."""
    import pandas as pd

    parts = np.array_split(fit.losses, min(points, len(fit.losses)))
    ends = np.cumsum([len(p) for p in parts])
    return pd.DataFrame({"step": ends, "loss": [float(p.mean()) for p in parts]})


def plot_losses(fit: Fit) -> Any:
    """The loss curve as an Altair chart."""
    import altair as alt

    chart = alt.Chart(losses_frame(fit), title=f"{fit.scm.name}: negative ELBO an opportunity")
    return (
        chart.mark_line()
        .encode(x=alt.X("step:Q", title="step"), y=alt.Y("loss:Q", title="loss", scale=alt.Scale(zero=False)))
        .properties(width=420, height=160)
    )


def html(fit: Fit) -> str:
    """A small page: what was fitted, how it ended, the loss curve. Everything that comes from outside is escaped."""
    import vl_convert as vlc

    rows = {
        "model": fit.scm.name,
        "log": f"{fit.log.name}: {fit.log.rows:,} events, {len(fit.log.users):,} users, {len(fit.log.items):,} items",
        "posterior": posterior(fit),
        "steps": f"{fit.steps:,} in {fit.seconds:.0f} s",
        "converged": f"{'yes' if fit.converged else 'NO'}: {fit.convergence.message}",
        "unseen": unseen(fit),
    }
    table = "".join(
        f"<tr><th style='text-align:left'>{k}</th><td style='text-align:left'>{escape(v)}</td></tr>"
        for k, v in rows.items()
    )
    svg: str = vlc.vegalite_to_svg(plot_losses(fit).to_json())
    return f"<div><table>{table}</table>{svg}</div>"


def posterior(fit: Fit) -> str:
    """Which form the posterior has, in one sentence."""
    if fit.chains is not None:
        about, (chains, draws) = fit.chains.about, fit.chains.quantity.shape
        return (
            f"{chains} chains of {draws} draws; {about['quantity']}: R-hat {about['r_hat']:.3f}, effective sample size "
            f"{about['ess']:.0f}; worst R-hat of a parameter {about['worst_r_hat']:.3f} ({about['worst_global']}); "
            f"{about['divergences']} divergences"
        )
    if fit.arrow is not None:
        return f"arrow: {len(fit.arrow.stem)} parameters jointly normal, everything else leans on them"
    return "mean-field: every number normal on its own"


def unseen(fit: Fit) -> str:
    """What the fit did about what the log does not show, in one sentence."""
    how = fit.treatment
    parts = []
    if how.implied:
        cells = (
            "all cells"
            if fit.options["unexposed"] == "all"
            else f"{fit.options['unexposed']:g} sampled cells an event, weighted,"
        )
        parts.append(f"{cells} without an event count as {'not clicked' if how.sum_exposure else 'not exposed'}")
    if how.sum_exposure:
        parts.append("the exposure was not logged and is summed out")
    if how.sum_outcome:
        parts.append("an unseen outcome is a cause of exposure and is summed out")
    elif not how.sum_exposure:
        parts.append("outcomes of unexposed opportunities are left out of the likelihood")
    return "; ".join(parts)
