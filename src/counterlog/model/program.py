"""`@scm`: a plain Pyro program with the roles of its sites declared."""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyro
import pyro.poutine as poutine
from pyro.poutine.runtime import NonlocalExit

from counterlog import rng as _rng
from counterlog.errors import CounterlogError, ModelError, unknown_name
from counterlog.model.view import PLATES, View, tiny_view

if TYPE_CHECKING:
    import networkx as nx

    from counterlog.model.known_world import KnownWorld

Program = Callable[..., Any]


@dataclass(frozen=True)
class Site:
    """One sample site of a program: its plate (users, items, opportunities, or None for a global) and its shapes on a
    tiny view.
    """

    name: str
    plate: str | None
    event_shape: tuple[int, ...]
    discrete: bool


@dataclass(frozen=True, eq=False)
class SCM:
    """A structural causal model: a Pyro program without ``obs=``, and which of its sites play which role.

    Parameters
    ----------
    program
        ``program(view, **parameters)``.
    exposure, outcome
        Names of the sites that play these roles.
    latent
        Sites that no log shows. Sites outside every plate are parameters and need not be named. A latent exposure is
        summed out.
    truth
        Global sites' values of the known world on which the program is tested; may be empty.
    naive_bias
        Predicted direction of the naive answer in that world: +1 too high, -1 too low, 0 not stated.
    parameters
        Keyword arguments of the program and their values, such as ``dim``.
    declared
        ``file.py:name`` where a file declares the roles of a program that another file defines; None elsewhere.
    together
        Name of the context column whose rows of one value, such as those of a slate, depend on each other; they are
        never cut apart. None where opportunities are independent given the latents.
    """

    program: Program
    exposure: str
    outcome: str
    latent: tuple[str, ...] = ()
    truth: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    naive_bias: int = 0
    parameters: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    declared: str | None = None
    together: str | None = None

    def __call__(self, view: View) -> Any:
        """Run the program; it is an ordinary Pyro model, so Pyro's handlers apply.

        Raises
        ------
        ModelError
            The program raises; the message has the line of its own file.
        """
        try:
            return self.program(view, **self.parameters)
        except (CounterlogError, NonlocalExit, MemoryError):
            raise
        except Exception as error:
            # Further lines are values, or Pyro's table of every site.
            said = (str(error).splitlines() or [""])[0].rstrip(" :")
            raise ModelError(f"{self.name} raises {type(error).__name__}{_where(error, self)}: {said}") from error

    @property
    def name(self) -> str:
        """The program's function name."""
        return self.program.__name__

    @property
    def doc(self) -> str:
        """The program's docstring."""
        return inspect.getdoc(self.program) or ""

    @property
    def roles(self) -> dict[str, Any]:
        """The declared roles as data: exposure, outcome, latent, and what stays together if anything does."""
        kept = {} if self.together is None else {"together": self.together}
        return {"exposure": self.exposure, "outcome": self.outcome, "latent": list(self.latent), **kept}

    @property
    def file(self) -> Path | None:
        """The file that defines the program, or None if it was typed into a session."""
        path = self.program.__code__.co_filename
        return Path(path).resolve() if Path(path).is_file() else None

    @cached_property
    def source(self) -> str:
        """The source of the whole file (helpers count), else of the function, else its byte code."""
        if self.file is not None:
            return self.file.read_text(encoding="utf-8")
        try:
            return inspect.getsource(self.program)
        except (OSError, TypeError):
            code = self.program.__code__
            return f"{code.co_name}{code.co_consts!r}{code.co_names!r}{code.co_code.hex()}"

    @cached_property
    def source_hash(self) -> str:
        """SHA-256 of `source`."""
        return hashlib.sha256(self.source.encode()).hexdigest()

    def with_parameters(self, **values: Any) -> SCM:
        """The same program with other keyword values.

        Raises
        ------
        UnknownNameError
            For a parameter that the program does not take.
        """
        for name in values:
            if name not in self.parameters:
                raise unknown_name("parameter", name, self.parameters, f"It is not an argument of {self.name}.")
        return dataclasses.replace(self, parameters={**self.parameters, **values})

    def sites(self, view: View | None = None) -> dict[str, Site]:
        """The sample sites by name, in the program's order, read by running it once on a tiny view."""
        return dict(self._sites) if view is None else self._read_sites(view)

    @cached_property
    def _sites(self) -> dict[str, Site]:
        return self._read_sites(None)

    def _read_sites(self, view: View | None) -> dict[str, Site]:
        with _rng.seeded(0, "sites", self.name):
            nodes = self.trace(tiny_view() if view is None else view)
        return {name: _site(name, node) for name, node in nodes.items()}

    def graph(self, view: View | None = None) -> nx.DiGraph:
        """The causal graph, read from the program: see `counterlog.model.graph.graph`."""
        from counterlog.model.graph import graph

        return self._graph if view is None else graph(self, view)

    @cached_property
    def _graph(self) -> nx.DiGraph:
        import networkx as nx

        from counterlog.model.graph import graph

        return nx.freeze(graph(self, None))

    def world(self, n_users: int = 300, n_items: int = 200, rng: int = 0, **options: Any) -> KnownWorld:
        """A known world of this program at its truth: see `counterlog.model.known_world.known_world`."""
        from counterlog.model.known_world import known_world

        return known_world(self, n_users, n_items, rng, **options)

    def validate(self) -> dict[str, Site]:
        """The sites, after checking that every role names one.

        Raises
        ------
        UnknownNameError
            For a role that names no site, with the nearest site.
        ModelError
            For a program that raises, or has two sites where one is needed.
        """
        sites = self.sites()
        roles = {
            "exposure": (self.exposure,),
            "outcome": (self.outcome,),
            "latent": self.latent,
            "truth": tuple(self.truth),
        }
        for role, names in roles.items():
            for name in names:
                if name not in sites:
                    cure = f"{self.name} declares {role}={name!r}, but no pyro.sample has that name."
                    raise unknown_name("site", name, sites, cure)
        if self.outcome in self.latent:
            raise ModelError(
                f"{self.name}: the outcome {self.outcome!r} is declared latent, but it is what a log shows"
            )
        if self.together in sites:
            raise ModelError(
                f"{self.name}: together={self.together!r} is a site; what stays together is a context column that the "
                f"program reads, o.context[{self.together!r}]"
            )
        if self.exposure == self.outcome:
            raise ModelError(
                f"{self.name}: exposure and outcome are the same site {self.exposure!r}; they need one each"
            )
        for role in ("exposure", "outcome"):
            site = sites[getattr(self, role)]
            if site.plate != "opportunities":
                where = f"the plate {site.plate!r}" if site.plate else "no plate"
                raise ModelError(
                    f"{self.name}: the {role} site {site.name!r} is in {where}; sample it inside `with "
                    "view.opportunities()`"
                )
        return sites

    def trace(self, view: View) -> dict[str, Any]:
        """The sample sites of one run as Pyro's trace has them, without plates. Draws from torch's current stream."""
        try:
            trace = poutine.trace(self.__call__).get_trace(view)
        except ModelError as error:
            raise ModelError(str(error).partition("Trace Shapes:")[0].strip()) from error.__cause__
        return {n: s for n, s in trace.nodes.items() if s["type"] == "sample" and not _is_plate(s)}

    def _repr_html_(self) -> str:
        from html import escape

        from counterlog.model.draw import to_svg

        return f"<figure><figcaption>{escape(self.name)}</figcaption>{to_svg(self.graph())}</figure>"


