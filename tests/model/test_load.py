"""A model file that cannot be used is one clear message with its own line number."""

from __future__ import annotations

from pathlib import Path

import pytest

from counterlog import zoo
from counterlog.errors import InputError, ModelError, UnknownNameError
from counterlog.model import load_model

HEAD = """from __future__ import annotations

from dataclasses import dataclass

import pyro
import pyro.distributions as dist

from counterlog import scm

"""
PROGRAM = """
@scm(exposure="exposure", outcome="click")
def {name}(view):
    with view.opportunities():
        pyro.sample("exposure", dist.Bernoulli(0.5))
        pyro.sample("click", dist.Bernoulli(0.1))

"""


def write(folder: Path, *parts: str) -> Path:
    path = folder / "mine.py"
    path.write_text(HEAD + "".join(parts), encoding="utf-8")
    return path


def test_a_file_a_program_in_it_and_the_zoo(tmp_path: Path) -> None:
    path = write(tmp_path, PROGRAM.format(name="first"))
    assert load_model(path).name == "first"
    assert load_model(f"{path}:first").name == "first"
    assert load_model("self_selection") is zoo.load("self_selection")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine.py"]  # reading leaves nothing beside it


def test_dataclasses_and_imported_programs_are_no_hindrance(tmp_path: Path) -> None:
    import sys

    settings = "@dataclass\nclass Settings:\n    size: int = 3\n\n"
    path = write(tmp_path, "from counterlog.zoo import self_selection\n\n", settings, PROGRAM.format(name="first"))
    assert load_model(path).name == "first"
    assert load_model(f"{path}:self_selection").name == "self_selection"
    assert not [name for name in sys.modules if name.startswith("counterlog_model_")]


@pytest.mark.parametrize(
    ("parts", "line", "said"),
    [
        (("x = 1\ny = x / 0\n",), 11, "ZeroDivisionError"),
        (("def f(:\n",), 10, "invalid syntax"),
        (("import nothing_of_that_name\n",), 10, "ModuleNotFoundError"),
        (("raise SystemExit(0)\n",), 10, "SystemExit"),
    ],
)
def test_a_file_that_raises_says_where(tmp_path: Path, parts: tuple[str, ...], line: int, said: str) -> None:
    with pytest.raises(ModelError, match=rf"mine\.py, line {line}: .*{said}"):
        load_model(write(tmp_path, *parts))


def test_no_program_or_several(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"mine\.py has no program: decorate"):
        load_model(write(tmp_path))
    path = write(tmp_path, PROGRAM.format(name="first"), PROGRAM.format(name="second"))
    with pytest.raises(ModelError, match=r"2 programs; say which: .*mine\.py:first, .*mine\.py:second"):
        load_model(path)
    assert load_model(f"{path}:second").name == "second"
    with pytest.raises(UnknownNameError, match=r"no program 'secnd'; known: first, second; did you mean 'second'"):
        load_model(f"{path}:secnd")


def test_no_such_file_and_no_such_zoo_model(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no model file '.*nowhere\.py'"):
        load_model(tmp_path / "nowhere.py")
    with pytest.raises(UnknownNameError, match="did you mean 'self_selection'"):
        load_model("self_selecton")


def test_a_program_that_raises_has_its_own_line(tmp_path: Path) -> None:
    path = write(
        tmp_path, PROGRAM.format(name="first").replace("    with view", "    broken = view.sizes\n    with view")
    )
    with pytest.raises(ModelError, match=r"first raises AttributeError in line 13 of mine\.py: .*'sizes'"):
        load_model(path)


def test_a_role_without_a_site_is_found_on_loading(tmp_path: Path) -> None:
    path = write(tmp_path, PROGRAM.format(name="first").replace('outcome="click"', 'outcome="clicks"'))
    with pytest.raises(UnknownNameError, match=r"no site 'clicks'.*did you mean 'click'"):
        load_model(path)


def test_a_bytes_file_is_no_model(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_bytes(b"\xff\xfe\x00x = 1")
    with pytest.raises(ModelError, match=r"mine\.py"):
        load_model(path)
