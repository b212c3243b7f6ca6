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

    They are meant to give a fit of a world without a fault REVIEW with a probability of at most 5% and FAIL of at most
    1%, over all checks together, simulation-based calibration left out (`tests/inference/test_checks_rate.py`). The
    predictive checks' share follows from their rates; the others' were set on 15 fits of worlds without a fault
    (docs/guide/checks.md).
    """

    convergence: ConvergenceThresholds = field(default_factory=ConvergenceThresholds)
    chains: ChainThresholds = field(default_factory=ChainThresholds)
    predictive: PredictiveThresholds = field(default_factory=PredictiveThresholds)
    khat: KhatThresholds = field(default_factory=KhatThresholds)
    score: ScoreThresholds = field(default_factory=ScoreThresholds)
    contraction: ContractionThresholds = field(default_factory=ContractionThresholds)
    simulation: SimulationThresholds = field(default_factory=SimulationThresholds)
