"""Rules of the code as a whole: who may import whom, what stays light, what is never used."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import counterlog

SOURCE = Path(counterlog.__file__).parent
#: Each package imports only from packages above its own row (docs/architecture.md).
ROWS = (
    ("errors", "rng"),
    ("finding",),
    ("logs",),
    ("model",),
    ("zoo",),
    ("inference",),
    ("identification",),
    ("query",),
    ("synth",),
    ("auditing",),
    ("datasets",),
    ("testing",),
    ("cli",),
)
LEVEL = {name: level for level, row in enumerate(ROWS) for name in row}
#: (file, package): why this one import goes the other way.
EXCEPTIONS = {
    ("model/load.py", "zoo"): "MODEL may be the name of a zoo model, and the zoo loads its files with load_model",
}
FILES = sorted(SOURCE.rglob("*.py"))
INSIDE = [file for file in FILES if file.parent != SOURCE or file.stem in LEVEL]


def relative(file: Path) -> str:
    return file.relative_to(SOURCE).as_posix()


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and full name of everything that is imported, what is imported for type checkers only left out."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute"
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
        else:
            yield from imports(node)


def package(name: str) -> str | None:
    """The package of counterlog that an imported name belongs to; public names of the top level by their home."""
    parts = name.split(".")
    if parts[0] != "counterlog" or parts[1:] == ["__version__"]:
        return None
    first = parts[1] if len(parts) > 1 else ""
    return first if first in LEVEL else counterlog._HOME.get(first, f"counterlog.{name}").split(".")[1]


@pytest.mark.parametrize("file", INSIDE, ids=relative)
def test_imports_go_one_way(file: Path) -> None:
    own = relative(file).split("/")[0].removesuffix(".py")
    wrong = []
    for line, name in imports(ast.parse(file.read_text(encoding="utf-8"))):
        other = package(name)
        if other is None or other == own or (relative(file), other) in EXCEPTIONS:
            continue
        if LEVEL[other] >= LEVEL[own]:
            wrong.append(f"{relative(file)}:{line} imports {name}: {own} is above {other}")
    assert wrong == []


def test_every_package_has_its_row() -> None:
    here = {file.stem for file in SOURCE.glob("[!_]*.py")} | {
        folder.parent.name for folder in SOURCE.glob("*/__init__.py")
    }
    assert here <= set(LEVEL)


@pytest.mark.parametrize("file", FILES, ids=relative)
def test_files_stay_short_and_without_pickle(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 400
    names = {name.split(".")[0] for _, name in imports(ast.parse(text))}
    assert not names & {"pickle", "cloudpickle", "joblib", "dill", "shelve", "marshal"}


@pytest.mark.parametrize("library", ["arviz", "dowhy", "y0"])
def test_a_library_that_changes_much_stands_behind_one_module(library: str) -> None:
    users = [
        relative(file)
        for file in FILES
        if any(name.split(".")[0] == library for _, name in imports(ast.parse(file.read_text(encoding="utf-8"))))
    ]
    assert len(users) <= 1, users


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("counterlog", ("torch", "pandas", "numpy", "pyarrow", "matplotlib")),
        ("counterlog.logs", ("torch", "pyro", "matplotlib", "altair")),
        ("counterlog.auditing", ("torch", "pyro", "altair")),
        ("counterlog.synth.store", ("torch", "pyro")),
        ("counterlog.zoo", ("torch", "pyro")),
        ("counterlog.datasets", ("torch", "pyro")),
    ],
)
def test_what_is_light_stays_light(module: str, heavy: tuple[str, ...]) -> None:
    code = f"import sys, {module}; print(*[m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def test_every_public_name_exists() -> None:
    missing = []
    for name in counterlog._HOME:
        try:
            getattr(counterlog, name)
        except (ImportError, AttributeError) as error:
            missing.append(f"{name}: {error}")
    assert missing == []


def test_an_unknown_public_name_lists_the_known_ones() -> None:
    with pytest.raises(AttributeError, match="read_log"):
        counterlog.raed_log  # noqa: B018
