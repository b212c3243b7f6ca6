"""``counterlog counterfactual``: the events of a log in another world, as a batch of a store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from counterlog.cli import log_options as lo
from counterlog.cli.card import show_card
from counterlog.cli.do_option import parse_do
from counterlog.cli.output import Json, Seed, print_json, progress, say
from counterlog.cli.saved_fit import FitFolder, ModelFile, open_fit
from counterlog.cli.simulate import read_card
from counterlog.errors import InputError

if TYPE_CHECKING:
    from counterlog.query import Causation
    from counterlog.synth.counterfactuals import CounterfactualLog


def command(
    fit: FitFolder,
    log: lo.Log,
    out: Annotated[Path, typer.Option("--out", metavar="STORE", show_default=False, help="The store to append to.")],
    do: Annotated[
        list[str] | None,
        typer.Option("--do", metavar="SITE=VALUE", help="What is done, as in `effect`: popularity=0, exposure=1 ..."),
    ] = None,
    user: lo.User = None,
    item: lo.Item = None,
    timestamp: lo.Timestamp = None,
    exposure: lo.Exposure = None,
    position: lo.Position = None,
    propensity: lo.Propensity = None,
    outcome: lo.Outcome = None,
    outcome_kind: lo.OutcomeKind = None,
    context: lo.Context = None,
    users: lo.Users = None,
    items: lo.Items = None,
    roles: lo.RolesFile = None,
    cause: Annotated[
        str | None,
        typer.Option("--cause", metavar="SITE", help="Probabilities of necessity and sufficiency of SITE=1 (not 0)."),
    ] = None,
    card: Annotated[
        Path | None, typer.Option("--card", metavar="FILE", help="Make the batch of a card again, byte for byte.")
    ] = None,
    model: ModelFile = None,
    draws: Annotated[int, typer.Option("--draws", metavar="N", help="Posterior draws, at least 10.")] = 50,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Each event of a log as it would have been had something else been done, given what was observed of it.

    The rows keep their columns and order. OUTCOME_counterfactual is the outcome in the other world, with its
    probability, its expectation with a 90% interval, and the bounds that hold however the two worlds hang together.

    With --cause SITE it also says, for clicks, how often SITE=1 was necessary for a click and would have been
    sufficient for one.

    Example:

        counterlog counterfactual fit log.csv --outcome click --exposure shown --do popularity=0 --out store
        counterlog counterfactual fit fit/log --do exposure=1 --out store --cause exposure
    """
    if (do is None) == (card is None):
        raise InputError("say what is done with --do (such as popularity=0), or give the --card of a batch; not both")
    done, described = parse_do(do or []), read_card(card) if card is not None else None
    fitted = open_fit(fit, model)
    found = lo.open_from_cli(
        log,
        user=user,
        item=item,
        timestamp=timestamp,
        exposure=exposure,
        position=position,
        propensity=propensity,
        outcome=outcome,
        outcome_kind=outcome_kind,
        context=context,
        users=users,
        items=items,
        roles=roles,
    )
    from counterlog.query import causation
    from counterlog.synth import again, counterfactual, open_store

    due = causation(fitted, found, cause, draws=draws, rng=seed) if cause is not None else None
    batch: Any = (
        again(described, fitted, log=found)
        if described is not None
        else counterfactual(fitted, found, done, draws=draws, rng=seed)
    )
    with progress("counterfactual", batch.rows * batch.question.draws) as update:
        version = batch.store(out, lambda done, total: update(done, total=total))
    stored = open_store(out).card(batch.batch)
    if not fitted.converged:
        say(f"Warning: the fit has not converged: {fitted.convergence.message}.")
    if as_json:
        average = batch.average
        summary = {"factual": average.factual, "counterfactual": average.counterfactual, "interval": average.interval}
        print_json(
            {
                "store": out,
                "batch": batch.batch,
                "version": version,
                "rows": stored["rows"],
                "card": stored,
                "average": {**summary, "level": average.level, "changed": average.changed, "bounds": average.bounds},
                "causation": due,
            }
        )
    else:
        _show(batch, out, version, due)


def _show(batch: CounterfactualLog, out: Path, version: int, due: Causation | None) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    outcome, average = batch.question.fit.scm.outcome, batch.average
    console.print(Text(f"{outcome} of {average.rows:,} events under {batch.question.do.describe()}", "bold"))
    low, high = average.interval
    answer = Table.grid(padding=(0, 2))
    answer.add_row(
        "mean", Text(f"{average.counterfactual:.4g}", "bold"), f"{average.level:.0%} interval [{low:.4g}, {high:.4g}]"
    )
    if average.factual is not None:
        answer.add_row("as it was", f"{average.factual:.4g}", "mean outcome of the same events")
    if average.changed is not None:
        answer.add_row("changed", f"{average.changed:.1%}", "of the events with an outcome have another one")
    if average.bounds is not None:
        least, most = average.bounds
        answer.add_row("bounds", f"[{least:.4g}, {most:.4g}]", "of the mean, however the two worlds hang together")
    for name, share in (("necessity", due.necessity), ("sufficiency", due.sufficiency)) if due is not None else ():
        value, said = ("-", "no such event") if share is None else (f"{share.value:.3g}", str(share))
        answer.add_row(name, value, said)
    console.print(answer)
    console.print()
    show_card(batch.identification)
    console.print()
    console.print(Text(f"batch {batch.batch}, version {version} of {out}"))
