"""``counterlog models``: the models to start from."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from counterlog import zoo
from counterlog.cli.app import help_text
from counterlog.cli.output import Force, Json, guard_output, print_json, say

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _models() -> None:
    """
    The models to start from: one self-contained file each, to fork and edit.

    \b
    Example:
      counterlog models list
      counterlog models copy self_selection --to mine.py
      counterlog graph mine.py --out mine.svg
    """  # noqa: D301 - \b keeps the lines of the example


def list_models(json: Json = False) -> None:
    """List the models, each with what it is for.

    Example:

        counterlog models list
    """
    found = [{"name": name, "summary": zoo.summary(name), "file": zoo.path(name)} for name in zoo.names()]
    if json:
        print_json({"models": found})
        return
    width = max((len(str(model["name"])) for model in found), default=0)
    for model in found:
        print(f"{model['name']:<{width}}  {model['summary']}")


def copy_model(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name from `counterlog models list`.")],
    to: Annotated[Path | None, typer.Option("--to", metavar="FILE", help="Where to; NAME.py if left out.")] = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Copy a model's file, to be edited and given as MODEL to the other commands.

    Example:

        counterlog models copy self_selection --to mine.py
    """
    source = zoo.path(name)
    target = to or Path(source.name)
    if target.is_dir():
        target = target / source.name
    guard_output(target, force=force)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    if json:
        print_json({"model": name, "file": target})
    else:
        say(f"wrote {target}; edit it, then: counterlog graph {target} --out graph.svg")


app.command("list", help=help_text(list_models))(list_models)
app.command("copy", help=help_text(copy_model))(copy_model)
