"""``counterlog sensitivity``: how strong an unseen cause of exposure and outcome must be to move an answer."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from counterlog.cli.do_option import Do, parse_do
from counterlog.cli.output import Force, Json, Seed, guard_output, plain, print_json, progress, say
from counterlog.cli.saved_fit import FitFolder, ModelFile, open_fit
from counterlog.errors import InputError

if TYPE_CHECKING:
    from counterlog.query import Sensitivity

_FORMATS = (".svg", ".png", ".html", ".json", ".csv")


def command(
    fit: FitFolder,
    on: Annotated[str, typer.Option("--on", metavar="SITE", show_default=False, help="The outcome's site.")],
    do: Do,
    to: Annotated[
        float | None,
        typer.Option("--to", metavar="VALUE", help="Where the answer would have to move; default: the naive answer."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="The picture (.svg, .png, .html) or the numbers (.json, .csv)."),
    ] = None,
    model: ModelFile = None,
    limit: Annotated[float, typer.Option("--limit", metavar="X", help="The greatest strength tried, up to 4.")] = 3.0,
    draws: Annotated[int, typer.Option("--draws", metavar="N", help="Posterior draws for the change.")] = 4,
    rows: Annotated[int, typer.Option("--rows", metavar="N", help="Opportunities in each draw.")] = 300,
    seed: Seed = 0,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """How strong an unseen cause of exposure and outcome must be to move an answer of `effect` to a value.

    A strength is what one standard deviation of the unseen cause adds to the log-odds of exposure and of the outcome.
    The causes that the model has stand beside it on the same scale.

    Example:

        counterlog sensitivity fit --on click --do exposure=1
        counterlog sensitivity fit --on rating --do exposure=1 --to 3 --out contour.svg --json
    """
    if out is not None:
        if out.suffix.lower() not in _FORMATS:
            raise InputError(f"--out {out}: the suffix {out.suffix!r} is no format; one of {', '.join(_FORMATS)}")
        guard_output(out, force=force)
    done = parse_do(do)
    fitted = open_fit(fit, model)
    from counterlog.query import sensitivity

    with progress("sensitivity") as update:
        found = sensitivity(
            fitted,
            on,
            done,
            to,
            rng=seed,
            draws=draws,
            rows=rows,
            limit=limit,
            progress=lambda done, total: update(done, total=total),
        )
    if out is not None:
        _write(found, out)
    if not fitted.converged:
        say(f"Warning: the fit has not converged: {fitted.convergence.message}.")
    if as_json:
        print_json({**found.to_json(), **({"out": out} if out else {})})
    else:
        print(found.to_text())
        if out is not None:
            say(f"Written: {out}")


def _write(found: Sensitivity, out: Path) -> None:
    """The picture or the numbers, whole or not at all."""
    kind = out.suffix.lower()
    data: bytes
    if kind == ".png":
        data = found.png()
    elif kind == ".csv":
        data = found.to_frame().to_csv(index=False).encode()
    elif kind == ".json":
        data = json.dumps(plain(found.to_json()), indent=2, allow_nan=False).encode()
    else:
        page = f"<!doctype html><meta charset='utf-8'><title>Sensitivity</title>{found._repr_html_()}"
        data = (found.svg() if kind == ".svg" else page).encode()
    out.parent.mkdir(parents=True, exist_ok=True)
    draft = out.with_name(f".{out.name}.{secrets.token_hex(6)}.part")
    try:
        draft.write_bytes(data)
        os.replace(draft, out)
    finally:
        draft.unlink(missing_ok=True)
