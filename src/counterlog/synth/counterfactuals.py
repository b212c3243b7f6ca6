"""`counterfactual`: the events of a log as they would have been had something else been done, event by event."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from counterlog.errors import InputError
from counterlog.query import intervals
from counterlog.query.abduction import below
from counterlog.query.card import Card
from counterlog.query.card import card as identification_card
from counterlog.query.coupling import assumption
from counterlog.query.evidence import events
from counterlog.query.unitwise import Question, Units, answer, mechanisms
from counterlog.synth.provenance import make_card

if TYPE_CHECKING:
    from counterlog.inference import Fit
    from counterlog.logs import InteractionLog
    from counterlog.model.interventions import Intervention

Progress = Callable[[int, int], None]

#: Events whose answers are worked out together: all draws of the posterior are made once for each such span.
SPAN = 1_000_000
#: Rows of a chunk that is handed on.
CHUNK = 125_000
#: Columns beside the outcome's own, by the suffix after its name, and what of the answers they hold.
COLUMNS = {
    "_counterfactual": "value",
    "_counterfactual_probability": "chance",
    "_counterfactual_mean": "mean",
    "_counterfactual_low": "low",
    "_counterfactual_high": "high",
    "_counterfactual_bound_low": "bound_low",
    "_counterfactual_bound_high": "bound_high",
}


@dataclass(frozen=True)
class Average:
    """The mean of the events' counterfactual outcomes, beside the mean of what was seen of the same events.

    ``interval`` is of ``counterfactual``; ``factual`` is None where some events have no outcome; ``changed`` is the
    share of the events with an outcome that have another one in the other world (in the draw that is written out);
    ``bounds`` are those of the mean over all couplings (None where left open).
    """

    rows: int
    factual: float | None
    counterfactual: float
    interval: tuple[float, float]
    level: float
    changed: float | None
    bounds: tuple[float, float] | None

    def __str__(self) -> str:
        low, high = self.interval
        seen = f"; {self.factual:.4g} was seen" if self.factual is not None else ""
        return f"{self.counterfactual:.4g} [{low:.4g}, {high:.4g}] ({self.level:.0%}) over {self.rows:,} events{seen}"


@dataclass(frozen=True, eq=False)
class CounterfactualLog:
    """The same events in another world: made in chunks as often as wanted, always the same.

    ``schema`` is the log's columns as they were, then for each logged site that changes ``NAME_counterfactual`` (in one
    draw of the posterior and the noise), and for the outcome ``OUTCOME_counterfactual`` (the same draw),
    ``..._probability`` (the posterior probability of just that value; null where continuous), ``..._mean`` with
    ``..._low`` and ``..._high`` (the expected outcome given what was observed, 90% interval), ``..._bound_low`` and
    ``..._bound_high`` (what other couplings of the two worlds would allow), ``propensity``, ``source``
    (counterfactual), ``rung`` (L3), ``batch``.
    """

    question: Question
    identification: Card
    card: dict[str, Any]
    schema: pa.Schema
    _seen: dict[str, Average] = field(default_factory=dict, repr=False)

    @property
    def batch(self) -> str:
        """The batch's name, derived from what was asked for."""
        return str(self.card["batch"])

    @property
    def rows(self) -> int:
        """Number of events."""
        return len(self.question.events)

    def chunks(self, progress: Progress | None = None) -> Iterator[pa.RecordBatch]:
        """The events in the order of the log; memory is bounded by a span of a million events.

        ``progress`` hears how many of events times draws are behind.
        """
        done, total = 0, self.rows * self.question.draws
        tally = _Tally(self.question)

        def tick(number: int) -> None:
            nonlocal done
            done += number
            if progress is not None:
                progress(done, total)

        for first in range(0, self.rows, SPAN):
            last = min(first + SPAN, self.rows)
            units = answer(self.question, first, last, tick)
            tally.add(units, first, last)
            for start in range(first, last, CHUNK):
                yield _rows(self, units, first, start, min(start + CHUNK, last))
        self._seen["average"] = tally.average()

    @cached_property
    def table(self) -> pa.Table:
        """All events in memory."""
        return pa.Table.from_batches(list(self.chunks()), self.schema)

    @property
    def average(self) -> Average:
        """The mean counterfactual outcome of the events, with its interval."""
        if "average" not in self._seen:
            for _ in self.chunks():
                pass
        return self._seen["average"]

    def transitions(self) -> Any:
        """How many events went from which outcome to which, as a pandas frame."""
        from counterlog.synth.transitions import transitions

        return transitions(self)

    def plot(self) -> Any:
        """The transitions, or for many distinct outcomes the expected against the factual ones, as an Altair chart."""
        from counterlog.synth.transitions import chart

        return chart(self)

    def store(self, path: str | Path, progress: Progress | None = None) -> int:
        """Append the batch to a store (made if there is none) and give its version."""
        from counterlog.synth.store import open_store

        return open_store(path, create=True).append(self.chunks(progress), self.schema, self.card)

    def __str__(self) -> str:
        outcome = self.question.fit.scm.outcome
        return f"{outcome} under {self.question.do.describe()}: {self.average}\n{self.identification.to_text()}"

    def _repr_html_(self) -> str:
        from html import escape

        import vl_convert as vlc

        from counterlog.logs.readable import readable

        head = self.table.slice(0, 8).to_pandas().to_html(index=False, border=0)
        text = escape(str(self))
        svg: str = vlc.vegalite_to_svg(readable(self.plot().to_dict()))
        return f"<div><b>{escape(self.batch)}</b><pre style='white-space:pre-wrap'>{text}</pre>{svg}{head}</div>"


