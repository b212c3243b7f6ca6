"""``counterlog simulate``: a synthetic log under an intervention, as a batch of a store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from counterlog.cli.card import show_card
from counterlog.cli.do_option import parse_do
from counterlog.cli.output import Json, Seed, print_json, progress, say
from counterlog.cli.saved_fit import FitFolder, ModelFile, open_fit
from counterlog.errors import InputError

if TYPE_CHECKING:
    from counterlog.inference import Fit
    from counterlog.synth.simulation import SyntheticLog


def command(
    fit: FitFolder,
    out: Annotated[Path, typer.Option("--out", metavar="STORE", show_default=False, help="The store to append to.")],
    do: Annotated[
        list[str] | None,
        typer.Option(
            "--do",
            metavar="SITE=VALUE",
            help="What is done, as in `effect`: exposure=uniform, popularity=0, exposure=policy.py:f ... Without it "
            "the rows are a twin of the real log.",
        ),
    ] = None,
    per_user: Annotated[
        int | None, typer.Option("--per-user", metavar="N", help="Opportunities drawn for each user.")
    ] = None,
    rows: Annotated[int | None, typer.Option("--rows", metavar="N", help="Opportunities drawn in all.")] = None,
    draws: Annotated[
        int, typer.Option("--draws", metavar="N", help="Posterior draws that the rows come from, in equal parts.")
    ] = 1,
    users: Annotated[
        int | None, typer.Option("--new-users", metavar="N", help="New users drawn from the model, not the log's own.")
    ] = None,
    truth: Annotated[bool, typer.Option("--truth", help="Add the columns truth_mean and truth_world.")] = False,
    card: Annotated[
        Path | None, typer.Option("--card", metavar="FILE", help="Make the batch of a card again, byte for byte.")
    ] = None,
    model: ModelFile = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Draw a synthetic log from a fit under an intervention and store it as a versioned batch.

    The rows have the real log's columns, and propensity, source, rung and batch. The card beside them says what they
    were made from; the same fit, options and seed make the same bytes.

    Example:

        counterlog simulate fit --do exposure=uniform --per-user 20 --out store
        counterlog simulate fit --do popularity=0 --out store --seed 1
    """
    asked = [
        name
        for name, value in (("--do", do), ("--per-user", per_user), ("--rows", rows), ("--new-users", users))
        if value
    ]
    if card is not None and asked:
        raise InputError(f"--card says what to make, so that {', '.join(asked)} cannot be given beside it")
    done = parse_do(do) if do else None
    described = read_card(card) if card is not None else None
    fitted = open_fit(fit, model)
    batch = _asked(fitted, described, done, per_user, rows, draws, users, seed, truth)
    with progress("simulate", batch.where.n_users) as update:
        version = batch.store(out, lambda done, total: update(done, total=total))
    from counterlog.synth import open_store

    stored = open_store(out).card(batch.batch)
    if not fitted.converged:
        say(f"Warning: the fit has not converged: {fitted.convergence.message}.")
    answer = {"store": out, "batch": batch.batch, "version": version, "rows": stored["rows"], "card": stored}
    if as_json:
        print_json(answer)
        return
    what = f"{stored['rows']:,} rows under {batch.do.describe()}: {batch.where.sentence}"
    print(f"{batch.batch}  version {version} of {out}\n{what}")
    print(f"card in {out / '_cards' / (batch.batch + '.json')}\n", flush=True)
    show_card(batch.identification)


def _asked(
    fitted: Fit,
    card: dict[str, Any] | None,
    do: Any,
    per_user: int | None,
    rows: int | None,
    draws: int,
    users: int | None,
    seed: int,
    truth: bool,
) -> SyntheticLog:
    from counterlog.synth import again, simulate

    if card is not None:
        return again(card, fitted)
    return simulate(fitted, do, per_user=per_user, rows=rows, draws=draws, users=users, rng=seed, truth=truth)


def read_card(path: Path) -> dict[str, Any]:
    """The provenance card in a file.

    Raises
    ------
    InputError
        It cannot be read, or is no card.
    """
    from counterlog.synth import validate_card

    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"the card {path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise InputError(f"the card {path} is not JSON: {error}") from error
    validate_card(card)
    return dict(card)
