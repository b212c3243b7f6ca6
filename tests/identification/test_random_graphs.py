"""Random graphs with unseen causes: the verdicts are complete, and every formula is the effect on an exact law."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from tests.identification.worlds import Joint, random_graph, subsets

from counterlog.identification import criteria, dowhy_bridge
from counterlog.identification.functional import Formula, Hedge, columns, functional, text
from counterlog.identification.projection import project
from counterlog.identification.y0_bridge import has_formula

Asked = tuple[nx.DiGraph, frozenset[str], list[str], Formula | Hedge]


def asked(number: int, seed: int) -> list[Asked]:
    """Random graphs, what is seen in them, the causes that reach y (one, or two jointly), and our answer."""
    rng = np.random.default_rng(seed)
    found: list[Asked] = []
    while len(found) < number:
        graph, seen = random_graph(rng, int(rng.integers(3, 7)), int(rng.integers(1, 4)))
        causes = ["x", "v0"] if "v0" in seen and rng.random() < 0.4 else ["x"]
        if any("y" in nx.ancestors(graph, name) for name in causes):
            continue
        causes = criteria.acting(graph, causes, "y")
        if causes:
            found.append((graph, seen, causes, functional(project(graph, seen), causes, "y")))
    return found


def check(number: int, seed: int) -> dict[str, int]:
    """Every property on ``number`` graphs; how many of each kind there were."""
    kinds = {"identified": 0, "adjusted": 0, "only the algorithm": 0, "refused": 0, "naive is wrong": 0}
    for k, (graph, seen, causes, formula) in enumerate(asked(number, seed)):
        what = (sorted(graph.edges), sorted(seen), causes)
        mixed = project(graph, seen)
        assert has_formula(mixed, causes, "y") is not isinstance(formula, Hedge), what
        proposed = dowhy_bridge.adjustment_set(graph, causes, "y", seen)
        sets = [s for s in subsets(seen - {*causes, "y"}) if criteria.is_adjustment_set(graph, causes, "y", s)]
        assert (proposed is not None) is bool(sets), what
        if isinstance(formula, Hedge):
            kinds["refused"] += 1
            assert not sets, what
            assert set(causes) & hedge_outer(formula), what
            continue
        law = Joint(graph, k)
        truth = law.effect(causes, "y")
        assert columns(formula) <= seen, what
        np.testing.assert_allclose(*np.broadcast_arrays(law.value(formula), truth), atol=1e-10, err_msg=text(formula))
        kinds["identified"] += 1
        kinds["only the algorithm"] += proposed is None
        kinds["naive is wrong"] += not np.allclose(law.given("y", causes), truth, atol=1e-4)
        nearest = criteria.nearest_set(graph, causes, "y", seen)
        for chosen in (proposed, nearest):
            if chosen is not None:
                kinds["adjusted"] += 1
                assert criteria.is_adjustment_set(graph, causes, "y", chosen), what
                shown = law.value(criteria.back_door_formula(causes, "y", tuple(sorted(chosen))))
                np.testing.assert_allclose(shown, truth, atol=1e-10)
    return kinds


def hedge_outer(hedge: Hedge) -> frozenset[str]:
    assert hedge.inner < hedge.outer
    return hedge.outer


def test_verdicts_and_formulas_on_random_graphs() -> None:
    kinds = check(250, seed=3)
    assert min(kinds.values()) > 0, kinds
    assert kinds["refused"] > 50
    assert kinds["naive is wrong"] > 30


@pytest.mark.slow
def test_verdicts_and_formulas_on_many_random_graphs() -> None:
    assert min(check(4000, seed=8).values()) > 40


def test_the_front_door_on_random_graphs() -> None:
    rng = np.random.default_rng(11)
    found = 0
    for k in range(500):
        graph, seen = random_graph(rng, 4, 0)
        graph.add_edges_from([("c", "x"), ("c", "y")])
        if "y" not in nx.descendants(graph, "x"):
            continue
        proposed = dowhy_bridge.front_door_set(graph, "x", "y", seen)
        sets = [s for s in subsets(seen - {"x", "y"}) if criteria.is_front_door_set(graph, "x", "y", s)]
        assert (proposed is not None) is bool(sets)
        if proposed is not None:
            smallest = criteria.shrunk_front_door(graph, "x", "y", proposed)
            assert smallest in sets
            law = Joint(graph, k)
            shown = law.value(criteria.front_door_formula("x", "y", smallest))
            np.testing.assert_allclose(shown, law.effect(["x"], "y"), atol=1e-10)
            found += 1
    assert found > 5


def test_outcomes_of_exposed_rows_speak_for_all_where_the_selection_set_says_so() -> None:
    """P(y | x, z, exposure = 1) in place of P(y | x, z): the formula still is the effect, and without the set it is
    not.
    """
    rng = np.random.default_rng(21)
    found = differs = 0
    for k in range(300):
        graph, seen = random_graph(rng, 5, 1)
        graph = nx.relabel_nodes(graph, {"v0": "exposure"})
        seen = frozenset({"exposure", *seen} - {"v0"})
        if "y" not in nx.descendants(graph, "x"):
            continue
        law = Joint(graph, k)
        chosen = criteria.smallest_selection_set(graph, "exposure", ["x"], "y", seen)
        truth = law.effect(["x"], "y")
        where = [slice(None)] * len(law.names)
        where[law.axis("exposure")] = slice(1, 2)
        if chosen is not None:
            found += 1
            exposed = law.given("y", ["x", "exposure", *chosen])[tuple(where)]
            weights = law.sum(law.law(), [name for name in law.names if name not in chosen])
            np.testing.assert_allclose(law.sum(exposed * weights, chosen), truth, atol=1e-10)
        else:
            differs += not np.allclose(law.given("y", ["x", "exposure"])[tuple(where)], truth, atol=1e-3)
    assert found > 20
    assert differs > 20


def test_the_same_graph_gets_the_same_sets_whatever_the_order_of_names() -> None:
    graph = nx.DiGraph([("w", "z"), ("z", "x"), ("w", "y"), ("x", "m"), ("m", "n"), ("n", "y")])
    turned = nx.DiGraph(list(reversed(list(graph.edges))))
    seen = set(graph)
    for one in (graph, turned):
        assert dowhy_bridge.adjustment_set(one, ["x"], "y", seen) == dowhy_bridge.adjustment_set(
            graph, ["x"], "y", seen
        )
        assert criteria.nearest_set(one, ["x"], "y", seen) == ("w",)