def scm(
    *,
    exposure: str,
    outcome: str,
    latent: tuple[str, ...] | list[str] = (),
    truth: Mapping[str, Any] | None = None,
    naive_bias: int = 0,
    together: str | None = None,
) -> Callable[[Program], SCM]:
    """Declare which sites of a Pyro program play which role.

    The program receives a `View` first and keyword parameters with defaults after it; it never sees an exposure or an
    outcome, and has no ``obs=``.

    >>> import pyro, pyro.distributions as dist
    >>> @scm(exposure="exposure", outcome="click")
    ... def coin(view, level=0.5):
    ...     with view.opportunities():
    ...         pyro.sample("exposure", dist.Bernoulli(level))
    ...         pyro.sample("click", dist.Bernoulli(0.1))
    >>> coin.parameters
    {'level': 0.5}

    Where the rows of one value of a context column depend on each other, as the rows of a slate that compete for a
    click, say so with ``together="slate"``: no part of a log that the program is run on will cut them apart.

    A program written elsewhere, without a thought of counterlog, becomes one by the declaration alone:
    ``scm(exposure="shown", outcome="click", latent=("taste",))(their.program)``.
    """
    if isinstance(latent, str):
        raise ModelError(f"latent={latent!r} is one text; write latent=({latent!r},)")

    def wrap(program: Program) -> SCM:
        signature = list(inspect.signature(program).parameters.values())
        if not signature:
            raise ModelError(f"{program.__name__} takes no argument; a program takes the view first")
        for parameter in signature[1:]:
            if parameter.default is inspect.Parameter.empty:
                raise ModelError(f"{program.__name__}: parameter {parameter.name!r} needs a default value")
        defaults = {p.name: p.default for p in signature[1:]}
        return SCM(
            program, exposure, outcome, tuple(latent), dict(truth or {}), naive_bias, defaults, together=together
        )

    return wrap


def _is_plate(node: Mapping[str, Any]) -> bool:
    return type(node["fn"]).__name__ == "_Subsample"


def _site(name: str, node: Mapping[str, Any]) -> Site:
    stack = [frame.name for frame in node["cond_indep_stack"]]
    inside = [plate for plate in stack if plate in PLATES]
    if len(inside) > 1:
        raise ModelError(f"site {name!r} is inside the plates {inside}; a site belongs to one of {PLATES} or to none")
    if inside and len(stack) > 1:
        own = [plate for plate in stack if plate not in PLATES]
        raise ModelError(
            f"site {name!r} is inside the plates {stack}; put the dimension of {own[0]!r} into the site: "
            ".expand([n]).to_event(1)"
        )
    if node["is_observed"]:
        what = "pyro.deterministic" if node["infer"].get("_deterministic") else "obs= (or pyro.factor)"
        raise ModelError(
            f"site {name!r} is made by {what}; a program only says how things arise: what was seen comes from the log"
        )
    if node["mask"] is not None or not _is_one(node["scale"]):
        raise ModelError(
            f"site {name!r} is under poutine.mask or poutine.scale; a program only says how things arise: fits weigh "
            "rows themselves"
        )
    discrete = bool(getattr(node["fn"].support, "is_discrete", False))
    return Site(name, inside[0] if inside else None, tuple(node["fn"].event_shape), discrete)


def _is_one(scale: Any) -> bool:
    return not hasattr(scale, "shape") and scale == 1.0


def _where(error: BaseException, scm: SCM) -> str:
    """' in line N of FILE' for the innermost frame that lies in the program's own file."""
    line, frame = None, error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_filename == scm.program.__code__.co_filename:
            line = frame.tb_lineno
        frame = frame.tb_next
    return f" in line {line} of {Path(scm.program.__code__.co_filename).name}" if line else ""


pyro.settings.set(
    module_local_params=True
)  # a second fit must never overwrite the first (Pyro's store is global otherwise)
