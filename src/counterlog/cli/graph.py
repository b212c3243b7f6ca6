"""``counterlog graph``: the causal graph of a program."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from counterlog.cli.output import Force, Json, guard_output, parse_set, print_json, say


def command(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="file.py, file.py:name, or a name from `models list`.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Draw it into this file: .svg, .png, .dot or .json.")
    ] = None,
    params: Annotated[
        bool, typer.Option("--params", help="Draw the global parameters too (.dot and .json always have them).")
    ] = False,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="K=V", help="A parameter of the program; may be repeated.")
    ] = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """The causal graph, read from the program by changing one site and seeing whose distribution moves.

    It runs the model file, which is your code. Nothing is drawn where a role names no site.

    Example:

        counterlog graph self_selection --out graph.svg
        counterlog graph mine.py:program --json
    """
    from counterlog.model import load_model
    from counterlog.model.draw import MADE_BY, graph_format, to_json, without_parameters, write_graph

    kind = graph_format(out) if out else None
    if out:
        guard_output(out, force=force, marker=MADE_BY)
    scm = load_model(model).with_parameters(**parse_set(settings or []))
    graph = scm.graph()
    drawn = without_parameters(graph) if kind in ("svg", "png") and not params else graph
    if out:
        write_graph(drawn, out)
    for text in graph.graph.get("disagreements", []):
        say(f"warning: {text}")
    if json:
        print_json({"model": scm.name, **to_json(graph), "file": out})
        return
    hidden = without_parameters(graph)
    for start, end in (graph if params else hidden).edges:
        print(f"{start} -> {end}")
    left_out = len(graph) - len(hidden)
    if left_out and not params:
        say(f"{left_out} global parameters are left out; --params shows them")
    if out:
        say(f"wrote {out}")
