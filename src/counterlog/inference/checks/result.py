"""Checks: what every check of a fit saw, as data, as text, as a table, as pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from counterlog.errors import unknown_name
from counterlog.finding import Finding, Status, jsonable, worst

if TYPE_CHECKING:
    from counterlog.inference.checks.contraction import Contraction
    from counterlog.inference.checks.khat import Khat
    from counterlog.inference.checks.sbc import Calibration
    from counterlog.inference.fit import Fit


@dataclass(frozen=True, eq=False)
class Checks:
    """What every check of a fit saw.

    Parameters
    ----------
    fit
        The fit that was checked.
    findings
        One a check, in the order in which they are shown.
    skipped
        Check -> why it was not made.
    about
        Seeds, hashes and seconds.
    khats, contractions, calibration, refits
        The numbers behind the findings, for plots and for ArviZ.
    """

    fit: Fit
    findings: tuple[Finding, ...]
    skipped: Mapping[str, str] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)
    khats: tuple[Khat, ...] = ()
    contractions: tuple[Contraction, ...] = ()
    calibration: Calibration | None = None
    refits: tuple[Fit, ...] = ()

    @property
    def verdict(self) -> Status:
        """The worst status of all findings; PASS means that no check found evidence against the fit, not that it is
        right.
        """
        return worst(finding.status for finding in self.findings)

    def __getitem__(self, name: str) -> Finding:
        """The finding called ``name``.

        Raises
        ------
        UnknownNameError
            No check of this name was made.
        """
        for finding in self.findings:
            if finding.name == name:
                return finding
        why = f"It was not made: {self.skipped[name]}." if name in self.skipped else ""
        raise unknown_name("check", name, [f.name for f in self.findings], why)

    def to_json(self) -> dict[str, Any]:
        """Verdict, findings, and what was left out and why, JSON-able."""
        return {
            "verdict": self.verdict,
            "findings": [finding.to_json() for finding in self.findings],
            "skipped": dict(self.skipped),
            "about": jsonable(dict(self.about)),
        }

    def to_frame(self) -> Any:
        """A pandas frame, one row a check; those that were not made have status SKIPPED."""
        import pandas as pd

        rows: list[dict[str, Any]] = []
        for f in self.findings:
            low, high = f.interval or (None, None)
            rows.append(
                {"name": f.name, "status": f.status, "value": f.value, "low": low, "high": high, "message": f.message}
                | {"advice": f.advice}
            )
        rows += [{"name": name, "status": "SKIPPED", "message": why} for name, why in self.skipped.items()]
        return pd.DataFrame(rows, columns=["name", "status", "value", "low", "high", "message", "advice"])

    def to_text(self) -> str:
        """The verdict and a line a check, with advice where there is any."""
        lines = [f"{self.fit.scm.name} on {self.fit.log.name}: {self.verdict}"]
        for f in self.findings:
            lines.append(f"{f.status:<8}{f.name}: {f.message}")
            lines += [f"        {f.advice}"] if f.advice else []
        lines += [f"SKIPPED {name}: {why}." for name, why in self.skipped.items()]
        lines.append(
            "PASS says that a check found no evidence against the fit, not that it is right; what each cannot see "
            "stands in its finding's cannot_see."
        )
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.to_text()

    def __repr__(self) -> str:
        """The verdict and one line a check."""
        return "\n".join([f"Checks: {self.verdict}", *(f"  {f.status:6} {f.name}" for f in self.findings)])

    def plot(self) -> Any:
        """Predictive statistics, k-hats, contraction and ranks as one Altair chart."""
        from counterlog.inference.checks.pictures import picture

        return picture(self)

    def svg(self) -> str:
        """The pictures as SVG text."""
        from counterlog.inference.checks.pictures import svg

        return svg(self)

    def to_arviz(self, draws: int = 100, rng: int = 0) -> Any:
        """`counterlog.inference.to_arviz` with more groups: ``prior``, ``khat`` and ``leave_one_out``.

        ``az.plot_ppc`` draws what the predictive checks compare, ``az.plot_khat(data.khat["khat_user"].values)`` the
        k-hats, ``az.plot_dist_comparison`` prior against posterior, and ``az.plot_loo_pit`` the leave-one-out ranks
        with the smoothed weights of ``data.leave_one_out``.
        """
        from counterlog.inference.checks.arviz_groups import with_checks

        return with_checks(self, draws, rng)

    def _repr_html_(self) -> str:
        from counterlog.inference.checks.pictures import html

        return html(self)