def counterfactual(
    fit: Fit, log: InteractionLog, do: Intervention, *, draws: int = 50, rng: int = 0
) -> CounterfactualLog:
    """Each event of a log as it would have been under ``do``, given what was observed of it.

    For every posterior draw the event's exogenous noise is abducted from what was observed, the program is acted on,
    and the same noise is pushed through it again (Pearl 2009, 7.1.3: abduction, action, prediction). Doing what was
    done anyway changes no row.

    Parameters
    ----------
    log
        The fit's own log, or another of its users and items.
    do
        What is done: ``fix``, ``shift``, ``replace`` (a policy keeps the noise of the site it replaces).
    draws
        Posterior draws behind probabilities and intervals, at least 10.
    rng
        Seed. The same arguments give the same bytes; the noise is the same for every ``do``, so that two worlds can be
        compared event by event.

    Raises
    ------
    UnknownNameError, InputError, RefusedError
        Before any work: an unknown site, a log that the fit was not made for, a cut edge.

    Examples
    --------
    >>> twin = counterfactual(fit, log, fix(popularity=0.0))  # doctest: +SKIP
    >>> twin.table["click_counterfactual_mean"]  # doctest: +SKIP
    """
    do.check(fit.scm)
    if not do:
        raise InputError("nothing is done; name an intervention, such as fix(exposure=1)")
    if draws < 10:
        raise InputError(f"an interval needs at least 10 draws; given {draws}")
    below(fit.scm, do)
    found = events(fit, log)
    question = Question(fit, found, do, draws, rng)
    _ = question.action  # refuses levels that the log does not have
    schema = _schema(question)
    _try(question)
    said = _card(question)
    provenance = make_card(
        "counterfactual",
        seed=rng,
        intervention=do.to_json(),
        arguments={"draws": draws, "log": log.hash},
        model={"name": fit.scm.name, "source_hash": fit.scm.source_hash, "parameters": dict(fit.scm.parameters)},
        fit={"hash": fit.hash, "seed": fit.seed, "steps": fit.steps},
        log={"name": log.name, "hash": log.hash, "licence": log.licence},
        identification=said.to_json(),
    )
    return CounterfactualLog(question, said, provenance, schema)


def _try(question: Question) -> None:
    """A few events, so that what cannot be done is refused before anything is written."""
    if len(question.events) == 0:
        raise InputError("the log has no events")
    answer(replace(question, draws=1), 0, min(50, len(question.events)))


def _changed(question: Question) -> list[str]:
    """Columns of the log, other than the outcome, that hold a site that is acted on or moved."""
    fit, roles = question.fit, question.events.log.roles
    changed = question.do.sites() | below(fit.scm, question.do)
    columns = {roles.exposure: fit.scm.exposure, roles.position: "position"} | {name: name for name in roles.context}
    return [column for column, site in columns.items() if column is not None and site in changed]


def _site(question: Question, column: str) -> str:
    roles = question.events.log.roles
    if column == roles.exposure:
        return question.fit.scm.exposure
    return "position" if column == roles.position else column


def _schema(question: Question) -> pa.Schema:
    log = question.events.log
    fields = list(log.table.schema)
    fields += [
        pa.field(f"{column}_counterfactual", log.table.schema.field(column).type) for column in _changed(question)
    ]
    outcome = log.table.schema.field(log.roles.outcome)
    real = pa.types.is_floating(outcome.type)
    first = pa.field(f"{outcome.name}_counterfactual", outcome.type if real else pa.float32())
    fields += [first, *(pa.field(outcome.name + suffix, pa.float32()) for suffix in list(COLUMNS)[1:])]
    fields += [] if "propensity" in log.table.column_names else [pa.field("propensity", pa.float32())]
    fields += [pa.field(name, pa.dictionary(pa.int8(), pa.string())) for name in ("source", "rung", "batch")]
    names = [f.name for f in fields]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(
            f"the log has a column {twice!r}, which a counterfactual log adds itself; rename it in the log"
        )
    return pa.schema(fields)


