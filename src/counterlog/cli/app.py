"""The ``counterlog`` program: a table of commands, each imported only when it is asked for."""

from __future__ import annotations

import inspect
import os
import re
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Annotated, Any

import typer
import typer.core
import typer.main

from counterlog import __version__
from counterlog.cli import errors
from counterlog.errors import unknown_name

#: Command -> (module, the line that `counterlog --help` shows). The module has a function `command`, or a
#: `typer.Typer` called `app` when the command has commands of its own.
COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("counterlog.cli.demo", "The main job end to end: check, fit, ask, sample, audit."),
    "check": ("counterlog.cli.check", "Every problem of a log at once, with the cure."),
    "describe": ("counterlog.cli.describe", "The empirical distributions of a log."),
    "graph": ("counterlog.cli.graph", "The causal graph, read from the program."),
    "identify": ("counterlog.cli.identify", "Is an effect identified by graph and log; if not, why."),
    "fit": ("counterlog.cli.fit", "Fit a model to a log; goes on where it stopped."),
    "polish": ("counterlog.cli.polish", "Markov chains from a fit: intervals that rest on no guide."),
    "diagnose": ("counterlog.cli.diagnose", "Is a fit to be trusted, check by check."),
    "predict": ("counterlog.cli.predict", "The outcome under exposure for pairs, with intervals."),
    "effect": ("counterlog.cli.effect", "A mean or contrast under an intervention, with its card."),
    "sensitivity": ("counterlog.cli.sensitivity", "How strong an unseen cause must be to move an answer."),
    "refute": ("counterlog.cli.refute", "Try to refute an answer by what should not matter."),
    "simulate": ("counterlog.cli.simulate", "A synthetic log under an intervention, into a store."),
    "counterfactual": ("counterlog.cli.counterfactual", "The same events in another world, into a versioned store."),
    "audit": ("counterlog.cli.audit", "Findings on logs and fits: PASS, REVIEW, FAIL."),
    "history": ("counterlog.cli.history", "The batches of a store with their cards."),
    "export": ("counterlog.cli.export", "A batch of a store in another tool's format."),
    "models": ("counterlog.cli.models", "The models to start from: list them, copy one."),
    "doctor": ("counterlog.cli.doctor", "The environment: versions, threads, memory, known trouble."),
}


class LazyGroup(typer.core.TyperGroup):
    """A group of commands that knows their names and one-line helps without importing them."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The names, in the order of the main job."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A stand-in that carries the one-line help; `resolve_command` loads the command itself."""
        if cmd_name not in COMMANDS:
            return None
        return typer.core.TyperCommand(name=cmd_name, help=COMMANDS[cmd_name][1], rich_markup_mode=None)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Load the command that is going to run, or refuse an unknown name."""
        name = args[0]
        if name not in COMMANDS:
            raise unknown_name("command", name, COMMANDS, "`counterlog --help` lists them.")
        return name, load_command(name), args[1:]

    def invoke(self, ctx: Any) -> Any:
        """Run the command; Ctrl-C becomes an exception of ours."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            # Typer turns KeyboardInterrupt into a bare exit status; ours comes with a message.
            raise errors.Interrupted from stop


def load_command(name: str) -> Any:
    """Import one command's module and build the command."""
    module = import_module(COMMANDS[name][0])
    app = getattr(module, "app", None)
    if app is None:
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        app.command(name, help=help_text(module.command), no_args_is_help=False)(module.command)
    return typer.main.get_command(app)


def help_text(function: Callable[..., Any]) -> str:
    """A docstring as help: indented blocks (the example) keep their lines instead of being filled."""
    paragraphs = re.split(r"\n\s*\n", inspect.getdoc(function) or "")
    return "\n\n".join(f"\b\n{p}" if p.startswith(" ") else p for p in paragraphs)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"counterlog {__version__}")
        raise typer.Exit


def _program(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and stop.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error (anywhere on the line).")
    ] = False,
) -> None:
    """Causal, probabilistic models of recommender interaction logs: fit, ask what if, sample, audit."""


def build() -> Any:
    """The whole program as one command object."""
    app = typer.Typer(
        name="counterlog",
        cls=LazyGroup,
        add_completion=False,
        no_args_is_help=True,
        rich_markup_mode=None,
        epilog="\b\nExample:\n  counterlog demo --out demo-out\n  counterlog COMMAND --help",
        context_settings={"help_option_names": ["--help", "-h"]},
    )
    app.callback()(_program)
    return typer.main.get_command(app)


def run(argv: Sequence[str] | None = None) -> int:
    """Parse, run, and turn every outcome into an exit status: 0 done, 2 refused, 130 interrupted, 1 unexpected."""
    args = list(sys.argv[1:] if argv is None else argv)
    own = args[: args.index("--")] if "--" in args else args
    debug = "--debug" in own or os.environ.get("COUNTERLOG_DEBUG", "") not in ("", "0")
    args = [arg for i, arg in enumerate(args) if arg != "--debug" or i >= len(own)]
    try:
        status = build().main(args, prog_name="counterlog", standalone_mode=False)
    except (Exception, KeyboardInterrupt) as error:
        return errors.report(error, as_json="--json" in own, debug=debug)
    return status if isinstance(status, int) else 0
