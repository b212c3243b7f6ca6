"""What the checks saw, as Altair charts and as a small page."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from counterlog.logs.readable import readable

if TYPE_CHECKING:
    from counterlog.inference.checks.result import Checks

COLOURS = {"PASS": "#3b8bc2", "REVIEW": "#d97706", "FAIL": "#b91c1c", "SKIPPED": "#777777"}


def picture(checks: Checks) -> Any:
    """All charts that the checks allow, below each other."""
    import altair as alt

    rows = [predictive_chart(checks, name) for name in predictive_names(checks)]
    charts: list[Any] = [alt.hconcat(*rows[k : k + 3]) for k in range(0, len(rows), 3)]
    if checks.khats:
        charts.append(khat_chart(checks))
    if checks.contractions:
        charts.append(contraction_chart(checks))
    if checks.calibration is not None:
        charts.append(rank_chart(checks))
    return alt.vconcat(*charts)


def predictive_names(checks: Checks) -> list[str]:
    """The predictive checks that were made."""
    return [f.name for f in checks.findings if "observed" in f.details]


def predictive_chart(checks: Checks, name: str) -> Any:
    """One statistic: the log's numbers on the range in which nine of ten replicated logs lie."""
    import altair as alt

    finding = checks[name]
    d = finding.details
    rows = [
        {"at": at, "log": o, "low": low, "high": high}
        for at, o, low, high in zip(d["labels"], d["observed"], d["low"], d["high"], strict=True)
    ]
    base = alt.Chart(alt.Data(values=rows), title=f"{name}: {finding.status}").encode(
        x=alt.X("at:N", sort=list(d["labels"]), title=None)
    )
    scale = alt.Scale(zero=False)
    bars = base.mark_bar(opacity=0.3, color="#777777").encode(
        y=alt.Y("low:Q", title=None, scale=scale), y2=alt.Y2("high:Q")
    )
    dots = base.mark_point(filled=True, size=45, opacity=1, color=COLOURS[finding.status]).encode(y="log:Q")
    return (bars + dots).properties(width=220, height=120)


def khat_chart(checks: Checks) -> Any:
    """k-hat of each user and item, in order of size, with the line at 0.7."""
    import altair as alt

    rows = [
        {"table": k.table, "share": (i + 0.5) / len(k.khat), "khat": float(v)}
        for k in checks.khats
        for i, v in enumerate(np.sort(k.khat))
    ]
    dots = (
        alt.Chart(alt.Data(values=rows), title="k-hat of single users and items")
        .mark_point(size=12)
        .encode(
            x=alt.X("share:Q", title="share of users (items) below"),
            y=alt.Y("khat:Q", title="Pareto k-hat"),
            color=alt.Color("table:N", title=None),
        )
    )
    line = alt.Chart(alt.Data(values=[{"khat": 0.7}])).mark_rule(strokeDash=[4, 3]).encode(y="khat:Q")
    return (dots + line).properties(width=420, height=140)


def contraction_chart(checks: Checks) -> Any:
    """Contraction of each parameter; sites of users and items on average."""
    import altair as alt

    rows = [
        {"name": c.name, "contraction": max(c.contraction, -0.5), "of": c.table}
        for c in sorted(checks.contractions, key=lambda c: c.contraction)[:40]
    ]
    return (
        alt.Chart(alt.Data(values=rows), title="prior-to-posterior contraction (mean-field: at most this)")
        .mark_point(filled=True)
        .encode(
            x=alt.X("contraction:Q", title="1 - (posterior sd / prior sd)^2"),
            y=alt.Y("name:N", sort=[r["name"] for r in rows], title=None),
            color=alt.Color("of:N", title=None),
        )
        .properties(width=420)
    )


def rank_chart(checks: Checks) -> Any:
    """ECDF of the ranks of each quantity less the uniform one, with the 95% simultaneous band of Kolmogorov."""
    import altair as alt
    from scipy.stats import kstwo

    assert checks.calibration is not None
    rows, band = [], 0.0
    for name, ranks in checks.calibration.ranks.items():
        band = float(kstwo.ppf(0.95, len(ranks)))
        for k, value in enumerate(np.sort(ranks)):
            rows.append({"quantity": name, "rank": float(value), "difference": (k + 1) / len(ranks) - float(value)})
    lines = (
        alt.Chart(alt.Data(values=rows), title="ranks of the truth in simulated worlds: ECDF less uniform")
        .mark_line(interpolate="step-after")
        .encode(
            x=alt.X("rank:Q", title="rank of the truth among posterior draws"),
            y=alt.Y("difference:Q", title=None),
            color=alt.Color("quantity:N", title=None),
        )
    )
    edges = alt.Chart(alt.Data(values=[{"difference": band}, {"difference": -band}]))
    return (lines + edges.mark_rule(strokeDash=[4, 3]).encode(y="difference:Q")).properties(width=420, height=160)


def svg(checks: Checks) -> str:
    """The charts as SVG text."""
    import vl_convert as vlc

    drawn: str = vlc.vegalite_to_svg(readable(picture(checks).to_dict()))
    return drawn


def html(checks: Checks) -> str:
    """A small page: verdict, a row a check, the charts. Everything that comes from outside is escaped."""
    lines: list[tuple[str, str, str, str]] = [(f.status, f.name, f.message, f.advice) for f in checks.findings]
    lines += [("SKIPPED", name, f"{why}.", "") for name, why in checks.skipped.items()]
    body = "".join(
        f"<tr><td style='color:{COLOURS[status]}'><b>{status}</b></td><td>{escape(name)}</td>"
        f"<td style='text-align:left'>{escape(readable(f'{message} {advice}'.strip()))}</td></tr>"
        for status, name, message, advice in lines
    )
    title = escape(readable(f"{checks.fit.scm.name} on {checks.fit.log.name}"))
    verdict = f"<b style='color:{COLOURS[checks.verdict]}'>{checks.verdict}</b>"
    return f"<div><p>{title}: {verdict}</p><table>{body}</table>{svg(checks)}</div>"