def _rows(batch: CounterfactualLog, units: Units, first: int, start: int, stop: int) -> pa.RecordBatch:
    question, log = batch.question, batch.question.events.log
    part = slice(start - first, stop - first)
    chunk = log.table.slice(start, stop - start)
    columns: dict[str, Any] = {name: chunk[name].combine_chunks() for name in chunk.column_names}
    for column in _changed(question):
        columns[f"{column}_counterfactual"] = pa.array(units.sites[_site(question, column)][part])
    for suffix, name in COLUMNS.items():
        columns[f"{log.roles.outcome}{suffix}"] = pa.array(getattr(units, name)[part], from_pandas=True)
    columns.setdefault("propensity", pa.array(units.propensity[part]))
    constants = {"source": "counterfactual", "rung": "L3", "batch": batch.batch}
    arrays = []
    for field_ in batch.schema:
        if field_.name in constants:
            codes = pa.array(np.zeros(stop - start, np.int8))
            arrays.append(pa.DictionaryArray.from_arrays(codes, pa.array([constants[field_.name]])))
            continue
        values = columns[field_.name]
        arrays.append(values if values.type == field_.type else values.cast(field_.type, safe=False))
    return pa.RecordBatch.from_arrays(arrays, schema=batch.schema)


def _card(question: Question) -> Card:
    """The identification card of a unit-level answer: the interventional one, and what the two worlds share."""
    fit, found, do = question.fit, question.events, question.do
    on, scm = fit.scm.outcome, fit.scm
    sentence = f"each of the {len(found):,} events of {found.log.name}"
    factors = intervals.widening(fit)
    interval = (
        f"{intervals.LEVEL:.0%} interval of each event's expected outcome, from the spread over {question.draws} draws "
        f"of the {factors.posterior} posterior times {factors.unit:g} (of the average over events times "
        f"{factors.whole:g}), measured over {factors.measured}; it does not cover a wrong graph, form or coupling"
    )
    moved = (below(scm, do) | set(do.replaced)) - set(do.fixed)
    by_site = mechanisms(question)
    shared = tuple(assumption(name, by_site[name]) for name in scm.sites() if name in moved and name in by_site)
    untouched = on not in moved and on not in do.sites()
    stays = (f"{on} does not depend on what is done: where it was seen it stays as it was, by consistency",)
    said = identification_card(
        fit,
        do,
        on,
        sentence,
        {},
        interval,
        rung="L3",
        extra=(*(stays if untouched else ()), *shared, *_warnings(question)),
    )
    sensitivity = (
        "to how the two worlds hang together: the bounds beside each answer; to an unseen cause: ask sensitivity about "
        "the mean under exposure=1"
    )
    said = replace(
        said,
        sensitivity=sensitivity,
        estimand=f"{on} of each event under {do.describe()}, given what was observed of it",
    )
    if untouched and bool(found.known.all()):
        return replace(said, identified=True, because="", would_need=(), criterion="consistency", adjust_for=())
    worlds = "how the two worlds of one event hang together shows in no data"
    if not untouched and not said.identified and worlds not in said.because:
        said = replace(said, because=f"{said.because}; and {worlds}")
    return said


def _warnings(question: Question) -> tuple[str, ...]:
    """What the events lack, in sentences."""
    fit, found = question.fit, question.events
    said = []
    blind = int((~found.known).sum()) if found.exposure is None else int((found.exposure <= 0).sum())
    blind = max(blind, int((~found.known).sum()))
    if blind:
        said.append(
            f"{blind:,} of {len(found):,} events were not exposed, or have no outcome: nothing was seen of the noise "
            "of their outcome, so that their answers are the model's for such an event, not for that one"
        )
    if not found.same:
        said.append("the events are not those of the fit's own log")
    if not fit.converged:
        said.append(f"the fit has NOT converged: {fit.convergence.message}")
    return tuple(said)


class _Tally:
    """Sums over spans for the average."""

    def __init__(self, question: Question) -> None:
        self.question = question
        self.totals = np.zeros(question.draws)
        self.seen, self.low, self.high = 0.0, 0.0, 0.0
        self.changed, self.n_seen, self.n = 0, 0, 0

    def add(self, units: Units, first: int, last: int) -> None:
        found = self.question.events
        log = found.log
        self.totals += units.totals
        self.n += last - first
        assert log.outcome is not None
        was = log.outcome[first:last]
        there = np.isfinite(was)  # a click that was not shown is none; a rating that was not given is not there
        self.seen += float(was[there].sum())
        self.n_seen += int(there.sum())
        self.changed += int((units.value != was.astype(np.float32))[there].sum())
        self.low += float(units.bound_low.sum(dtype=np.float64))
        self.high += float(units.bound_high.sum(dtype=np.float64))

    def average(self) -> Average:
        fit = self.question.fit
        each = self.totals / self.n
        low, high = intervals.widened(each, intervals.widening(fit).whole)
        least, most = intervals.support(fit, fit.scm.outcome)
        ends = (float(np.clip(low, least, most)), float(np.clip(high, least, most)))
        open_ = np.isnan(self.low) or np.isnan(self.high)
        bounds = None if open_ else (self.low / self.n, self.high / self.n)
        seen = self.seen / self.n if self.n_seen == self.n else None
        changed = self.changed / self.n_seen if self.n_seen else None
        return Average(self.n, seen, float(each.mean()), ends, intervals.LEVEL, changed, bounds)
