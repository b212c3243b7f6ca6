"""The causal graph of a program, read from the program."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import networkx as nx
import pyro
import pyro.poutine as poutine
import torch
from pyro.infer.inspect import get_model_relations
from pyro.poutine.messenger import Messenger
from torch import Tensor

from counterlog import rng as _rng
from counterlog.model.view import tiny_view

if TYPE_CHECKING:
    from counterlog.model.program import SCM
    from counterlog.model.view import View

#: Redraws of each site: few where provenance sees the same edges, else many. A dependence to which provenance is blind
#: and that shows in a share s of the prior's redraws is missed with probability (1 - s) to the power of the number.
FEW, MANY = 3, 8


def graph(scm: SCM, view: View | None = None) -> nx.DiGraph:
    """Direct effects between the sites of a program: an edge where changing one site moves another's distribution.

    On a tiny view every site is held fixed, one is redrawn from its own prior, and the sites whose log-probability of
    the same value changes are its children. This survives in-place writes, ``.item()``, NumPy and python ``if``, to
    which provenance is blind without an error. The result is joined with Pyro's provenance
    (`pyro.infer.inspect.get_model_relations`); edges that only one of the two sees are kept and listed in
    ``graph.graph["disagreements"]``.

    Returns
    -------
    networkx.DiGraph
        Nodes with ``role`` (exposure, outcome, latent, parameter, context), ``latent``, ``plate`` and ``discrete``;
        edges with ``seen_by`` (``both``, ``change`` or ``provenance``).

    Raises
    ------
    UnknownNameError, ModelError
        As `SCM.validate`.
    """
    sites = scm.validate()
    with _rng.seeded(0, "graph", scm.name):
        view = tiny_view() if view is None else view
        traced = _edges_by_provenance(scm, view)
        changed = _edges_by_change(scm, view, FEW)
        if changed != traced:
            changed |= _edges_by_change(scm, view, MANY - FEW)
    result = nx.DiGraph(name=scm.name, disagreements=[])
    for name, site in sites.items():
        role = _role(scm, name, site.plate)
        hidden = role in ("latent", "parameter") or name in scm.latent
        result.add_node(name, role=role, latent=hidden, plate=site.plate, discrete=site.discrete)
    if traced is None:
        result.graph["disagreements"].append(
            "Pyro's provenance could not run this program; the edges are those seen by changing sites"
        )
    for edge in sorted(changed | (traced or set()), key=lambda e: [list(sites).index(n) for n in e]):
        seen_by = (
            "both"
            if traced is None or (edge in changed and edge in traced)
            else "change"
            if edge in changed
            else "provenance"
        )
        result.add_edge(*edge, seen_by=seen_by)
        if seen_by != "both":
            result.graph["disagreements"].append(f"{edge[0]} -> {edge[1]} is seen by {_EXPLAIN[seen_by]}")
    return result


_EXPLAIN = {
    "change": "changing the site, not by Pyro's provenance (blind to in-place writes, .item(), NumPy and python if)",
    "provenance": "Pyro's provenance, not by changing the site (the dependence has no effect on the draws tried)",
}


def _role(scm: SCM, name: str, plate: str | None) -> str:
    if name == scm.exposure:
        return "exposure"
    if name == scm.outcome:
        return "outcome"
    if name in scm.latent or plate in ("users", "items"):
        return "latent"
    return "parameter" if plate is None else "context"


def _edges_by_change(scm: SCM, view: View, changes: int) -> set[tuple[str, str]]:
    base = {n: s for n, s in poutine.trace(scm.__call__).get_trace(view).nodes.items() if _is_site(s)}
    values = {n: s["value"] for n, s in base.items()}
    before = _scores(scm, view, values, values)
    edges: set[tuple[str, str]] = set()
    for parent in values:
        for redrawn in _redraws(base[parent]["fn"], values[parent].shape, changes):
            after = _scores(scm, view, {**values, parent: redrawn}, values)
            edges.update(
                (parent, child) for child in values if child != parent and _moved(before.get(child), after.get(child))
            )
    return edges


def _redraws(fn: Any, shape: torch.Size, changes: int) -> Iterator[Tensor]:
    """Draws of a site's prior, and for a site whose values can be listed two draws of all values alike: the prior may
    hardly show some.
    """
    for _ in range(changes):
        yield fn.sample().reshape(shape)
    if getattr(fn, "has_enumerate_support", False) and not fn.event_shape:
        try:
            values = fn.enumerate_support(expand=False).reshape(-1)
        except NotImplementedError:  # levels that differ from row to row
            return
        for _ in range(2):
            yield values[torch.randint(len(values), shape)]


def _moved(before: Tensor | None, after: Tensor | None) -> bool:
    """Whether a site's scores differ; a site that came, went or changed its shape depends on what was changed."""
    if before is None or after is None or before.shape != after.shape:
        return True
    return not torch.equal(torch.nan_to_num(before), torch.nan_to_num(after))


def _scores(scm: SCM, view: View, held: dict[str, Tensor], scored: dict[str, Tensor]) -> dict[str, Tensor]:
    """log_prob of the values ``scored`` at each site when every site is held at ``held``."""
    with torch.no_grad(), pyro.validation_enabled(False), _Hold(held) as hold:
        scm(view)
    found = {}
    for name, fn in hold.fns.items():
        value = scored.get(name)
        fits = value is not None and value.shape == hold.shapes[name]
        found[name] = fn.log_prob(value) if fits else torch.zeros(0)
    return found


class _Hold(Messenger):
    """Hold every site at a value and keep its distribution: what a conditioned trace does, at a third of its cost."""

    def __init__(self, held: dict[str, Tensor]) -> None:
        super().__init__()
        self.held = held
        self.fns: dict[str, Any] = {}
        self.shapes: dict[str, torch.Size] = {}

    def _pyro_sample(self, msg: dict[str, Any]) -> None:
        if type(msg["fn"]).__name__ == "_Subsample":
            return
        if msg["name"] in self.held:
            msg["value"] = self.held[msg["name"]]
        self.fns[msg["name"]] = msg["fn"]
        self.shapes[msg["name"]] = torch.Size((*msg["fn"].batch_shape, *msg["fn"].event_shape))


def _edges_by_provenance(scm: SCM, view: View) -> set[tuple[str, str]] | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            relations: dict[str, Any] = get_model_relations(scm.__call__, (view,))
    except Exception:  # a program that runs but that provenance tensors cannot follow: reported as a disagreement
        return None
    return {
        (parent, child)
        for child, parents in relations["sample_sample"].items()
        for parent in parents
        if parent != child
    }


def _is_site(node: dict[str, Any]) -> bool:
    return node["type"] == "sample" and type(node["fn"]).__name__ != "_Subsample"
