"""Which models of the zoo have a class of checks, over all files of such classes beside this one."""

from __future__ import annotations

import importlib
from pathlib import Path

from counterlog.testing import SCMChecks


def checked_models() -> set[str]:
    """The names of the models that some ``test_zoo*.py`` puts through the public checks."""
    files = sorted(Path(__file__).parent.glob("test_zoo*.py"))
    modules = [importlib.import_module(f"tests.zoo.{file.stem}") for file in files]
    classes = [value for module in modules for value in vars(module).values() if isinstance(value, type)]
    return {c.scm.name for c in classes if issubclass(c, SCMChecks) and c is not SCMChecks}
