"""``counterlog demo``: the main job end to end, on embedded real data or a log of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from counterlog.cli import demo_folder as folder
from counterlog.cli import log_options as options
from counterlog.cli.output import Force, Json, Seed, print_json, say

if TYPE_CHECKING:
    from counterlog.cli.demo_steps import Teller
    from counterlog.logs import InteractionLog


def command(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", show_default=False, help="The folder to write.")],
    log: Annotated[str, typer.Option("--log", metavar="LOG", help=options.LOG_HELP)] = "demo",
    model: Annotated[
        str | None,
        typer.Option(
            "--model", metavar="MODEL", help="file.py, file.py:name or a zoo model (default: by what the log has)."
        ),
    ] = None,
    random: Annotated[
        str | None,
        typer.Option(
            "--random",
            metavar="LOG",
            help="Random exposures with the same columns, to be judged by "
            "(default: LOG#random where LOG has that part).",
        ),
    ] = None,
    user: options.User = None,
    item: options.Item = None,
    timestamp: options.Timestamp = None,
    exposure: options.Exposure = None,
    position: options.Position = None,
    propensity: options.Propensity = None,
    outcome: options.Outcome = None,
    outcome_kind: options.OutcomeKind = None,
    context: options.Context = None,
    users: options.Users = None,
    items: options.Items = None,
    roles: options.RolesFile = None,
    steps: Annotated[
        int | None, typer.Option("--steps", metavar="N", help="Gradient steps on the log (default: by its size).")
    ] = None,
    world: Annotated[
        bool, typer.Option("--world/--no-world", help="First correct a simulated world whose truth is known.")
    ] = True,
    seed: Seed = 0,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """The main job end to end: check, describe, graph, fit, what if, compare, sample, audit. A minute or two.

    It begins with a simulated world, where the correction is held against the truth, and goes on with an embedded
    part of KuaiRand (clicks on short videos, with a randomised half), or with LOG.

    Example:

        counterlog demo --out demo-out
        counterlog demo --log ratings.csv --outcome stars --outcome-kind rating --out mine
    """
    named = {
        "user": user,
        "item": item,
        "timestamp": timestamp,
        "exposure": exposure,
        "position": position,
        "propensity": propensity,
        "outcome": outcome,
        "outcome_kind": outcome_kind,
        "context": context,
        "users": users,
        "items": items,
        "roles": roles,
    }
    ours = folder.guard(out, force)
    events = options.open_from_cli(log, **named)
    from counterlog.cli import demo_steps as steps_of
    from counterlog.model import load_model

    scm = load_model(model or steps_of.model_for(events))
    judge = _random_part(log, random, {k: v for k, v in named.items() if k not in ("users", "items")})
    embedded = log == "demo" and model is None
    given = {"steps": steps} if steps is not None else {}
    scm.validate()
    folder.begin(out, ours)
    tell = steps_of.Teller(say if as_json else print)
    truth = steps_of.known_world(tell, seed) if world else None
    fitted = steps_of.fit_log(tell, scm, events, seed, given)
    fitted.save(out / "fit", force=True)
    steps_of.draw(tell, scm, out)
    found = steps_of.ask(tell, fitted, seed)
    scored = steps_of.judge(tell, fitted, judge, seed) if judge is not None else None
    said = steps_of.limits(fitted, found, scored, embedded)
    batch, rows = steps_of.synthesise(tell, fitted, out, seed)
    audited = steps_of.report(tell, fitted, out, seed)
    if said:
        tell.title("What could be corrected here, and what could not")
    for sentence in said:
        tell.step("-", sentence)
    answer = found.to_json()
    summary = {
        "made_by": folder.MADE_BY,
        "finished": True,
        "number": found.estimate,
        **{key: answer[key] for key in ("on", "do", "estimate", "interval", "level", "naive", "rung", "card")},
        "world": truth,
        "log": {"name": events.name, "licence": events.licence, **events.check().to_json()},
        "model": scm.name,
        "converged": fitted.converged,
        "seconds": fitted.seconds,
        "random": steps_of.as_json(scored),
        "limits": said,
        "synthetic": {"store": out / "store", "batch": batch, "rows": rows},
        "audit": audited,
        "fit": out / "fit",
        "graph": out / "graph.svg",
        "report": out / "report.html",
    }
    folder.write_summary(out, summary)
    _end(tell, summary)
    if as_json:
        print_json(summary)


def _random_part(log: str, random: str | None, named: dict[str, Any]) -> InteractionLog | None:
    """The log of random exposures: the one that was named, or the part that a data set has for this purpose."""
    if random is not None:
        return options.open_from_cli(random, **(named if ":" not in random else {}))
    from counterlog.logs.adapters import ADAPTERS, adapter

    name, colon, _ = log.partition(":")
    has_part = log == "demo" or (bool(colon) and name in ADAPTERS and "random" in adapter(name).PARTS)
    return options.open_from_cli(f"{log}#random") if has_part and "#" not in log else None


def _end(tell: Teller, summary: dict[str, Any]) -> None:
    low, high = summary["interval"]
    tell.title("Result")
    tell.step("number", f"E[{summary['on']} | {summary['do']}] = {summary['estimate']:.4g}")
    tell.step("interval", f"[{low:.4g}, {high:.4g}] ({summary['level']:.0%})")
    tell.step("next", f"counterlog effect {summary['fit']} --on {summary['on']} --do {summary['do'][3:-1]} --by item")
    tell.step("report", str(summary["report"]))
