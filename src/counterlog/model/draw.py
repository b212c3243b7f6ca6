"""Causal graphs as pictures and as data: SVG, PNG, DOT and JSON."""

from __future__ import annotations

import io
import json
import math
import os
import warnings
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import networkx as nx

from counterlog.errors import InputError, unknown_name
from counterlog.model.layout import Box, Edge, Layout, Point, layered

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Role -> (line, fill where observed), after the palette of Okabe and Ito, which colour-blind people can tell apart.
COLOURS = {
    "exposure": ("#B24700", "#FBD9BF"),
    "outcome": ("#005A92", "#C9E3F5"),
    "context": ("#006B4F", "#CDEBDF"),
    "latent": ("#555555", "#EEEEEE"),
    "parameter": ("#8A8A8A", "#F6F6F6"),
    "other": ("#6B4A86", "#E8DDF1"),
}
HIGHLIGHT = "#D4A000"
EDGE, FAINT = "#4A4A4A", "#9A9A9A"
PLATES = {"users": "each user", "items": "each item", "opportunities": "each opportunity"}
#: Plates from top to bottom: users above, items below, what happens between them in the middle.
ORDER = {"users": 0, None: 1, "opportunities": 2, "items": 3}
#: In every file that is written, so that it is known again as ours.
MADE_BY = "counterlog"
NAME, CAPTION, SMALL = 10.0, 6.5, 8.0
MARGIN = 0.18
LONGEST = 40


def to_json(graph: nx.DiGraph) -> dict[str, Any]:
    """The graph as plain data.

    Returns
    -------
    dict
        ``{"made_by", "nodes": [{"name", "role", "latent", "plate"}], "edges": [[from, to]], "disagreements": [text]}``.
    """
    return {
        "made_by": MADE_BY,
        "nodes": [
            {"name": n, "role": _role(d), "latent": bool(d.get("latent")), "plate": d.get("plate")}
            for n, d in graph.nodes(data=True)
        ],
        "edges": [[start, end] for start, end in graph.edges],
        "disagreements": list(graph.graph.get("disagreements", [])),
    }


def to_dot(graph: nx.DiGraph, *, highlight: Iterable[str] = ()) -> str:
    """The graph in the DOT language of Graphviz."""
    marked = _marked(graph, highlight)
    lines = [f"// {MADE_BY}", "digraph {", "  rankdir=LR;", '  node [fontname="sans-serif", shape=ellipse];']
    for name, data in graph.nodes(data=True):
        line, fill = COLOURS.get(_role(data), COLOURS["other"])
        style = '"dashed"' if data.get("latent") else '"filled"'
        pen = f', penwidth=3, color="{HIGHLIGHT}"' if name in marked else f', color="{line}"'
        size = ", fontsize=9, height=0.25" if _role(data) == "parameter" else ""
        lines.append(f'  {_quoted(name)} [style={style}, fillcolor="{fill}"{pen}{size}];')
    for start, end, data in graph.edges(data=True):
        style = " [style=dashed]" if _doubtful(data) else ""
        lines.append(f"  {_quoted(start)} -> {_quoted(end)}{style};")
    return "\n".join([*lines, "}", ""])


def to_svg(graph: nx.DiGraph, *, highlight: Iterable[str] = ()) -> str:
    """The graph as SVG with text as text; the same graph gives the same bytes.

    Parameters
    ----------
    graph
        Nodes with ``role``, ``latent`` and ``plate``; edges with ``seen_by`` where they were read from a program.
    highlight
        Nodes to mark, such as a set to adjust for.

    Raises
    ------
    UnknownNameError
        For a highlighted node that the graph does not have.
    """
    text = _rendered(graph, "svg", highlight).decode("utf-8")
    return text[text.index("<svg") :]  # without the XML prologue it can stand in an HTML page as well


def to_png(graph: nx.DiGraph, *, highlight: Iterable[str] = (), dpi: int = 160) -> bytes:
    """The graph as a PNG picture; parameters as `to_svg`."""
    return _rendered(graph, "png", highlight, dpi)


def graph_format(path: str | os.PathLike[str]) -> str:
    """The format that a path's suffix stands for: ``svg``, ``png``, ``dot`` or ``json``.

    Raises
    ------
    InputError
        For any other suffix.
    """
    suffix = Path(path).suffix.lower().lstrip(".")
    if suffix not in WRITERS:
        given = f"the suffix {'.' + suffix!r}" if suffix else "no suffix"
        known = ", ".join(f".{name}" for name in WRITERS)
        raise InputError(f"cannot draw a graph into {str(path)!r}: {given}; give a file that ends in {known}")
    return suffix


def write_graph(graph: nx.DiGraph, path: str | os.PathLike[str], *, highlight: Iterable[str] = ()) -> None:
    """Write the graph in the format of the path's suffix: svg, png, dot or json.

    Raises
    ------
    InputError
        For any other suffix.
    """
    content = WRITERS[graph_format(path)](graph, tuple(highlight))
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    half = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        half.write_bytes(content)
        half.replace(target)  # a full disk leaves what was there before
    finally:
        half.unlink(missing_ok=True)


