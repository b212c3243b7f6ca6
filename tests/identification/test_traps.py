"""Faults of the libraries underneath that an answer must not inherit; each test fails when a release mends one."""

from __future__ import annotations

import logging
import subprocess
import sys
import warnings

import networkx as nx
import numpy as np
import pytest
from tests.identification.worlds import Joint, edges_of, program

from counterlog.identification import identify
from counterlog.identification.functional import Hedge, functional
from counterlog.identification.projection import project

BOW = "taste -> exposure, click; exposure -> click"
NAPKIN = "w -> r -> x -> y; u -> w, x; v -> w, y"


def test_the_id_algorithm_of_dowhy_takes_what_is_unseen_as_seen() -> None:
    from dowhy.causal_identifier import identify_effect_id

    graph = nx.DiGraph(edges_of(BOW))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it uses numpy.matrix
        found = str(identify_effect_id(graph, ["exposure"], ["click"]))
    assert "taste" in found, "an estimand that no log can fill in"
    assert not identify(program(BOW, ("taste",)), "exposure", "click").identified


def test_the_default_call_of_dowhy_gives_nothing_without_an_error(caplog: pytest.LogCaptureFixture) -> None:
    from dowhy.causal_identifier import EstimandType, identify_effect_auto

    graph = nx.DiGraph(edges_of(BOW))
    with caplog.at_level(logging.ERROR):
        found = identify_effect_auto(
            graph, ["exposure"], ["click"], ["exposure", "click"], EstimandType.NONPARAMETRIC_ATE
        )
    assert {found.estimands[key] for key in ("backdoor", "iv", "frontdoor")} == {None}
    assert identify(program(BOW, ("taste",)), "exposure", "click").because


def test_the_efficient_sets_of_dowhy_raise_where_paths_share_an_edge() -> None:
    from dowhy.causal_identifier.efficient_backdoor import EfficientBackdoor

    graph = nx.DiGraph(edges_of("exposure -> a; a -> b; a -> click; b -> click"))
    with pytest.raises(nx.NetworkXError, match="not in graph"):
        EfficientBackdoor(graph, ["exposure"], ["click"], list(graph)).optimal_minimal_adj_set()
    assert identify(program("exposure -> a; a -> b; a -> click; b -> click"), "exposure", "click").identified


def test_y0_gives_a_wrong_formula_for_the_napkin() -> None:
    from y0.algorithm.identify import identify_outcomes
    from y0.dsl import Variable
    from y0.graph import NxMixedGraph

    mixed = NxMixedGraph.from_str_edges(
        directed=[("w", "r"), ("r", "x"), ("x", "y")], undirected=[("w", "x"), ("w", "y")]
    )
    assert str(identify_outcomes(mixed, Variable("x"), Variable("y"))) == "P(y | x)"
    law = Joint(nx.DiGraph(edges_of(NAPKIN)), 4)
    truth = law.effect(["x"], "y")
    assert not np.allclose(law.given("y", ["x"]), truth, atol=1e-3)
    ours = functional(project(law.graph, set("wrxy")), ["x"], "y")
    assert not isinstance(ours, Hedge)
    np.testing.assert_allclose(*np.broadcast_arrays(law.value(ours), truth), atol=1e-12)


def test_unseen_sites_with_unseen_causes_are_projected() -> None:
    """taste -> mood -> exposure and taste -> click: mood alone is no cause of both, and still they are tied."""
    drawing = "taste -> mood -> exposure -> click; taste -> click"
    found = project(nx.DiGraph(edges_of(drawing)), ["exposure", "click"])
    assert found.causes == {frozenset(("exposure", "click")): ("taste",)}
    assert not identify(program(drawing, ("taste", "mood")), "exposure", "click").identified
    assert identify(program(drawing, ("taste",)), "exposure", "click").identified


def test_asking_loads_dowhy_only_when_a_set_is_wanted() -> None:
    code = (
        "import sys, counterlog as cl\n"
        "found = cl.identify(cl.zoo.load('popularity_exposure'), 'exposure', 'click')\n"
        "print(found.identified, 'dowhy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.split() == ["False", "False"], done.stderr
