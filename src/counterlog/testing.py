"""Checks that any SCM must pass: for the zoo and for your own models.

In a test file of yours::

    from counterlog.testing import SCMChecks
    from my_models import my_scm

    class TestMine(SCMChecks):
        scm = my_scm

or, without pytest, ``check_scm(my_scm)``, which raises with every failure at once.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import networkx as nx
import numpy as np
import torch

from counterlog import rng as _rng
from counterlog.errors import CounterlogError, ModelError
from counterlog.inference import Fit, fit, load_fit
from counterlog.inference.blocks import block
from counterlog.inference.blocks import plan as plan_blocks
from counterlog.inference.cells import bind
from counterlog.inference.elbo import leaves_of, negative_elbo
from counterlog.inference.tables import layout, start_tables
from counterlog.model.graph import graph as read_graph
from counterlog.model.interventions import Intervention, fix
from counterlog.model.known_world import KnownWorld, known_world
from counterlog.model.view import tiny_view
from counterlog.model.worlds import run
from counterlog.query.effect import effect

if TYPE_CHECKING:
    from counterlog.model import SCM


@dataclass(frozen=True)
class Sizes:
    """How large the worlds are that a model is checked in, and how long it is fitted."""

    n_users: int = 300
    n_items: int = 150
    n_features: int = 0
    steps: int = 800
    per_user: int | None = None


def documented_edges(text: str, sites: set[str]) -> set[tuple[str, str]]:
    """Edges of the arrows in a program's docstring: ``a, b -> c <- d x e; c -> f``. Words that are no site are left
    out.
    """
    edges: set[tuple[str, str]] = set()
    first = " ".join(text.strip().split("\n\n")[0].split())
    for statement in re.split(r";|\.(?:\s|$)", first):
        parts = re.split(r"(->|<-|─►|◄─)", statement)
        groups = [{w for w in re.findall(r"\w+", part) if w in sites} for part in parts[::2]]
        for arrow, left, right in zip(parts[1::2], groups[:-1], groups[1:], strict=True):
            causes, effects = (left, right) if arrow in ("->", "─►") else (right, left)
            edges |= {(a, b) for a in causes for b in effects if a != b}
    return edges


def check_documented_graph(scm: SCM) -> None:
    """The graph read from the program is the one its docstring draws (parameters aside), and both ways of reading it
    agree.
    """
    found = read_graph(scm)
    plain = {n for n, data in found.nodes(data=True) if data["plate"] is not None}
    read = {(a, b) for a, b in found.edges if a in plain and b in plain}
    drawn = documented_edges(scm.doc, plain)
    _require(
        read == drawn,
        f"the docstring and the program disagree: only in the docstring {sorted(drawn - read)}, "
        f"only in the program {sorted(read - drawn)}",
    )


def check_prior_simulation(scm: SCM, rng: int = 0) -> None:
    """Runs on views of other sizes, with and without features, and draws finite values inside each site's support."""
    for n_users, n_items, n_features in ((1, 1, 0), (3, 5, 2), (7, 2, 1)):
        with _rng.seeded(rng, "prior simulation", n_users):
            view = tiny_view(n_users, n_items, n_features=n_features)
            world = run(scm, view, {}, Intervention())
        for name, value in world.values.items():
            _require(bool(torch.isfinite(value.float()).all()), f"site {name!r} draws values that are not finite")
            _require(
                bool(world.fns[name].support.check(value).all()), f"site {name!r} draws values outside its support"
            )
        for role in (scm.exposure, scm.outcome):
            _require(
                len(world.values[role]) == n_users * n_items, f"site {role!r} does not have one value an opportunity"
            )


