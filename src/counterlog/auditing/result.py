"""Audit: findings, their verdict, and the pictures, as JSON, as a page, in a notebook."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from counterlog.auditing.charts import Chart
from counterlog.auditing.finding import Finding, Status, worst
from counterlog.errors import unknown_name


@dataclass(frozen=True, eq=False)
class Audit:
    """What every check saw.

    Parameters
    ----------
    findings
        One a check, in the order in which they are shown.
    charts
        The pictures.
    about
        Where the numbers come from: name, hash, licence, rows, users, items of the log, and of fit and synthetic batch
        if given.
    skipped
        Check -> why it was not made.
    """

    findings: tuple[Finding, ...]
    charts: tuple[Chart, ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)
    skipped: Mapping[str, str] = field(default_factory=dict)

    @property
    def verdict(self) -> Status:
        """The worst status of all findings; PASS means that no check found evidence against the data, not that it is
        right.
        """
        return worst(finding.status for finding in self.findings)

    def __getitem__(self, name: str) -> Finding:
        """The finding called ``name``."""
        for finding in self.findings:
            if finding.name == name:
                return finding
        why = f"It was not made: {self.skipped[name]}." if name in self.skipped else ""
        raise unknown_name("finding", name, [f.name for f in self.findings], why)

    @property
    def card(self) -> Mapping[str, Any] | None:
        """The identification card of the fit's mean outcome under exposure=1, if a fit was given and answered."""
        found: Mapping[str, Any] | None = self.about.get("fit", {}).get("card")
        return found

    def to_json(self) -> dict[str, Any]:
        """Verdict, findings, what was left out and why, the cards, and the charts' data, JSON-able."""
        return {
            "verdict": self.verdict,
            "findings": [finding.to_json() for finding in self.findings],
            "skipped": dict(self.skipped),
            "card": self.card,
            "about": dict(self.about),
            "charts": [chart.to_json() for chart in self.charts],
        }

    def to_html(self, path: str | os.PathLike[str]) -> Path:
        """Write one self-contained page (no script, no network); the same audit gives the same bytes.

        The file appears whole or not at all.
        """
        from counterlog.auditing.page import render

        target = Path(path)
        text = render(self)
        beside = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            beside.write_text(text, encoding="utf-8", newline="\n")
            os.replace(beside, target)
        finally:
            beside.unlink(missing_ok=True)
        return target

    def _repr_html_(self) -> str:
        from counterlog.auditing.page import render_compact

        return render_compact(self)

    def __repr__(self) -> str:
        """The verdict and one line a finding."""
        return "\n".join([f"Audit: {self.verdict}", *(f"  {f.status:6} {f.name}: {f.message}" for f in self.findings)])
