"""``counterlog counterfactual``: the events of a log in another world, as a batch of a store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from counterlog.cli import log_options as lo
from counterlog.cli.do_option import Do, parse_do
from counterlog.cli.output import Json, Seed, print_json, progress, say
from counterlog.cli.saved_fit import FitFolder, ModelFile, open_fit

if TYPE_CHECKING:
    from counterlog.synth.counterfactuals import CounterfactualLog


def command(
    fit: FitFolder,
    log: lo.Log,
    do: Do,
    out: Annotated[Path, typer.Option("--out", metavar="STORE", show_default=False, help="The store to append to.")],
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
    model: ModelFile = None,
    draws: Annotated[int, typer.Option("--draws", metavar="N", help="Posterior draws, at least 10.")] = 50,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Each event of a log as it would have been had something else been done, given what was observed of it.

    The rows keep their columns and order. OUTCOME_counterfactual is the outcome in the other world, with its
    probability, its expectation with a 90% interval, and the bounds that hold however the two worlds hang together.

    Example:

        counterlog counterfactual fit log.csv --outcome click --exposure shown --do popularity=0 --out store
        counterlog counterfactual fit fit/log --do exposure=1 --out store
    """
    done = parse_do(do)
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
    from counterlog.synth import counterfactual, open_store

    batch = counterfactual(fitted, found, done, draws=draws, rng=seed)
    with progress("counterfactual", batch.rows * draws) as update:
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
            }
        )
    else:
        _show(batch, out, version)


def _show(batch: CounterfactualLog, out: Path, version: int) -> None:
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
        answer.add_row("as it was", f"{average.factual:.4g}", "mean of the outcomes that were seen")
    if average.changed is not None:
        answer.add_row("changed", f"{average.changed:.1%}", "of the events with an outcome have another one")
    if average.bounds is not None:
        least, most = average.bounds
        answer.add_row("bounds", f"[{least:.4g}, {most:.4g}]", "of the mean, however the two worlds hang together")
    console.print(answer)
    console.print()
    console.print(Text(batch.identification.to_text()))
    console.print()
    console.print(Text(f"batch {batch.batch}, version {version} of {out}"))
