"""``counterlog effect`` through the real executable, and how ``--do`` is read."""

import json
from pathlib import Path

import pyarrow.csv as pacsv
import pytest
from tests.cli.conftest import QUICK

from counterlog.cli import main
from counterlog.cli.do_option import parse_do
from counterlog.errors import CounterlogError


def test_the_answer_has_its_fixed_keys(fitted: Path, run_cli) -> None:
    run = run_cli("effect", "fit", "--on", "click", "--do", "exposure=1", "--by", "item", "--json", env=QUICK, expect=0)
    answer = run.json()
    assert {"estimate", "interval", "level", "naive", "rung", "card", "groups"} <= set(answer)
    assert {"identified", "estimand", "assumptions", "overlap", "sensitivity"} <= set(answer["card"])
    low, high = answer["interval"]
    assert low < answer["estimate"] < high
    assert (answer["level"], answer["rung"], answer["do"]) == (0.9, "L2", "do(exposure=1)")
    assert answer["card"]["identified"] is False, "appeal is an unseen common cause"
    assert "appeal" in answer["card"]["because"]
    assert [g["group"] for g in answer["groups"]] == [str(k) for k in range(12)]
    assert {"estimate", "interval", "naive", "rows"} <= set(answer["groups"][0])


def test_people_get_the_number_the_naive_answer_and_the_card_in_words(
    fitted: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(fitted)
    ask = ["effect", "fit", "--on", "click", "--draws", "10"]
    assert main([*ask, "--do", "exposure=1", "--by", "user", "--out", "users.csv"]) == 0
    said = capsys.readouterr().out
    for words in ("click under do(exposure=1)", "90% interval", "naive", "assumes", "overlap", "15 largest of 20"):
        assert words in said
    groups = pacsv.read_csv(fitted / "users.csv").to_pylist()
    assert len(groups) == 20
    assert {"group", "estimate", "low", "high", "naive", "rows"} == set(groups[0])
    assert main([*ask, "--do", "exposure=1", "--by", "user", "--out", "users.csv"]) == 2
    assert main([*ask, "--do", "appeal+=1", "--versus", "appeal+=0", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["estimate"] > 0, "what appeals more is shown and clicked more"
    assert answer["versus"] == "do(appeal += 0)"


def test_a_model_that_moved_is_named_by_hand(
    fitted: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(fitted)
    about = json.loads((fitted / "fit" / "fit.json").read_text())
    about["model"]["file"] = "/nowhere/mine.py"
    (fitted / "fit" / "fit.json").write_text(json.dumps(about))
    ask = ["effect", "fit", "--on", "click", "--do", "exposure=1", "--draws", "10", "--json"]
    assert main(ask) == 2
    assert "--model" in capsys.readouterr().err
    assert main([*ask, "--model", "mine.py"]) == 0
    (fitted / "mine.py").write_text((fitted / "mine.py").read_text() + "\n# changed\n")
    capsys.readouterr()
    assert main([*ask, "--model", "mine.py"]) == 2
    assert "changed since the fit" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (["exposure=1"], "do(exposure=1)"),
        (["exposure = 1, popularity=0"], "do(exposure=1, popularity=0)"),
        (["exposure=1", "popularity=-0.25"], "do(exposure=1, popularity=-0.25)"),
        (["popularity+=0.5"], "do(popularity += 0.5)"),
        (["popularity-=1e-1"], "do(popularity += -0.1)"),
        (["popularity->exposure=cut"], "do(cut popularity -> exposure)"),
        (["cut:popularity -> exposure, rating=3"], "do(rating=3, cut popularity -> exposure)"),
        (["exposure=uniform"], "do(exposure ~ uniform)"),
        (["exposure=uniform:0.2,popularity=0"], "do(popularity=0, exposure ~ uniform(0.2))"),
    ],
)
def test_do_is_read(given: list[str], meant: str) -> None:
    assert parse_do(given).describe() == meant


def test_do_takes_a_policy_from_a_file_whose_name_has_a_comma(tmp_path: Path) -> None:
    file = tmp_path / "a,b.py"
    file.write_text("def half(rows):\n    return 0.5\n")
    done = parse_do([f"popularity=0,exposure={file}:half"])
    assert done.describe() == "do(popularity=0, exposure ~ half)"
    assert done.replaced["exposure"](None) == 0.5


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["exposure"], "SITE=NUMBER"),
        (["=1"], "SITE=NUMBER"),
        ([""], "SITE=NUMBER"),
        (["exposure=shown"], "neither a number nor a policy"),
        (["exposure=nan"], "finite"),
        (["popularity+=much"], "popularity+=0.5"),
        (["exposure=1,exposure=0"], "acted on once"),
        (["exposure=1", "exposure=0"], "acted on once"),
        (["exposure=uniform:2"], "in (0, 1]"),
        (["exposure=uniform:x"], "uniform:0.2"),
        (["exposure=absent.py:f"], "absent.py"),
    ],
)
def test_do_that_cannot_be_read(given: list[str], words: str) -> None:
    with pytest.raises(CounterlogError) as caught:
        parse_do(given)
    assert words in str(caught.value)


def test_the_card_warns_of_what_the_checks_find(fitted: Path, run_cli) -> None:
    """300 steps on 240 rows: whatever the checks find, the card says the same."""
    told = run_cli("diagnose", "fit", "--restarts", "0", "--json", expect=0).json()
    found = [f"{f['status']} {f['name']}" for f in told["findings"] if f["status"] != "PASS"]
    card = run_cli("effect", "fit", "--on", "click", "--do", "exposure=1", "--check", "--json", expect=0).json()["card"]
    warned = [warning.partition(":")[0] for warning in card["warnings"] if not warning.startswith("not converged")]
    assert warned == found