def without_parameters(graph: nx.DiGraph) -> nx.DiGraph:
    """The graph without its global parameters, as it is usually drawn."""
    kept = graph.copy()
    kept.remove_nodes_from([name for name, data in graph.nodes(data=True) if _role(data) == "parameter"])
    return kept


WRITERS: dict[str, Callable[[nx.DiGraph, tuple[str, ...]], bytes]] = {
    "svg": lambda graph, highlight: to_svg(graph, highlight=highlight).encode(),
    "png": lambda graph, highlight: to_png(graph, highlight=highlight),
    "dot": lambda graph, highlight: to_dot(graph, highlight=highlight).encode(),
    "json": lambda graph, highlight: (json.dumps(to_json(graph), indent=2, ensure_ascii=False) + "\n").encode(),
}


# ---- the picture ------------------------------------------------------------


def _rendered(graph: nx.DiGraph, kind: str, highlight: Iterable[str], dpi: int = 160) -> bytes:
    import matplotlib

    marked = _marked(graph, highlight)
    settings = {
        "svg.hashsalt": "counterlog",
        "svg.fonttype": "none",
        "font.family": "sans-serif",
        "font.sans-serif": ["DejaVu Sans", "Verdana", "Helvetica", "Arial"],
    }
    out = io.BytesIO()
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # a name in a script that the font lacks
        figure = _figure(graph, marked)
        metadata = {"Date": None, "Creator": MADE_BY} if kind == "svg" else {"Software": MADE_BY}
        figure.savefig(out, format=kind, dpi=dpi, metadata=metadata)
    return out.getvalue()


