"""What refuters found: one result each, and all of them as a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from counterlog.logs.readable import readable

RefuterStatus = Literal["PASS", "REVIEW", "SKIPPED"]


@dataclass(frozen=True)
class Refuted:
    """What one refuter found. PASS says that it found nothing against the answer, not that the answer is right.

    Parameters
    ----------
    name
        Short and stable.
    status
        ``PASS``, ``REVIEW`` or ``SKIPPED``.
    message
        What was done and found; for SKIPPED why it could not be done.
    advice
        What to do about it; empty for PASS and SKIPPED.
    cannot_see
        What stays hidden from this refuter.
    rate
        The probability of REVIEW where nothing is wrong, at most.
    statistic, p_value
        Of the two-sided test; None where there was none.
    original, refuted, expected
        The answer, what the refuter got instead, and what that should have been.
    interval
        Where ``refuted`` lies if nothing is wrong, at 1 less ``rate``: around ``expected``.
    repeats
        Number of fits, tests or estimates behind it.
    """

    name: str
    status: RefuterStatus
    message: str
    advice: str = ""
    cannot_see: str = ""
    rate: float | None = None
    statistic: float | None = None
    p_value: float | None = None
    original: float | None = None
    refuted: float | None = None
    expected: float | None = None
    interval: tuple[float, float] | None = None
    repeats: int = 0

    def to_json(self) -> dict[str, Any]:
        """The result as data."""
        return {
            "name": self.name,
            "status": self.status,
            "statistic": self.statistic,
            "p_value": self.p_value,
            "rate": self.rate,
            "original": self.original,
            "refuted": self.refuted,
            "expected": self.expected,
            "interval": None if self.interval is None else list(self.interval),
            "repeats": self.repeats,
            "message": self.message,
            "advice": self.advice,
            "cannot_see": self.cannot_see,
        }


@dataclass(frozen=True)
class Refutation:
    """What every refuter found about one answer."""

    on: str
    do: str
    estimate: float
    interval: tuple[float, float]
    level: float
    results: tuple[Refuted, ...]

    @property
    def verdict(self) -> RefuterStatus:
        """REVIEW if any refuter says so, else PASS; SKIPPED if none could be asked."""
        found = {result.status for result in self.results}
        return "REVIEW" if "REVIEW" in found else "PASS" if "PASS" in found else "SKIPPED"

    @property
    def rate(self) -> float:
        """The probability that any refuter says REVIEW where nothing is wrong, at most (Bonferroni)."""
        rates = [r.rate for r in self.results if r.rate is not None and r.status != "SKIPPED"]
        return min(1.0, sum(rates))

    def __getitem__(self, name: str) -> Refuted:
        """The result of one refuter.

        Raises
        ------
        UnknownNameError
            No refuter of this name was asked.
        """
        from counterlog.errors import unknown_name

        for result in self.results:
            if result.name == name:
                return result
        raise unknown_name("refuter", name, [r.name for r in self.results])

    def to_json(self) -> dict[str, Any]:
        """The results as data."""
        return {
            "on": self.on,
            "do": self.do,
            "estimate": self.estimate,
            "interval": list(self.interval),
            "level": self.level,
            "verdict": self.verdict,
            "rate": self.rate,
            "refuters": [result.to_json() for result in self.results],
        }

    def to_frame(self) -> Any:
        """The results as a pandas frame, one row a refuter."""
        import pandas as pd

        rows = []
        for result in self.results:
            low, high = result.interval or (None, None)
            row = {k: v for k, v in result.to_json().items() if k != "interval"}
            rows.append({**row, "low": low, "high": high})
        return pd.DataFrame(rows)

    def to_text(self) -> str:
        """The results in words."""
        low, high = self.interval
        lines = [f"{self.on} under {self.do}: {self.estimate:.4g} [{low:.4g}, {high:.4g}] ({self.level:.0%})"]
        for result in self.results:
            lines.append(f"{result.status:<8}{result.name}: {readable(result.message)}")
            lines += [f"        {result.advice}"] if result.advice else []
            lines += [f"        It cannot see {result.cannot_see}."] if result.cannot_see else []
        lines.append(
            f"Verdict: {self.verdict}. Where nothing is wrong any of them says REVIEW with a probability of at most "
            f"{self.rate:.0%}."
        )
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.to_text()

    def plot(self) -> Any:
        """What each refuter got against where it should lie, as an Altair chart."""
        import altair as alt

        rows = [
            {"refuter": r.name, "refuted": r.refuted, "low": r.interval[0], "high": r.interval[1], "status": r.status}
            for r in self.results
            if r.interval is not None and r.refuted is not None
        ]
        order = [row["refuter"] for row in rows]
        base = alt.Chart(alt.Data(values=rows)).encode(y=alt.Y("refuter:N", sort=order, title=None))
        x = alt.X("low:Q", title=f"{self.on}: bars are where it lies if nothing is wrong", scale=alt.Scale(zero=False))
        bars = base.mark_bar(opacity=0.25, size=12, color="#3b8bc2").encode(x=x, x2="high:Q")
        colour = alt.Color(
            "status:N", title=None, scale=alt.Scale(domain=["PASS", "REVIEW"], range=["#3b8bc2", "#d97706"])
        )
        dots = base.mark_point(filled=True, size=70, opacity=1).encode(x="refuted:Q", color=colour)
        chart: Any = (bars + dots).properties(width=380)
        return chart

    def _repr_html_(self) -> str:
        from html import escape

        import vl_convert as vlc

        drawn: str = vlc.vegalite_to_svg(readable(self.plot().to_dict()))
        return f"<div><pre style='white-space:pre-wrap'>{escape(str(self))}</pre>{drawn}</div>"
