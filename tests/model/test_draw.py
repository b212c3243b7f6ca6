"""Pictures of causal graphs: nothing overlaps, nothing moves between runs, bad requests write nothing."""

import itertools
import json
import random
import xml.etree.ElementTree as ET

import networkx as nx
import numpy as np
import pytest

from counterlog.errors import InputError, UnknownNameError
from counterlog.model import draw
from counterlog.model.layout import layered


def node(role: str, plate: str | None = "opportunities", latent: bool = False) -> dict:
    return {"role": role, "plate": plate, "latent": latent}


@pytest.fixture
def graph() -> nx.DiGraph:
    found = nx.DiGraph(disagreements=["preference -> click is seen by one method"])
    found.add_node("strength", **node("parameter", None, latent=True))
    found.add_node("preference", **node("latent", "users", latent=True))
    found.add_node("exposure", **node("exposure"))
    found.add_node("click", **node("outcome"))
    found.add_edge("strength", "click", seen_by="both")
    found.add_edge("preference", "exposure", seen_by="both")
    found.add_edge("preference", "click", seen_by="change")
    found.add_edge("exposure", "click", seen_by="both")
    return found


def random_graph(seed: int, size: int) -> nx.DiGraph:
    chance = random.Random(seed)
    found = nx.DiGraph()
    for i in range(size):
        role = chance.choice(["latent", "context", "parameter", "other", "exposure", "outcome"])
        found.add_node(f"site_{i}", **node(role, chance.choice(["users", "items", "opportunities", None])))
        for parent in chance.sample(range(i), min(i, chance.choice([0, 1, 2, 3]))):
            found.add_edge(f"site_{parent}", f"site_{i}")
    return found


def bezier(start: tuple[float, float], end: tuple[float, float]) -> np.ndarray:
    """Points of the level curve that the drawing uses between two points."""
    t = np.linspace(0, 1, 40)[:, None]
    (x0, y0), (x1, y1) = start, end
    bend = (x1 - x0) / 2
    corners = np.array([[x0, y0], [x0 + bend, y0], [x1 - bend, y1], [x1, y1]])
    weights = np.hstack([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3])
    return weights @ corners


@pytest.mark.parametrize(("seed", "size"), [(s, n) for s in range(6) for n in (5, 12, 25)])
def test_no_node_overlaps_another_and_no_edge_runs_through_a_node(seed: int, size: int) -> None:
    graph = random_graph(seed, size)
    sizes = {name: draw._size(graph, name) for name in graph}
    layout = layered(graph, sizes, column_gap=0.75, row_gap=0.14)
    for a, b in itertools.combinations(layout.boxes.values(), 2):
        apart_x = abs(a.x - b.x) - (a.width + b.width) / 2
        apart_y = abs(a.y - b.y) - (a.height + b.height) / 2
        assert max(apart_x, apart_y) > 0.01
    for edge, points in draw._paths(graph, layout).items():
        curve = np.vstack([bezier(*pair) for pair in itertools.pairwise(points)])
        for name, box in layout.boxes.items():
            if name not in edge:
                inside = ((curve[:, 0] - box.x) / (box.width / 2)) ** 2 + (
                    (curve[:, 1] - box.y) / (box.height / 2)
                ) ** 2
                assert inside.min() > 1.0, f"{edge} runs through {name}"


def test_every_edge_points_to_the_right() -> None:
    graph = random_graph(1, 20)
    layout = layered(graph, {name: (1.0, 0.5) for name in graph}, column_gap=0.5, row_gap=0.1)
    assert all(layout.boxes[a].x < layout.boxes[b].x for a, b in graph.edges)


def test_svg_is_the_same_every_time_and_keeps_text_as_text(graph: nx.DiGraph) -> None:
    svg = draw.to_svg(graph)
    assert svg == draw.to_svg(graph)
    texts = {"".join(t.itertext()).strip() for t in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")}
    assert {"preference", "exposure", "click", "strength", "each user", "each opportunity"} <= texts
    assert svg.startswith("<svg")
    assert len(svg) < 200_000


def test_an_observed_node_looks_different_from_a_latent_one(graph: nx.DiGraph) -> None:
    seen = draw.to_svg(graph)
    graph.nodes["exposure"]["latent"] = True
    assert draw.to_svg(graph) != seen


def test_png_is_a_png(graph: nx.DiGraph) -> None:
    assert draw.to_png(graph).startswith(b"\x89PNG")


def test_dot_and_json_hold_every_node_and_edge(graph: nx.DiGraph) -> None:
    data = draw.to_json(graph)
    assert [n["name"] for n in data["nodes"]] == list(graph)
    assert data["nodes"][1] == {"name": "preference", "role": "latent", "latent": True, "plate": "users"}
    assert [tuple(edge) for edge in data["edges"]] == list(graph.edges)
    assert data["disagreements"] == graph.graph["disagreements"]
    dot = draw.to_dot(graph)
    assert all(f'"{a}" -> "{b}"' in dot for a, b in graph.edges)
    assert '"preference" [style="dashed"' in dot


def test_names_are_names_in_every_format() -> None:
    graph = nx.DiGraph()
    graph.add_node("$a_b$ <b>", **node("exposure"))
    graph.add_node('say "x"', **node("outcome"))
    graph.add_edge("$a_b$ <b>", 'say "x"')
    ET.fromstring(draw.to_svg(graph))
    assert draw.to_png(graph)
    assert '"say \\"x\\""' in draw.to_dot(graph)


def test_highlight_marks_nodes_and_refuses_unknown_ones(graph: nx.DiGraph) -> None:
    assert draw.HIGHLIGHT.lower() in draw.to_svg(graph, highlight=["preference"]).lower()
    with pytest.raises(UnknownNameError, match="did you mean 'preference'"):
        draw.to_svg(graph, highlight=["preferense"])


def test_a_cycle_is_refused(graph: nx.DiGraph) -> None:
    graph.add_edge("click", "preference")
    with pytest.raises(InputError, match="cycle"):
        draw.to_svg(graph)


def test_without_parameters_leaves_the_original_alone(graph: nx.DiGraph) -> None:
    assert list(draw.without_parameters(graph)) == ["preference", "exposure", "click"]
    assert "strength" in graph


@pytest.mark.parametrize("suffix", ["svg", "png", "dot", "json", "SVG"])
def test_write_graph_goes_by_the_suffix(graph: nx.DiGraph, tmp_path, suffix: str) -> None:
    target = tmp_path / "new" / f"g.{suffix}"
    draw.write_graph(graph, target)
    assert draw.MADE_BY.encode() in target.read_bytes()[:4096]
    assert [p.name for p in target.parent.iterdir()] == [target.name]
    if suffix == "json":
        assert json.loads(target.read_text())["nodes"]


@pytest.mark.parametrize("name", ["g.gif", "g", "g.svg.gz"])
def test_any_other_suffix_is_one_error_and_no_file(graph: nx.DiGraph, tmp_path, name: str) -> None:
    with pytest.raises(InputError, match=r"\.svg, \.png, \.dot, \.json"):
        draw.write_graph(graph, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_the_empty_graph_can_be_drawn() -> None:
    assert draw.to_svg(nx.DiGraph()).startswith("<svg")
