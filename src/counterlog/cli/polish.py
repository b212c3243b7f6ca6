"""``counterlog polish``: Markov chains from a fit, for intervals that rest on no guide."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from counterlog.cli.output import Force, Json, Seed, print_json, say
from counterlog.cli.saved_fit import FitFolder, ModelFile
from counterlog.errors import InputError


def command(
    fit: FitFolder,
    out: Annotated[Path, typer.Option("--out", metavar="FIT", help="The folder to write.", show_default=False)],
    chains: Annotated[int, typer.Option("--chains", metavar="N", help="Chains; R-hat compares them.")] = 2,
    draws: Annotated[int, typer.Option("--draws", metavar="N", help="Most draws of each chain.")] = 400,
    warmup: Annotated[int, typer.Option("--warmup", metavar="N", help="Steps of adaptation before them.")] = 150,
    depth: Annotated[int, typer.Option("--depth", metavar="N", help="Longest trajectory: 2^N - 1 gradients.")] = 5,
    ess: Annotated[float, typer.Option("--ess", metavar="X", help="Enough effective draws of the answer.")] = 100.0,
    model: ModelFile = None,
    estimate: Annotated[bool, typer.Option("--estimate", help="Say what it would take, and do nothing.")] = False,
    seed: Seed = 0,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Replace a fit's normal posterior by draws of Markov chains. The new FIT is used as any other.

    It says beforehand how long it will take. After Ctrl-C or a kill the same command goes on where it stopped.

    Example:

        counterlog polish fit --estimate --out polished
        counterlog polish fit --out polished
        counterlog effect polished --on rating --do exposure=1
    """
    from counterlog.cli.saved_fit import open_fit
    from counterlog.inference import cost, polish
    from counterlog.inference.display import posterior
    from counterlog.inference.files import refuse_others, save_fit

    if out.resolve() == fit.resolve():
        raise InputError(f"--out {out} is the fit itself; choose another folder, the fit is kept as it is")
    beside = out.with_name(f".{out.name}.chains")
    refuse_others(out, force)
    fitted = open_fit(fit, model)
    expected = cost(fitted, chains, draws, warmup, depth)
    say(f"polishing takes {expected}")
    if estimate:
        if as_json:
            print_json(
                {
                    "seconds_expected": expected.seconds[0],
                    "seconds_most": expected.seconds[1],
                    "bytes": expected.bytes,
                    "gradient_seconds": expected.gradient_seconds,
                }
            )
        return
    options = {"chains": chains, "draws": draws, "warmup": warmup, "depth": depth, "ess": ess}
    polished = polish(fitted, rng=seed, progress=True, checkpoint=beside, **options)  # type: ignore[arg-type]
    save_fit(polished, out, force)
    if polished.chains is None:
        return
    about = polished.chains.about
    if about["r_hat"] > 1.05 or about["ess"] < ess:
        say(
            f"Warning: the chains have not met or are too short: {about['quantity']} has R-hat {about['r_hat']:.2f}, "
            f"effective sample size {about['ess']:.0f}. Give more --draws and --warmup before you trust the interval."
        )
    elif about["worst_r_hat"] > 1.2:
        say(
            f"Note: the chains do not agree on {about['worst_global']} (R-hat {about['worst_r_hat']:.2f}): trust no "
            "answer that rests on it by itself."
        )
    if not as_json:
        print(f"{out}: {posterior(polished)}; {about['seconds']:.0f} s")
        return
    print_json({"fit": out, "model": polished.scm.name, **about, "hash": polished.hash, "seed": seed})
