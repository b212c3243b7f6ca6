"""MODEL as users write it: a file, a program in a file, or the name of a zoo model."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import util
from pathlib import Path
from types import ModuleType

from counterlog.errors import InputError, ModelError, unknown_name
from counterlog.model.program import SCM


def load_model(spec: str | Path) -> SCM:
    """The SCM that ``spec`` names: ``file.py``, ``file.py:name`` or a zoo model's name. Runs the file: it is the user's
    code.

    Raises
    ------
    InputError
        No such file.
    UnknownNameError
        No such zoo model, no such program in the file, a role without a site.
    ModelError
        The file raises (with its own line number), or holds no program or several.
    """
    text = str(spec)
    file, _, name = text.rpartition(":") if ".py:" in text else (text, "", "")
    if not file.endswith(".py"):
        from counterlog import zoo

        found: SCM = zoo.load(file)
        return found
    path = Path(file)
    if not path.is_file():
        raise InputError(
            f"no model file {file!r} in {Path.cwd()}; give a Python file, file.py:name, or a zoo model's name"
        )
    every = {k: v for k, v in vars(_run(path)).items() if isinstance(v, SCM)}
    own = {k: v for k, v in every.items() if v.file == path.resolve()}
    programs = own if own and name not in every else every  # what a file imports does not count beside its own
    if not programs:
        raise ModelError(f"{path.name} has no program: decorate a function of the view with @counterlog.scm(...)")
    if name and name not in programs:
        raise unknown_name("program", name, programs, f"Programs are the functions decorated with @scm in {path.name}.")
    if not name and len(programs) > 1:
        raise ModelError(
            f"{path.name} has {len(programs)} programs; say which: {', '.join(f'{path}:{k}' for k in programs)}"
        )
    chosen = name or next(iter(programs))
    scm = programs[chosen]
    if scm.file != path.resolve():  # its roles are declared here, its sites elsewhere
        scm = replace(scm, declared=f"{path.resolve()}:{chosen}")
    scm.validate()
    return scm


def _run(path: Path) -> ModuleType:
    loader = util.spec_from_file_location(f"counterlog_model_{path.stem}", path)
    if loader is None or loader.loader is None:
        raise ModelError(f"{path.name} cannot be read as Python")
    module = util.module_from_spec(loader)
    wrote, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # reading a model leaves nothing beside it
    sys.modules[module.__name__] = module  # dataclasses look their module up while it runs
    try:
        with _beside(path.resolve().parent):
            loader.loader.exec_module(module)
    except SyntaxError as error:
        raise ModelError(f"{path.name}, line {error.lineno}: {error.msg}") from error
    except (Exception, SystemExit) as error:
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if Path(f.filename).name == path.name]
        raise ModelError(f"{path.name}, line {lines[-1] if lines else '?'}: {type(error).__name__}: {error}") from error
    finally:
        sys.dont_write_bytecode = wrote
        sys.modules.pop(module.__name__, None)
    return module


@contextmanager
def _beside(folder: Path) -> Iterator[None]:
    """Let a file import what lies beside it, as it could if it were run; models of another folder may have the same
    names, so nothing of it stays.
    """
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None)
            if file is not None and Path(file).resolve().is_relative_to(folder) and "site-packages" not in file:
                del sys.modules[name]
