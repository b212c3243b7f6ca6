"""The answer of `sensitivity`, in words, as data and as a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from counterlog.logs.readable import readable
from counterlog.query.sensitivity_laws import Benchmark


@dataclass(frozen=True)
class Sensitivity:
    """How strong an unseen cause of exposure and outcome must be to move an answer to a value.

    Parameters
    ----------
    on, do
        The question, as in `effect`.
    estimate, interval, level
        Its answer.
    to
        The value asked about.
    to_is
        What it is in words: "the value asked about" or "the naive answer".
    strength
        The least strength, the same on exposure and outcome, that moves the estimate to ``to``; None if none up to
        ``limit`` does.
    strength_of_limit
        The same for the end of the interval that is nearer to ``to``; 0 where the interval holds it.
    opposed
        Whether the cause must raise one of exposure and outcome and lower the other.
    limit
        The greatest strength that was tried.
    unit
        What a strength of 1 means on the outcome.
    table
        ``{"a", "b", "answer"}`` over a grid: strength on exposure, on the outcome, and the answer then.
    curve
        Pairs (a, b) that move the estimate to ``to``.
    benchmarks
        The causes that the program has, on the same scale.
    e_value, e_value_of_limit
        For outcomes of 0 and 1 (else None): the least risk ratio, the same with exposure and with the outcome, that
        could explain the move, whatever the unseen cause's distribution.
    rows, draws
        Opportunities and posterior draws that the change was computed on.
    """

    on: str
    do: str
    estimate: float
    interval: tuple[float, float]
    level: float
    to: float
    to_is: str
    strength: float | None
    strength_of_limit: float | None
    opposed: bool
    limit: float
    unit: str
    table: tuple[dict[str, float], ...]
    curve: tuple[tuple[float, float], ...]
    benchmarks: tuple[Benchmark, ...]
    e_value: float | None
    e_value_of_limit: float | None
    rows: int
    draws: int

    def to_json(self) -> dict[str, Any]:
        """The answer as data."""
        return {
            "on": self.on,
            "do": self.do,
            "estimate": self.estimate,
            "interval": list(self.interval),
            "level": self.level,
            "to": self.to,
            "to_is": self.to_is,
            "strength": self.strength,
            "strength_of_limit": self.strength_of_limit,
            "opposed": self.opposed,
            "limit": self.limit,
            "unit": self.unit,
            "table": [dict(row) for row in self.table],
            "curve": [list(pair) for pair in self.curve],
            "benchmarks": [{"site": b.site, "exposure": b.exposure, "outcome": b.outcome} for b in self.benchmarks],
            "e_value": self.e_value,
            "e_value_of_limit": self.e_value_of_limit,
            "rows": self.rows,
            "draws": self.draws,
            "assumptions": list(self.assumptions),
        }

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What the numbers rest on."""
        return (
            "the unseen cause is standard normal, one an opportunity, independent of every cause in the program; it "
            f"adds a times itself to the log-odds of exposure and b times itself to {self.unit}",
            "the probability of exposure and the distribution of the outcome among the exposed stay as fitted, so that "
            "the log cannot tell a and b from 0",
            f"the change was computed on {self.rows:,} opportunities in {self.draws} posterior draws and added to the "
            "estimate; the interval is that of the estimate",
        )

    @property
    def sentence(self) -> str:
        """The answer in one sentence."""
        how = (
            "of opposite signs on exposure and outcome" if self.opposed else "of the same sign on exposure and outcome"
        )
        if self.strength is None:
            return (
                f"no unseen cause of strength up to {self.limit:g} on both, {how}, moves the estimate "
                f"{self.estimate:.4g} to {self.to_is} {self.to:.4g}"
            )
        return (
            f"an unseen cause of strength {self.strength:.2f} on both, {how}, moves the estimate {self.estimate:.4g} "
            f"to {self.to_is} {self.to:.4g}"
        )

    def to_frame(self) -> Any:
        """The table as a pandas frame: ``a``, ``b``, ``answer``."""
        import pandas as pd

        return pd.DataFrame([dict(row) for row in self.table])

    def to_text(self) -> str:
        """The answer in words."""
        low, high = self.interval
        lines = [
            f"{self.on} under {self.do}: {self.estimate:.4g} [{low:.4g}, {high:.4g}] ({self.level:.0%}), moved to "
            f"{self.to_is} {self.to:.4g}?",
            f"{self.sentence}.",
            _of_limit(self),
        ]
        if self.e_value is not None:
            end = f" ({self.e_value_of_limit:.2f} for the interval)" if self.e_value_of_limit is not None else ""
            lines.append(
                f"E-value {self.e_value:.2f}{end}: the risk ratio that such a cause must have with exposure and with "
                "the outcome, whatever its distribution."
            )
        if self.benchmarks:
            lines.append("For comparison, causes that the program has (strength on exposure, on the outcome):")
            width = max(len(b.site) for b in self.benchmarks)
            lines += [f"  {readable(b.site):<{width}}  {b.exposure:.2f}  {b.outcome:.2f}" for b in self.benchmarks]
        lines += [f"assumes: {said}" for said in self.assumptions]
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.to_text()

    def plot(self) -> Any:
        """The answer over both strengths as an Altair chart: see `counterlog.query.sensitivity_plot`."""
        from counterlog.query.sensitivity_plot import contour_plot

        return contour_plot(self)

    def svg(self) -> str:
        """The picture as an SVG text."""
        import vl_convert as vlc

        drawn: str = vlc.vegalite_to_svg(readable(self.plot().to_dict()))
        return drawn

    def png(self, scale: float = 2.0) -> bytes:
        """The picture as a PNG file."""
        import vl_convert as vlc

        drawn: bytes = vlc.vegalite_to_png(readable(self.plot().to_dict()), scale=scale)
        return drawn

    def _repr_html_(self) -> str:
        from html import escape

        return f"<div><pre style='white-space:pre-wrap'>{escape(str(self))}</pre>{self.svg()}</div>"


def _of_limit(found: Sensitivity) -> str:
    low, high = found.interval
    if low <= found.to <= high:
        return f"The interval holds {found.to:.4g} already: no unseen cause is needed."
    if found.strength_of_limit is None:
        return f"No strength up to {found.limit:g} moves the nearer end of the interval there either."
    return f"The nearer end of the interval is moved there by {found.strength_of_limit:.2f}."
