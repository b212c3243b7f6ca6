"""The models to start from: ``counterlog.zoo.self_selection`` is the SCM of ``models/self_selection.py``.

Each model is one self-contained file: copy it (``counterlog models copy self_selection``) and edit the copy.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from counterlog.errors import unknown_name

if TYPE_CHECKING:
    from counterlog.model import SCM


def folder() -> Path:
    """The folder with the model files: inside an installed package, beside ``src`` in a checkout."""
    installed = Path(__file__).with_name("_models")
    return installed if installed.is_dir() else Path(__file__).resolve().parents[2] / "models"


def names() -> list[str]:
    """The names of all models, sorted."""
    return sorted(file.stem for file in folder().glob("*.py") if not file.stem.startswith("_"))


def path(name: str) -> Path:
    """The file of one model.

    Raises
    ------
    UnknownNameError
        For a name that no model has, with the nearest ones.
    """
    if name not in names():
        raise unknown_name("model", name, names(), "A model of your own is given as file.py or file.py:name.")
    return folder() / f"{name}.py"


def summary(name: str) -> str:
    """The first line of a model's docstring, read without running the file."""
    doc = ast.get_docstring(ast.parse(path(name).read_text(encoding="utf-8"))) or ""
    return doc.partition("\n")[0]


@cache
def load(name: str) -> SCM:
    """The SCM of one model; the same object every time.

    Raises
    ------
    UnknownNameError
        For a name that no model has, with the nearest ones.
    """
    file = path(name)
    from counterlog.model import load_model

    return load_model(f"{file}:{name}")


def __getattr__(name: str) -> SCM:
    if name.startswith("_") or name not in names():
        raise AttributeError(f"the zoo has no model {name!r}; models: {', '.join(names())}")
    return load(name)


def __dir__() -> list[str]:
    return sorted([*names(), "folder", "load", "names", "path", "summary"])
