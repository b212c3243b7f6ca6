"""The pages of the zoo made anew where they hold what was computed: graphs, recovery figures, identification.

    python -m bench.zoo_pages [NAME ...] [--graphs-only]

For each model it draws ``docs/zoo/NAME-graph.svg`` from the program and ``docs/zoo/NAME-recovery.svg`` from the world
and the fit that the tests of the zoo use, and writes what stands between the marks ``<!-- graph -->``,
``<!-- recovery -->`` and ``<!-- identification -->`` of ``docs/zoo/NAME.md``. All else of a page is written by people,
and ``<!-- coverage -->`` by whoever measured it. Takes some seconds a model.
"""

from __future__ import annotations

import argparse
import importlib
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np

import counterlog as cl
from counterlog.inference import Fit
from counterlog.model.draw import to_svg
from counterlog.model.known_world import KnownWorld
from counterlog.query import Effect
from counterlog.testing import SCMChecks

ROOT = Path(__file__).resolve().parents[1]
PAGES = ROOT / "docs" / "zoo"
TRUTH, NAIVE, CORRECTED = "#333333", "#c0392b", "#1f77b4"


@dataclass(frozen=True, eq=False)
class Recovery:
    """What a model's test finds in its known world: the answer, the truth, and by item truth, estimate and naive."""

    world: KnownWorld
    fit: Fit
    answer: Effect
    truth: float
    items: Any

    @property
    def sentence(self) -> str:
        """The figures in words."""
        scm, items, low, high = self.world.scm, self.items, *self.answer.interval
        naive = float(self.answer.naive or 0.0)
        error = [np.abs(items[name] - items["truth"]).mean() for name in ("naive", "corrected")]
        view = self.world.view
        size = f"{view.n_users} users, {view.n_items} items, {len(view.rows):,} opportunities, {self.fit.steps} steps"
        return (
            f"{size}: mean `{scm.outcome}` under do({scm.exposure}=1) is **{self.truth:.3g}**; the log read as it is "
            f"says {naive:.3g}, the fit {self.answer.estimate:.3g} (90% interval {low:.3g} to {high:.3g}). Over single "
            f"items the mean error falls from {error[0]:.2g} to {error[1]:.2g}."
        )


def checks_of(name: str) -> type[SCMChecks]:
    """The class of public checks of a model, from the tests of the zoo."""
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    for file in sorted((ROOT / "tests" / "zoo").glob("test_zoo*.py")):
        module = importlib.import_module(f"tests.zoo.{file.stem}")
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, SCMChecks) and value is not SCMChecks:
                if value.scm.name == name:
                    return value
    raise SystemExit(f"no class of tests/zoo/test_zoo*.py checks {name!r}")


def recovery(name: str) -> Recovery:
    """Draw and fit the world of a model's test, and ask for everything exposed."""
    import pandas as pd

    made = checks_of(name)._made
    world, fit = made.world, made.fit
    scm, do = world.scm, cl.fix(**{world.scm.exposure: 1})
    answer = cl.effect(fit, scm.outcome, do, by="item")
    mean = world.run(do).mean(scm.outcome, world.levels).expand(len(world.view.rows)).double().numpy()
    item = world.view.rows.item.numpy()
    count = np.bincount(item, minlength=world.view.n_items)
    truth = np.bincount(item, weights=mean, minlength=world.view.n_items) / np.maximum(count, 1)
    rows = [
        {"truth": truth[int(g["group"][1:])], "corrected": g["estimate"], "naive": g["naive"]} for g in answer.groups
    ]
    items = pd.DataFrame(rows).dropna().astype(float)
    return Recovery(world, fit, answer, world.mean(scm.outcome, do), items)