def _figure(graph: nx.DiGraph, marked: set[str]) -> Figure:
    from matplotlib.figure import Figure

    if not nx.is_directed_acyclic_graph(graph):
        cycle = " -> ".join(str(a) for a, _ in nx.find_cycle(graph))
        raise InputError(f"the graph has a cycle ({cycle}); a causal graph has none")
    sizes = {name: _size(graph, name) for name in graph}
    layout = layered(
        graph, sizes, column_gap=0.75, row_gap=0.14, first=lambda name: ORDER.get(graph.nodes[name].get("plate"), 1)
    )
    legend = _legend(graph, marked)
    width = max(layout.width, sum(entry for _, _, entry in legend)) + 2 * MARGIN
    height = layout.height + 2 * MARGIN + 0.36
    figure = Figure(figsize=(width, height), facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.set_axis_off()
    left, top = (width - layout.width) / 2, MARGIN
    for edge, path in _paths(graph, layout).items():
        faint = _role(graph.nodes[edge[0]]) == "parameter"
        points = [(x + left, y + top) for x, y in path]
        _draw_edge(axes, points, doubtful=_doubtful(graph.edges[edge]), faint=faint)
    for name, data in graph.nodes(data=True):
        box = layout.boxes[name]
        _draw_node(axes, name, data, Box(box.x + left, box.y + top, box.width, box.height), name in marked)
    _draw_legend(axes, legend, MARGIN, height - 0.2)
    return figure


def _size(graph: nx.DiGraph, name: str) -> tuple[float, float]:
    """Width and height of a node in inches: its text, the room that an ellipse needs at its corners, and its arrows."""
    data = graph.nodes[name]
    if _role(data) == "parameter":
        return _text_width(name, SMALL) + 0.3, 0.25
    return max(_text_width(name, NAME), _text_width(_caption(data), CAPTION)) * 1.2 + 0.32, max(
        0.5, 0.06 * graph.in_degree(name)
    )


def _text_width(text: str, points: float) -> float:
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextToPath

    wide, _, _ = TextToPath().get_text_width_height_descent(_shown(text), FontProperties(size=points), ismath=False)
    return float(wide) / 72


def _paths(graph: nx.DiGraph, layout: Layout) -> dict[Edge, list[Point]]:
    """The points of each edge, from the right side of its cause over its slots to the left side of its effect."""
    starts = _ports(graph, layout, side=+1)
    ends = _ports(graph, layout, side=-1)
    return {edge: [starts[edge], *layout.routes[edge], ends[edge]] for edge in layout.routes}


def _ports(graph: nx.DiGraph, layout: Layout, *, side: int) -> dict[Edge, Point]:
    """Where each edge touches a node: spread over its left (-1) or right (+1) side in the order of the other ends."""
    ports: dict[Edge, Point] = {}
    for name in graph:
        box = layout.boxes[name]
        edges = list(graph.out_edges(name) if side > 0 else graph.in_edges(name))

        def other_end(edge: Edge) -> float:
            route = layout.routes[edge]
            if route:
                return route[0][1] if side > 0 else route[-1][1]
            return layout.boxes[edge[1] if side > 0 else edge[0]].y

        edges.sort(key=other_end)
        reach = min(0.38, 0.09 * (len(edges) - 1))
        for i, edge in enumerate(edges):
            share = 0.0 if len(edges) == 1 else reach * (2 * i / (len(edges) - 1) - 1)
            ports[edge] = (box.x + side * box.width / 2 * math.sqrt(1 - (2 * share) ** 2), box.y + share * box.height)
    return ports


def _draw_edge(axes: Any, points: list[Point], *, doubtful: bool, faint: bool) -> None:
    """A curve that leaves and arrives level, so that between two columns it never turns back into a node."""
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path as Curve

    vertices, codes = [points[0]], [Curve.MOVETO]
    for (x0, y0), (x1, y1) in pairwise(points):
        bend = 0.5 * (x1 - x0)
        vertices += [(x0 + bend, y0), (x1 - bend, y1), (x1, y1)]
        codes += [Curve.CURVE4] * 3
    arrow = FancyArrowPatch(
        path=Curve(vertices, codes),
        arrowstyle="-|>,head_length=4.5,head_width=2",
        linewidth=0.6 if faint else 0.9,
        linestyle="dashed" if doubtful else "solid",
        color=FAINT if faint else EDGE,
        zorder=1,
    )
    axes.add_patch(arrow)


def _draw_node(axes: Any, name: str, data: dict[str, Any], box: Box, marked: bool) -> None:
    from matplotlib.patches import Ellipse

    line, fill = COLOURS.get(_role(data), COLOURS["other"])
    small = _role(data) == "parameter"
    shape = Ellipse(
        (box.x, box.y),
        box.width,
        box.height,
        facecolor="white" if data.get("latent") else fill,
        edgecolor=HIGHLIGHT if marked else line,
        linewidth=2.6 if marked else 0.8 if small else 1.3,
        linestyle=(0, (4, 2.5)) if data.get("latent") else "solid",
        zorder=2,
    )
    axes.add_patch(shape)
    caption = "" if small else _caption(data)
    _write(
        axes,
        box.x,
        box.y - (0.06 if caption else 0.0),
        name,
        SMALL if small else NAME,
        "#333333" if small else "#111111",
    )
    if caption:
        _write(axes, box.x, box.y + 0.11, caption, CAPTION, "#666666")


def _write(axes: Any, x: float, y: float, text: str, points: float, colour: str, align: str = "center") -> None:
    # A name is a name: "$" in it must not start a formula.
    axes.text(
        x, y, _shown(text), fontsize=points, color=colour, ha=align, va="center_baseline", parse_math=False, zorder=3
    )


def _legend(graph: nx.DiGraph, marked: set[str]) -> list[tuple[str, dict[str, Any], float]]:
    """What needs explaining here: text, the look of its sign (none: a dashed line), the width that it takes."""
    roles = {_role(data) for _, data in graph.nodes(data=True)}
    signs: list[tuple[str, dict[str, Any]]] = []
    for role in ("exposure", "outcome", "context", "other"):
        if role in roles:
            signs.append((role, {"edgecolor": COLOURS[role][0], "facecolor": COLOURS[role][1], "linewidth": 1.0}))
    if any(data.get("latent") for _, data in graph.nodes(data=True)):
        dashes = (0, (3, 1.5))
        signs.append(("dashed: not in the log", {"edgecolor": "#555555", "facecolor": "white", "linestyle": dashes}))
    if marked:
        signs.append(("adjusted for", {"edgecolor": HIGHLIGHT, "facecolor": "white", "linewidth": 2.2}))
    if any(_doubtful(data) for _, _, data in graph.edges(data=True)):
        signs.append(("dashed arrow: seen by one method", {}))
    return [(text, sign, 0.42 + _text_width(text, CAPTION + 0.5)) for text, sign in signs]


def _draw_legend(axes: Any, legend: list[tuple[str, dict[str, Any], float]], x: float, y: float) -> None:
    from matplotlib.patches import Ellipse

    for text, sign, wide in legend:
        if sign:
            axes.add_patch(Ellipse((x + 0.1, y), 0.2, 0.12, **sign))
        else:
            axes.plot([x, x + 0.2], [y, y], color=EDGE, linewidth=0.9, linestyle="dashed")
        _write(axes, x + 0.26, y, text, CAPTION + 0.5, "#555555", align="left")
        x += wide


def _marked(graph: nx.DiGraph, highlight: Iterable[str]) -> set[str]:
    marked = set(highlight)
    for name in sorted(marked):
        if name not in graph:
            raise unknown_name("node", name, graph, "Only nodes of the graph can be highlighted.")
    return marked


def _role(data: dict[str, Any]) -> str:
    return str(data.get("role") or "other")


def _caption(data: dict[str, Any]) -> str:
    return PLATES.get(data.get("plate") or "", "")


def _doubtful(data: dict[str, Any]) -> bool:
    return data.get("seen_by", "both") != "both"


def _shown(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _quoted(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") + '"'
