"""graph, models and doctor through the real executable."""

import shutil
from pathlib import Path

import pytest

from counterlog.cli import main

MODEL = """
import pyro
import pyro.distributions as dist

from counterlog import scm


@scm(exposure="exposure", outcome="click", latent=("taste",))
def world(view, level=0.5):
    strength = pyro.sample("strength", dist.Normal(0.0, 1.0))
    with view.users():
        taste = pyro.sample("taste", dist.Normal(0.0, 1.0))
    with view.opportunities() as o:
        exposure = pyro.sample("exposure", dist.Bernoulli(level))
        pyro.sample("click", dist.Bernoulli(logits=exposure * strength + taste[o.user]))
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    file = tmp_path / "mine.py"
    file.write_text(MODEL)
    return file


def test_graph_draws_and_answers_in_json(run_cli, model: Path, tmp_path: Path) -> None:
    answer = run_cli("graph", "mine.py", "--out", "g.svg", "--json", expect=0).json()
    assert {tuple(edge) for edge in answer["edges"]} == {
        ("strength", "click"),
        ("taste", "click"),
        ("exposure", "click"),
    }
    roles = {node["name"]: (node["role"], node["latent"]) for node in answer["nodes"]}
    assert roles["exposure"] == ("exposure", False)
    assert roles["taste"] == ("latent", True)
    svg = (tmp_path / "g.svg").read_text()
    assert "taste" in svg
    assert "strength" not in svg
    assert run_cli("graph", "mine.py", "--out", "g.svg", "--params", expect=0).stdout.count("->") == 3
    assert "strength" in (tmp_path / "g.svg").read_text()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["g.svg", "mine.py"]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["mine.py", "--out", "g.gif"], "'.gif'"),
        (["mine.py", "--out", "thesis.svg"], "--force"),
        (["absent.py", "--out", "g.svg"], "absent.py"),
        (["self_selektion", "--out", "g.svg"], "did you mean 'self_selection'"),
        (["mine.py:wordl", "--out", "g.svg"], "did you mean 'world'"),
        (["mine.py", "--out", "g.svg", "--set", "levle=1"], "did you mean 'level'"),
        (["mine.py", "--out", "g.svg", "--set", "level"], "NAME=VALUE"),
        (["mine.py", "--out", "mine.py/g.svg"], "is a file"),
    ],
)
def test_graph_refuses_with_one_message_and_writes_nothing(
    model: Path, tmp_path: Path, monkeypatch, capsys, args: list[str], words: str
) -> None:
    (tmp_path / "thesis.svg").write_text("years of work")
    monkeypatch.chdir(tmp_path)  # in this process: the real executable would import torch eight times
    assert main(["graph", *args]) == 2
    stdout, stderr = capsys.readouterr()
    assert words in stderr
    assert len(stderr.strip().splitlines()) == 1
    assert stdout == ""
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine.py", "thesis.svg"]
    assert (tmp_path / "thesis.svg").read_text() == "years of work"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("x = (\n", "line 1"),
        ("import math\n\nmath.sqrt(-1)\n", "line 3"),
        ("x = 1\n", "no program"),
    ],
)
def test_a_model_file_that_cannot_be_used_names_its_line(
    tmp_path: Path, monkeypatch, capsys, body: str, words: str
) -> None:
    (tmp_path / "bad.py").write_text(body)
    monkeypatch.chdir(tmp_path)
    assert main(["graph", "bad.py", "--out", "g.png"]) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "g.png").exists()


def test_models_list_names_each_file_of_the_zoo(run_cli, root: Path) -> None:
    listed = run_cli("models", "list", "--json", expect=0).json()["models"]
    assert [m["name"] for m in listed] == sorted(p.stem for p in (root / "models").glob("[!_]*.py"))
    assert all(m["summary"].endswith(".") for m in listed)
    text = run_cli("models", "list", expect=0).stdout
    assert all(m["name"] in text for m in listed)


def test_models_copy_gives_the_file_and_never_overwrites(run_cli, root: Path, tmp_path: Path) -> None:
    run_cli("models", "copy", "self_selection", expect=0)
    target = tmp_path / "self_selection.py"
    assert target.read_bytes() == (root / "models" / "self_selection.py").read_bytes()
    target.write_text("edited")
    assert "--force" in run_cli("models", "copy", "self_selection", expect=2).stderr
    assert target.read_text() == "edited"
    run_cli("models", "copy", "self_selection", "--force", expect=0)
    assert target.read_text() != "edited"
    answer = run_cli("models", "copy", "self_selection", "--to", "sub/mine.py", "--json", expect=0).json()
    assert answer == {"model": "self_selection", "file": "sub/mine.py"}
    assert (tmp_path / "sub" / "mine.py").exists()


def test_models_copy_of_an_unknown_name(run_cli, tmp_path: Path) -> None:
    assert "did you mean 'latent_exposure'" in run_cli("models", "copy", "latent_exposur", expect=2).stderr
    assert list(tmp_path.iterdir()) == []


def test_zoo_loads_by_attribute_and_by_name() -> None:
    from counterlog import load_model, zoo

    assert zoo.self_selection is zoo.load("self_selection")
    assert zoo.self_selection.name == load_model("self_selection").name == "self_selection"
    assert "self_selection" in dir(zoo)
    with pytest.raises(AttributeError, match="self_selection"):
        zoo.self_selectoin  # noqa: B018


def test_doctor_reports_versions_and_the_machine(run_cli) -> None:
    report = run_cli("doctor", "--json", expect=0).json()
    versions = {p["name"]: p["version"] for p in report["packages"]["core"]}
    assert versions["torch"]
    assert versions["pyro-ppl"]
    assert report["machine"]["cpus"] >= 1
    assert report["ok"], report["problems"]
    assert shutil.which(report["python"]["executable"])
    assert "nothing known to be wrong" in run_cli("doctor", expect=0).stdout


def test_doctor_names_known_trouble(run_cli) -> None:
    report = run_cli("doctor", "--json", env={"OMP_NUM_THREADS": "512"}, expect=0).json()
    assert [p["code"] for p in report["problems"]] == ["threads"]
    assert not report["ok"]
