"""`simulate`: a synthetic log under an intervention, with the schema of the real one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import torch

from counterlog import rng as _rng
from counterlog.errors import InputError
from counterlog.inference.cells import levels_of
from counterlog.inference.population import Population, coded, frame
from counterlog.model.interventions import Intervention
from counterlog.model.view import Context, Opportunities, View
from counterlog.model.worlds import World, run
from counterlog.query.card import Card
from counterlog.query.card import card as identification_card
from counterlog.synth.opportunities import Source, Unit, context_given, source, units
from counterlog.synth.provenance import make_card

if TYPE_CHECKING:
    from counterlog.inference import Draw, Fit
    from counterlog.logs import InteractionLog

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class SyntheticLog:
    """A batch that can be made as often as wanted, always the same: its schema, its card, and its rows in chunks.

    ``schema`` is the real log's columns, then ``propensity``, ``source`` (synthetic), ``rung`` (L1 or L2), ``batch``
    and, on request, the truth columns ``truth_mean`` (the outcome's expectation given all latents) and ``truth_world``
    (which posterior draw).
    """

    fit: Fit
    do: Intervention
    where: Source
    draws: int
    seed: int
    truth: bool
    card: dict[str, Any]
    schema: pa.Schema

    @property
    def batch(self) -> str:
        """The batch's name, derived from what was asked for."""
        return str(self.card["batch"])

    @property
    def identification(self) -> Card:
        """What the rows mean and what they rest on."""
        return Card.from_json(self.card["identification"])

    def chunks(self, progress: Progress | None = None) -> Iterator[pa.RecordBatch]:
        """The rows, unit by unit; memory is bounded by a unit."""
        worlds = [self.fit.draw(_rng.derive(self.seed, "worlds"), index) for index in range(self.draws)]
        total = self.where.n_users
        for unit in units(self.fit, self.where, self.seed):
            yield _rows(self, unit, worlds)
            if progress is not None:
                progress(unit.last, total)

    @cached_property
    def table(self) -> pa.Table:
        """All rows in memory."""
        return pa.Table.from_batches(list(self.chunks()), self.schema)

    def store(self, path: str | Path, progress: Progress | None = None) -> int:
        """Append the batch to a store (made if there is none) and give its version."""
        from counterlog.synth.store import open_store

        return open_store(path, create=True).append(self.chunks(progress), self.schema, self.card)

    def to_log(self) -> InteractionLog:
        """The rows as an interaction log with the real log's roles, so that whatever reads the one reads the other."""
        import dataclasses

        from counterlog.logs import from_frame

        log = self.fit.log
        names = [c for c in log.table.column_names if c in self.schema.names]
        roles = dataclasses.replace(log.roles, propensity=log.roles.propensity or "propensity")
        keep = names if roles.propensity in names else [*names, "propensity"]
        return from_frame(self.table.select(keep), roles, name=f"synthetic:{self.batch}")

    def _repr_html_(self) -> str:
        import json
        from html import escape

        table = self.table
        head = table.slice(0, 8).to_pandas().to_html(index=False, border=0)
        asked = escape(self.do.describe())
        return (
            f"<div><b>{escape(self.batch)}</b>: {table.num_rows:,} rows, {asked}, seed {self.seed}; "
            f"{escape(self.where.sentence)}{head}"
            f"<details><summary>card</summary><pre>{escape(json.dumps(self.card, indent=1))}</pre></details></div>"
        )


def simulate(
    fit: Fit,
    do: Intervention | None = None,
    *,
    per_user: int | None = None,
    rows: int | None = None,
    draws: int = 1,
    users: int | None = None,
    rng: int = 0,
    truth: bool = False,
) -> SyntheticLog:
    """A synthetic log under an intervention, lazily: nothing is drawn before its rows are asked for.

    Parameters
    ----------
    do
        What is done: ``replace(exposure=policies.uniform())`` for a log without exposure bias, ``fix(popularity=0.0)``,
        a policy of your own; None for a twin of the real log.
    per_user
        Opportunities drawn for each user, distinct items uniformly from the catalogue. By default the log's own
        opportunities where it has them; else as many as the log has events a user if exposure is acted on, and all
        items if it follows the program.
    rows
        The same as a total over all users.
    draws
        Posterior draws ("worlds") that the rows come from, in equal parts. One keeps all rows in one coherent world.
    users
        Number of new users drawn from the model in place of the log's users; their features are those of real users,
        drawn at random.
    rng
        Seed. The same fit, arguments and seed give the same bytes.
    truth
        Add the truth columns.

    Notes
    -----
    If exposure is acted on, every exposed opportunity is a row, with its outcome. If it follows the program, the rows
    are those that the real log would show: all opportunities where it has an exposure column or impressions, ratings of
    exposed cells, or clicks alone. ``propensity`` is the probability that the row was exposed: that of being drawn
    times that of exposure given its causes.

    Raises
    ------
    UnknownNameError, InputError, RefusedError
        Before any work.
    """
    act = do if do is not None else Intervention()
    act.check(fit.scm)
    coded(fit, act)  # refuses levels that the log does not have
    if draws < 1:
        raise InputError(f"draws must be at least 1; given {draws}")
    where = source(fit, act, per_user, rows, users, rng)
    arguments = {
        "per_user": per_user,
        "rows": rows,
        "draws": draws,
        "users": users,
        "truth": truth,
        "opportunities": where.sentence,
    }
    described = identification_card(fit, act, fit.scm.outcome, where.sentence, {}, "")
    provenance = make_card(
        "simulate",
        seed=rng,
        intervention=act.to_json(),
        arguments=arguments,
        model={"name": fit.scm.name, "source_hash": fit.scm.source_hash, "parameters": dict(fit.scm.parameters)},
        fit={"hash": fit.hash, "seed": fit.seed, "steps": fit.steps},
        log={"name": fit.log.name, "hash": fit.log.hash, "licence": fit.log.licence},
        identification=described.to_json(),
    )
    return SyntheticLog(fit, act, where, draws, rng, truth, provenance, _schema(fit, users is not None, truth))


def _schema(fit: Fit, new_users: bool, truth: bool) -> pa.Schema:
    log = fit.log
    fields = []
    for field in log.table.schema:
        renamed = new_users and field.name == log.roles.user and not pa.types.is_integer(field.type)
        fields.append(pa.field(field.name, pa.string() if renamed else field.type))
    if "propensity" not in log.table.column_names:
        fields.append(pa.field("propensity", pa.float32()))
    fields += [pa.field(name, pa.dictionary(pa.int8(), pa.string())) for name in ("source", "rung", "batch")]
    fields += [pa.field("truth_mean", pa.float32()), pa.field("truth_world", pa.int32())] if truth else []
    names = [f.name for f in fields]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"the log has a column {name!r}, which a synthetic log adds itself; rename it in the log")
    return pa.schema(fields)


