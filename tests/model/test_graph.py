"""The graph is read from the program, also where Pyro's provenance is blind."""

from __future__ import annotations

import networkx as nx
import pytest
import torch
from pyro.infer.inspect import get_model_relations
from tests.model import programs

from counterlog import zoo
from counterlog.model import SCM, tiny_view
from counterlog.rng import seeded

#: The DAG of each zoo model, as its docstring draws it, without the parameters.
DAGS = {
    "latent_exposure": {
        "exposure": {"activity", "popularity"},
        "click": {"exposure", "preference", "attribute", "quality"},
    },
    "popularity_exposure": {
        "exposure": {"activity", "popularity", "preference", "attribute"},
        "click": {"exposure", "preference", "attribute", "leniency", "quality"},
    },
    "position_examination": {
        "position": {"popularity"},
        "exposure": {"position"},
        "click": {"exposure", "preference", "attribute", "leniency", "popularity"},
    },
    "self_selection": {
        "rating": {"preference", "attribute", "leniency", "quality"},
        "exposure": {"rating", "activity", "popularity"},
    },
}


@pytest.mark.parametrize("name", DAGS)
def test_each_zoo_model_has_the_edges_that_its_file_documents(name: str) -> None:
    graph = zoo.load(name).graph()
    found = {n: {p for p in graph.predecessors(n) if graph.nodes[p]["plate"]} for n in graph if graph.nodes[n]["plate"]}
    assert {n: parents for n, parents in found.items() if parents} == DAGS[name]
    assert graph.graph["disagreements"] == []
    assert all(data["latent"] for n, data in graph.nodes(data=True) if data["plate"] in ("users", "items", None))


def causes(scm: SCM, child: str) -> set[str]:
    return set(scm.graph().predecessors(child))


def test_pyros_own_ordered_logistic_keeps_its_parents() -> None:
    with seeded(0):
        relations = get_model_relations(programs.ordered_logistic.__call__, (tiny_view(),))
    assert relations["sample_sample"]["rating"] == []  # the trap: provenance loses the parent without an error
    graph = programs.ordered_logistic.graph()
    assert set(graph.predecessors("rating")) == {"taste"}
    assert set(graph.predecessors("exposure")) == {"rating"}
    assert graph.edges["taste", "rating"]["seen_by"] == "change"
    assert any("taste -> rating is seen by changing the site" in said for said in graph.graph["disagreements"])


@pytest.mark.parametrize("program", [programs.by_item, programs.by_numpy, programs.in_place, programs.by_if])
def test_dependence_that_leaves_torch_is_seen(program: SCM) -> None:
    assert causes(program, "click") == {"taste"}
    assert causes(program, "exposure") == set()


def test_a_dependence_that_the_prior_almost_never_shows_is_seen() -> None:
    assert causes(programs.rare_if, "click") == {"exposure"}


def test_exposure_keeps_its_edge_to_the_outcome_although_fits_condition_on_it() -> None:
    graph = programs.plain.graph()
    assert graph.edges["exposure", "click"]["seen_by"] == "both"
    assert set(graph.predecessors("click")) == {"exposure", "taste"}


def test_a_site_that_changes_nothing_has_no_edge_by_change_and_the_disagreement_is_said() -> None:
    graph = programs.idle_site.graph()
    assert graph.edges["idle", "click"]["seen_by"] == "provenance"
    assert [said for said in graph.graph["disagreements"] if "idle" in said] == [
        "idle -> click is seen by Pyro's provenance, not by changing the site (the dependence has no effect on the "
        "draws tried)"
    ]
    assert graph.edges["taste", "click"]["seen_by"] == "both"


def test_nodes_say_their_role() -> None:
    nodes = programs.observed_confounder.graph().nodes
    roles = {name: (nodes[name]["role"], nodes[name]["latent"]) for name in nodes}
    assert roles == {
        "base": ("parameter", True),
        "lift": ("parameter", True),
        "hour": ("context", False),
        "exposure": ("exposure", False),
        "click": ("outcome", False),
    }
    assert zoo.load("latent_exposure").graph().nodes["exposure"]["latent"]


def test_the_graph_is_the_same_every_time_and_callers_cannot_change_it() -> None:
    first = programs.plain.graph()
    with pytest.raises(nx.NetworkXError):
        first.add_edge("click", "taste")
    assert list(first.edges) == list(programs.plain.with_parameters().graph().edges)


def test_reading_the_graph_leaves_the_random_state_alone() -> None:
    before = torch.random.get_rng_state()
    programs.ordinal.with_parameters().graph()
    assert torch.equal(before, torch.random.get_rng_state())
