"""When each check says REVIEW or FAIL; the reasons stand with each class."""

from __future__ import annotations

from dataclasses import dataclass, field

from counterlog.inference.checks.chains import ChainThresholds
from counterlog.inference.checks.contraction import ContractionThresholds
from counterlog.inference.checks.convergence import ConvergenceThresholds
from counterlog.inference.checks.khat import KhatThresholds
from counterlog.inference.checks.predictive import PredictiveThresholds
from counterlog.inference.checks.sbc import SimulationThresholds
from counterlog.inference.checks.score import ScoreThresholds


@dataclass(frozen=True)
class Thresholds:
    """The thresholds of every check.

    With these a fit of a world without a fault gets REVIEW with a probability of at most 5% and FAIL of at most 1%,
    over all checks together, simulation-based calibration left out. The predictive checks' share follows from their
    rates; the others' were set on worlds without a fault, where none came near (docs/guide/checks.md).
    """

    convergence: ConvergenceThresholds = field(default_factory=ConvergenceThresholds)
    chains: ChainThresholds = field(default_factory=ChainThresholds)
    predictive: PredictiveThresholds = field(default_factory=PredictiveThresholds)
    khat: KhatThresholds = field(default_factory=KhatThresholds)
    score: ScoreThresholds = field(default_factory=ScoreThresholds)
    contraction: ContractionThresholds = field(default_factory=ContractionThresholds)
    simulation: SimulationThresholds = field(default_factory=SimulationThresholds)