def _view(
    fit: Fit, unit: Unit, index: np.ndarray, given: set[str], new: bool, seed: int
) -> tuple[View, torch.Tensor | None]:
    """A view of some of a unit's opportunities: all its users, and the items it needs (all, where nearly all are)."""
    cells = fit.cells
    item = unit.item[index]
    items: np.ndarray | None = None
    if cells.n_items > 2 * len(item):
        items, item = np.unique(item, return_inverse=True)
    if new:
        donors = _rng.generator(seed, "donors", unit.number).integers(0, cells.n_users, unit.last - unit.first)
        user_features = cells.user_features[donors]
    else:
        user_features = cells.user_features[unit.first : unit.last]
    columns = {
        name: torch.from_numpy(np.ascontiguousarray(values[index]))
        for name, values in unit.columns.items()
        if name in given
    }
    rows = Opportunities(torch.from_numpy(unit.user[index] - unit.first), torch.from_numpy(item), Context(columns))
    item_features = cells.item_features if items is None else cells.item_features[items]
    view = View(
        torch.from_numpy(user_features), torch.from_numpy(item_features), rows, cells.n_levels, cells.n_positions
    )
    return view, None if items is None else torch.from_numpy(items)


def _rows(batch: SyntheticLog, unit: Unit, worlds: list[Draw]) -> pa.RecordBatch:
    fit, n = batch.fit, len(unit.item)
    given = context_given(fit, batch.do, batch.where)
    outcome, exposure = np.zeros(n), np.zeros(n, np.float32)
    chance, mean = np.zeros(n, np.float32), np.zeros(n, np.float32)
    # At random: going round in turn would give an item the same draw for every user where draws divide the items.
    turns = _rng.generator(batch.seed, "turns", unit.number)
    group = np.arange(n)
    if fit.cells.together is not None:  # what stays together lives in one world
        group = np.unique(unit.columns[fit.cells.together], return_inverse=True)[1]
    number_of = int(group.max(initial=-1)) + 1
    world_of = turns.permutation(np.arange(number_of) % len(worlds))[group] if len(worlds) > 1 else None
    position = np.zeros(n) if "position" in fit.cells.columns else None
    drawn = {name: np.zeros(n) for name in _drawn(fit, given)}
    for number, draw in enumerate(worlds):
        index = np.arange(n) if world_of is None else np.flatnonzero(world_of == number)
        if not len(index):
            continue
        view, items = _view(fit, unit, index, given, batch.where.new, batch.seed)
        latents = draw.values(None if batch.where.new else slice(unit.first, unit.last), items)
        if batch.where.new:
            theirs = {site.name for site in fit.layout.sites if site.table == "users"}
            latents = {name: value for name, value in latents.items() if name not in theirs}
        part = Population(unit.user[index], unit.item[index], {k: v[index] for k, v in unit.columns.items()}, None, "")
        with _rng.seeded(batch.seed, "simulate", unit.number, number):
            world = run(
                fit.scm,
                view,
                {**latents, **view.rows.context},
                coded(fit, batch.do),
                partial(_frame, batch, part),
            )
        outcome[index], exposure[index], chance[index], mean[index] = _read(fit, world, batch.truth)
        if position is not None:
            position[index] = (
                world.values["position"].numpy() if "position" in world.values else unit.columns["position"][index]
            )
        for name, values in drawn.items():
            values[index] = world.values[name].numpy()
    columns = {**_columns(batch, unit, outcome, exposure, position), **_as_logged(fit, drawn)}
    columns["propensity"] = (chance * unit.chance).astype(np.float32)
    if fit.log.roles.propensity is not None:
        columns[fit.log.roles.propensity] = columns["propensity"]
    columns["truth_mean"] = mean
    columns["truth_world"] = np.zeros(n, np.int32) if world_of is None else world_of.astype(np.int32)
    kept = _kept(batch, outcome, exposure)
    return _arrow(batch, columns, kept)


