"""The wheel: built through the source archive, complete, and usable without the repository."""

import os
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the source archive, so that both are known to be complete. Needs no network."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(root)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_wheel_holds_the_zoo_and_the_embedded_data(root: Path, names: set[str]) -> None:
    models = {f"counterlog/_models/{p.name}" for p in (root / "models").glob("*.py")}
    assert models
    assert models <= names
    data = {f"counterlog/{p.relative_to(root / 'src/counterlog').as_posix()}" for p in root.glob("src/**/*.parquet")}
    assert data
    assert data <= names


def test_wheel_holds_the_licences_and_nothing_that_is_not_the_package(wheel: Path, names: set[str]) -> None:
    assert {name.rpartition("/")[2] for name in names if "/licenses/" in name} == {"LICENSE", "NOTICE"}
    assert {name.split("/")[0].partition("-")[0] for name in names} == {"counterlog"}
    assert not [name for name in names if "coat" in name.lower() and not name.endswith(".py")]
    assert wheel.stat().st_size < 5_000_000


def test_metadata(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (file,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        (entry,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
        text = archive.read(file).decode()
        assert "counterlog = counterlog.cli:main" in archive.read(entry).decode()
    assert "License-Expression: Apache-2.0" in text
    assert "Requires-Python: >=3.11" in text
    assert "Requires-Dist: torch>=2.6\n" in text.replace("\r\n", "\n")  # no upper bound outside of constraints.txt


def test_wheel_works_without_the_repository(wheel: Path, tmp_path: Path, root: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    code = (
        "import counterlog, sys; from counterlog import zoo; from counterlog.cli import main\n"
        "print(counterlog.__file__); print(zoo.folder()); print(*zoo.names())\n"
        "sys.exit(main(['models', 'copy', 'self_selection', '--to', 'mine.py']))"
    )
    env = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    package, folder, names = done.stdout.splitlines()
    assert Path(package).is_relative_to(tmp_path)
    assert Path(folder).is_relative_to(tmp_path)
    assert set(names.split()) == {p.stem for p in (root / "models").glob("[!_]*.py")}
    assert (tmp_path / "mine.py").read_bytes() == (root / "models" / "self_selection.py").read_bytes()


def test_licence_files_are_complete(root: Path) -> None:
    licence = (root / "LICENSE").read_text()
    assert "Apache License" in licence
    assert "END OF TERMS AND CONDITIONS" in licence
    notice = (root / "NOTICE").read_text()
    assert "CC BY-SA 4.0" in notice
    assert "Chongming Gao" in notice


@pytest.mark.skipif(not os.environ.get("CI"), reason="says something about the machine of CI only")
def test_set_up_installs_no_cuda_libraries() -> None:
    found = [name for d in metadata.distributions() if (name := d.metadata["Name"] or "").startswith("nvidia-")]
    assert found == []