def check_nothing_happens(world: KnownWorld) -> None:
    """Setting the exposure to what it was anyway changes no value and no distribution: what is downstream is drawn from
    the same stream.
    """
    scm = world.scm
    below = nx.descendants(scm.graph(), scm.exposure)
    held = {name: value for name, value in world.values.items() if name not in below}
    done = Intervention(fixed={scm.exposure: world.values[scm.exposure]})
    with _rng.seeded(world.seed, "nothing happens"):
        natural = run(scm, world.view, held, Intervention())
    with _rng.seeded(world.seed, "nothing happens"):
        again = run(scm, world.view, held, done)
    for name in set(world.values) - {scm.exposure}:
        _require(
            torch.equal(natural.values[name], again.values[name]), f"doing what happened changes the values of {name!r}"
        )
        before, after = (w.fns[name].log_prob(w.values[name]) for w in (natural, again))
        _require(torch.equal(before, after), f"doing what happened changes the distribution of {name!r}")


def check_blocks_agree(world: KnownWorld) -> None:
    """The loss of the whole log is the sum of the losses of its blocks."""
    cells = bind(world.scm, world.log)
    place, unexposed = torch.device("cpu"), "all" if cells.treatment.implied else None
    size = cells.n_users * cells.n_items if unexposed else cells.n
    places, start = layout(world.scm, cells)
    tables = start_tables(places, start, cells.n_users, cells.n_items, 0, place, -2.0)
    totals = []
    for batch in (10 * size, max(1, size // 5)):
        plan = plan_blocks(cells, batch, unexposed, place)
        total = 0.0
        for index in range(len(plan)):
            part = block(plan, index, 0, 0, {})
            leaves = leaves_of(tables, part)
            noise = {name: torch.zeros_like(leaf[0]) for name, leaf in leaves.items()}
            with torch.no_grad():
                total += float(negative_elbo(world.scm, part, places, cells.treatment, leaves, noise).total)
        totals.append(total)
    _require(
        abs(totals[0] - totals[1]) <= 1e-4 * abs(totals[0]),
        f"the loss of one block is {totals[0]:.6g}, of several {totals[1]:.6g}",
    )


def check_recovery(world: KnownWorld, fitted: Fit) -> dict[str, float]:
    """The corrected mean under do(exposure=1) is nearer to the truth than the naive one, which errs in the predicted
    direction.

    Returns truth, estimate, naive and the interval's ends.
    """
    scm = world.scm
    answer = effect(fitted, scm.outcome, fix(**{scm.exposure: 1}), draws=100)
    truth = world.mean(scm.outcome, fix(**{scm.exposure: 1}))
    figures = {"truth": truth, "estimate": answer.estimate, "low": answer.interval[0], "high": answer.interval[1]}
    _require(answer.naive is not None, "there is no naive answer to compare with")
    naive = float(answer.naive)  # type: ignore[arg-type]
    if scm.naive_bias:
        _require(
            np.sign(naive - truth) == scm.naive_bias,
            f"the naive answer {naive:.4g} should be too "
            f"{'high' if scm.naive_bias > 0 else 'low'}; the truth is {truth:.4g}",
        )
    _require(
        abs(answer.estimate - truth) < 0.5 * abs(naive - truth),
        f"the estimate {answer.estimate:.4g} is not twice as near to the truth {truth:.4g} as the naive answer "
        f"{naive:.4g}",
    )
    return figures | {"naive": naive}


def check_save_and_load(scm: SCM, fitted: Fit, folder: Path) -> None:
    """A saved fit opens as what it was, and gives the same answers."""
    fitted.save(folder / "fit")
    opened = load_fit(folder / "fit", scm)
    _require(opened.hash == fitted.hash, "the opened fit has another hash")
    do = fix(**{scm.exposure: 1})
    first, second = (effect(f, scm.outcome, do, draws=10).estimate for f in (fitted, opened))
    _require(first == second, f"the opened fit answers {second}, the fit itself {first}")


def at_truth(fitted: Fit, world: KnownWorld) -> Fit:
    """The fit with its posterior moved to a known world's latents and made a point: what is left is noise.

    For tests of answers that should be exact when the latents are known; the log must be the world's.
    """
    loc = {name: table.clone() for name, table in fitted.loc.items()}
    number = lambda known: torch.tensor([int(label[1:]) for label in known.labels])  # noqa: E731
    order = {"users": number(fitted.log.users), "items": number(fitted.log.items)}  # a vocabulary has its own order
    for site in fitted.layout.sites:
        value = site.transform.inv(world.latents[site.name].float())
        value = value[order[site.table]] if site.table in order else value
        loc[site.table][:, site.start : site.stop] = value.reshape(len(loc[site.table]), -1)
    narrow = {name: torch.full_like(scale, -30.0) for name, scale in fitted.log_scale.items()}
    return replace(fitted, loc=loc, log_scale=narrow, arrow=None, chains=None)


class SCMChecks:
    """A class of tests for pytest: subclass it, set ``scm``, and every check is a test. ``sizes`` says how large the
    worlds are.
    """

    scm: ClassVar[SCM]
    sizes: ClassVar[Sizes] = Sizes()
    __test__ = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.__test__ = True  # this class itself has no model and is not collected
        cls._made = _Made(cls.scm, cls.sizes)

    _made: ClassVar[_Made]

    def test_graph_as_documented(self) -> None:
        """See `check_documented_graph`."""
        check_documented_graph(self.scm)

    def test_prior_simulation(self) -> None:
        """See `check_prior_simulation`."""
        check_prior_simulation(self.scm)

    def test_doing_what_happened_changes_nothing(self) -> None:
        """See `check_nothing_happens`."""
        check_nothing_happens(self._made.world)

    def test_blocks_agree_with_the_whole(self) -> None:
        """See `check_blocks_agree`."""
        check_blocks_agree(self._made.world)

    def test_recovers_its_truth(self) -> None:
        """See `check_recovery`."""
        check_recovery(self._made.world, self._made.fit)

    def test_save_and_load(self, tmp_path: Path) -> None:
        """See `check_save_and_load`."""
        check_save_and_load(self.scm, self._made.fit, tmp_path)


class _Made:
    """The world and the fit that several checks of one model share, made when first needed."""

    def __init__(self, scm: SCM, sizes: Sizes) -> None:
        self.scm, self.sizes = scm, sizes

    @cached_property
    def world(self) -> KnownWorld:
        s = self.sizes
        return known_world(self.scm, s.n_users, s.n_items, 0, n_features=s.n_features, per_user=s.per_user)

    @cached_property
    def fit(self) -> Fit:
        return fit(self.scm, self.world.log, steps=self.sizes.steps)


def check_scm(scm: SCM, sizes: Sizes = Sizes()) -> dict[str, str]:
    """Put a model through every check and give, by check, ``ok`` or nothing at all: it raises if one fails.

    Raises
    ------
    ModelError
        Naming every check that failed, with its reason.
    """
    made = _Made(scm, sizes)
    with tempfile.TemporaryDirectory() as folder:
        checks: dict[str, Callable[[], object]] = {
            "roles": scm.validate,
            "graph as documented": lambda: check_documented_graph(scm),
            "prior simulation": lambda: check_prior_simulation(scm),
            "doing what happened changes nothing": lambda: check_nothing_happens(made.world),
            "blocks agree with the whole": lambda: check_blocks_agree(made.world),
            "recovers its truth": lambda: check_recovery(made.world, made.fit),
            "save and load": lambda: check_save_and_load(scm, made.fit, Path(folder)),
        }
        failed = {}
        for name, check in checks.items():
            try:
                check()
            except (CounterlogError, AssertionError) as error:
                failed[name] = str(error)
                if name == "roles":
                    break
    if failed:
        raise ModelError(
            f"{scm.name} fails {len(failed)} of {len(checks)} checks:\n"
            + "\n".join(f"- {k}: {v}" for k, v in failed.items())
        )
    return dict.fromkeys(checks, "ok")


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise AssertionError(otherwise)