def _drawn(fit: Fit, given: set[str]) -> list[str]:
    """Context columns that are sites of the program and that this batch draws anew."""
    sites = fit.scm.sites()
    return [name for name in fit.cells.columns if name in sites and name not in given and name != "position"]


def _as_logged(fit: Fit, drawn: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Drawn context as the log writes it: numbers as they are, codes as the values that they stand for."""
    return {name: levels_of(fit.log, name, values) for name, values in drawn.items()}


def _frame(batch: SyntheticLog, part: Population) -> Any:
    if not batch.where.new:
        return frame(batch.fit, part)
    import pandas as pd

    items = batch.fit.log.items.ids.take(pa.array(part.item)).to_pandas()
    users = _new_ids(batch, part.user).to_pandas()
    return pd.DataFrame({"user": users, "item": items, **part.columns})


def _read(fit: Fit, world: World, truth: bool) -> tuple[np.ndarray, ...]:
    """Outcome in log units, exposure, P(exposure = 1) and expected outcome of each opportunity."""
    scm, levels = fit.scm, fit.cells.levels
    value = world.values[scm.outcome].numpy()
    exposure = world.values[scm.exposure].numpy()
    fn = world.fns[scm.exposure]
    chance = exposure if type(fn).__name__ == "Delta" else fn.mean.numpy()
    mean = world.mean(scm.outcome, levels).numpy() if truth else np.zeros(1, np.float32)
    return (np.asarray(levels)[value.astype(np.int64)] if levels else value), exposure, chance, mean


def _kept(batch: SyntheticLog, outcome: np.ndarray, exposure: np.ndarray) -> np.ndarray | None:
    """The rows that are written; None for all."""
    fit = batch.fit
    if not batch.where.natural and fit.log.exposure is None:
        return None if exposure.all() else exposure > 0
    if fit.log.exposure is not None:
        return None
    if fit.treatment.sum_exposure:
        return outcome > 0 if fit.log.clicks_only else None
    return exposure > 0


def _columns(
    batch: SyntheticLog, unit: Unit, outcome: np.ndarray, exposure: np.ndarray, position: np.ndarray | None
) -> dict[str, Any]:
    """Every column of the real log by name: drawn where the program has it, else that of the event the opportunity is
    modelled on.
    """
    log, cells = batch.fit.log, batch.fit.cells
    roles = log.roles
    users = _new_ids(batch, unit.user) if batch.where.new else log.users.ids.take(pa.array(unit.user))
    columns: dict[str, Any] = {roles.user: users, roles.item: log.items.ids.take(pa.array(unit.item))}
    if roles.outcome is not None:
        unseen = np.nan if roles.outcome_kind in ("rating", "positive") else 0.0
        happened = (exposure > 0) & (outcome > 0) if roles.outcome_kind == "positive" else exposure > 0
        columns[roles.outcome] = np.where(happened, outcome, unseen)
    if roles.exposure is not None:
        columns[roles.exposure] = exposure
    if roles.position is not None and position is not None:
        columns[roles.position] = position
    rest = [c for c in log.table.column_names if c not in columns and c != roles.propensity]
    if rest:
        like = pa.array(cells.order[unit.rows])
        columns.update({name: log.table[name].combine_chunks().take(like) for name in rest})
    return columns


def _new_ids(batch: SyntheticLog, users: np.ndarray) -> pa.Array:
    ids = batch.fit.log.users.ids
    if pa.types.is_integer(ids.type):
        import pyarrow.compute as pc

        return pa.array(users + int(pc.max(ids).as_py()) + 1, ids.type)
    known = set(batch.fit.log.users.labels) if len(ids) < 1_000_000 else set()
    width = len(str(batch.where.n_users))
    prefix = "new-"
    while any(label.startswith(prefix) for label in known):
        prefix = "new" + prefix
    names = pa.array(
        [f"{prefix}{k:0{width}d}" for k in range(int(users.min(initial=0)), int(users.max(initial=0)) + 1)]
    )
    return names.take(pa.array(users - int(users.min(initial=0))))


def _arrow(batch: SyntheticLog, columns: Mapping[str, Any], kept: np.ndarray | None) -> pa.RecordBatch:
    arrays = []
    chosen = None if kept is None else np.flatnonzero(kept)
    n = len(columns["propensity"]) if chosen is None else len(chosen)
    constants = {"source": "synthetic", "rung": batch.card["identification"]["rung"], "batch": batch.batch}
    for field in batch.schema:
        if field.name in constants and field.name not in columns:
            code = pa.array(np.zeros(n, np.int8))
            arrays.append(pa.DictionaryArray.from_arrays(code, pa.array([constants[field.name]])))
            continue
        values = columns[field.name]
        if isinstance(values, np.ndarray):
            values = values if chosen is None else values[chosen]
            numeric = pa.array(values, from_pandas=True)
            arrays.append(numeric if numeric.type == field.type else numeric.cast(field.type, safe=False))
        else:
            values = values if chosen is None else values.take(pa.array(chosen))
            arrays.append(values.cast(field.type) if values.type != field.type else values)
    return pa.RecordBatch.from_arrays(arrays, schema=batch.schema)
