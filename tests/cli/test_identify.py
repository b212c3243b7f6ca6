"""``counterlog identify`` through the real executable."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.conftest import QUICK, ROLES

from counterlog.cli import main


def test_the_answer_has_its_fixed_keys(world: Path, run_cli) -> None:
    ask = ("identify", "mine.py", "--effect-of", "exposure", "--on", "click", "--log", "log.parquet", *ROLES, "--json")
    answer = run_cli(*ask, env=QUICK, expect=0).json()
    assert {"identified", "estimand", "adjust_for", "because", "would_need", "criterion", "observed"} <= set(answer)
    assert answer["identified"] is False
    assert answer["estimand"] is None
    assert answer["because"] == "unseen common causes of exposure and click: appeal"
    assert "a column that shows appeal" in answer["would_need"]
    assert set(answer["observed"]) == {"exposure", "click"}


def test_help_shows_an_example_and_loads_nothing_heavy() -> None:
    code = (
        "import sys; from counterlog.cli import main; main(['identify', '--help']); "
        "print(*[m for m in ('torch', 'dowhy', 'y0', 'networkx', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert "counterlog identify popularity_exposure --effect-of exposure --on click" in done.stdout
    assert done.stdout.splitlines()[-1] == ""


def test_people_get_it_in_words(
    world: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(world)
    assert main(["identify", "popularity_exposure", "--effect-of", "exposure", "--on", "click"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    for words in ("the effect of exposure on click", "identified no", "because", "would need", "rests on the factor"):
        assert words in said
    assert main(["identify", "self_selection", "--effect-of", "popularity, quality", "--on", "exposure", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["effect_of"] == ["popularity", "quality"]
    assert "not observed" in answer["because"]


def test_the_size_of_the_model_can_be_set(capsys: pytest.CaptureFixture[str]) -> None:
    ask = ["identify", "popularity_exposure", "--effect-of", "exposure", "--on", "click", "--json", "--set"]
    assert main([*ask, "dim=2"]) == 0
    capsys.readouterr()
    assert main([*ask, "dmi=2"]) == 2
    assert "dim" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--effect-of", "exposre", "--on", "click"], ["exposre", "exposure"]),
        (["--effect-of", "exposure", "--on", "clik"], ["clik", "click"]),
        (["--effect-of", "click", "--on", "click"], ["itself"]),
        (["--effect-of", "click", "--on", "exposure"], ["exposure", "is a cause of", "click"]),
        (["--effect-of", ",", "--on", "click"], ["effect_of is empty"]),
        (["--effect-of", "exposure", "--on", "click", "--outcome", "click"], ["--outcome", "--log"]),
        (["--effect-of", "exposure", "--on", "click", "--log", "absent.csv"], ["absent.csv"]),
    ],
)
def test_bad_questions_are_refused(given: list[str], words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["identify", "popularity_exposure", *given]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    for word in words:
        assert word in said.err
    assert "Traceback" not in said.err