def figure(found: Recovery) -> str:
    """The answer beside truth and naive, and each item's, as SVG."""
    import altair as alt
    import pandas as pd
    import vl_convert as vlc

    on, (low, high) = found.world.scm.outcome, found.answer.interval
    whole = pd.DataFrame(
        [
            {"what": "truth", "value": found.truth, "low": found.truth, "high": found.truth},
            {"what": "corrected", "value": found.answer.estimate, "low": low, "high": high},
            {"what": "naive", "value": found.answer.naive, "low": found.answer.naive, "high": found.answer.naive},
        ]
    )
    colour = alt.Color(
        "what:N",
        scale=alt.Scale(domain=["truth", "corrected", "naive"], range=[TRUTH, CORRECTED, NAIVE]),
        legend=None,
    )
    base = alt.Chart(whole).encode(
        x=alt.X("what:N", sort=["truth", "corrected", "naive"], title=None, axis=alt.Axis(labelAngle=0)), color=colour
    )
    title = f"mean {on}, all exposed"
    bars = base.mark_rule(strokeWidth=2).encode(y=alt.Y("low:Q", title=title, scale=alt.Scale(zero=False)), y2="high:Q")
    dots = base.mark_point(filled=True, size=70, opacity=1).encode(y="value:Q")
    long = found.items.melt("truth", var_name="what", value_name="value")
    ends = [float(long[["truth", "value"]].min().min()), float(long[["truth", "value"]].max().max())]
    scale = alt.Scale(domain=ends, zero=False, nice=False)
    points = (
        alt.Chart(long)
        .mark_circle(size=28, opacity=0.6)
        .encode(
            x=alt.X("truth:Q", title="true mean of each item", scale=scale),
            y=alt.Y("value:Q", title="corrected (blue), naive (red)", scale=scale),
            color=colour,
        )
    )
    diagonal = alt.Chart(pd.DataFrame({"truth": ends})).mark_line(color="grey", strokeDash=[4, 3])
    line = diagonal.encode(x="truth:Q", y="truth:Q")
    chart = (bars + dots).properties(width=220, height=260) | (line + points).properties(width=260, height=260)
    return str(vlc.vegalite_to_svg(chart.to_json()))


def plain_graph(name: str) -> nx.DiGraph:
    """A model's graph without its parameters, which are causes of nearly everything."""
    whole = cl.zoo.load(name).graph()
    graph = nx.DiGraph(**whole.graph)
    graph.add_nodes_from((node, data) for node, data in whole.nodes(data=True) if data["plate"] is not None)
    graph.add_edges_from((a, b, data) for a, b, data in whole.edges(data=True) if a in graph and b in graph)
    return graph


def arrows(graph: nx.DiGraph) -> str:
    """The edges in words, the causes of one site in a line."""
    lines = []
    for site in graph:
        causes = sorted(graph.predecessors(site))
        if causes:
            lines.append(f"- {', '.join(f'`{cause}`' for cause in causes)} ─► `{site}`")
    return "\n".join(lines)


def identification(name: str) -> str:
    """What `identify` says of the effect of exposure on the outcome, as Markdown."""
    scm = cl.zoo.load(name)
    said = cl.identify(scm, effect_of=scm.exposure, on=scm.outcome).to_json()
    what = f"The effect of `{scm.exposure}` on `{scm.outcome}`"
    if said["identified"]:
        return f"{what} is identified ({said['criterion']}): {said['estimand']}. It rests on {said['rests_on']}."
    would = "; or ".join(said["would_need"])
    return (
        f"{what} is not identified by the graph alone: {said['because']}. It would take {would}. Until then an answer "
        f"rests on {said['rests_on']}."
    )


def between(text: str, mark: str, inside: str) -> str:
    """The text with what stands between ``<!-- mark -->`` and ``<!-- /mark -->`` put in place."""
    pattern = re.compile(rf"(<!-- {mark} -->\n).*?(<!-- /{mark} -->)", re.DOTALL)
    if not pattern.search(text):
        raise SystemExit(f"the page has no marks <!-- {mark} --> and <!-- /{mark} -->")
    return pattern.sub(lambda found: f"{found[1]}{inside}\n{found[2]}", text)


def make(name: str, graphs_only: bool = False) -> None:
    """Draw a model's pictures and write its page's computed parts."""
    file, graph = PAGES / f"{name}.md", plain_graph(name)
    if not file.exists():
        raise SystemExit(f"{file} does not exist; write the page first, on the template of the others")
    (PAGES / f"{name}-graph.svg").write_text(to_svg(graph), "utf-8")
    picture = f"![The causal graph of {name}, without its parameters]({name}-graph.svg)"
    text = between(file.read_text("utf-8"), "graph", f"{picture}\n\n{arrows(graph)}")
    text = between(text, "identification", identification(name))
    if not graphs_only:
        found = recovery(name)
        (PAGES / f"{name}-recovery.svg").write_text(figure(found), "utf-8")
        picture = f"![Truth, corrected and naive answers of {name}]({name}-recovery.svg)"
        text = between(text, "recovery", f"{picture}\n\n{found.sentence}")
        print(f"{name}: {found.sentence}", flush=True)
    file.write_text(text, "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="models; all if none is given")
    parser.add_argument("--graphs-only", action="store_true", help="leave the recovery figures as they are: no fit")
    args = parser.parse_args()
    for name in args.names or cl.zoo.names():
        make(name, args.graphs_only)


if __name__ == "__main__":
    main()
