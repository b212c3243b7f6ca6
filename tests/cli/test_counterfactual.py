"""`counterlog counterfactual` through the real executable, its refusals in this process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from counterlog.cli import main
from counterlog.synth import open_store


@pytest.fixture
def here(fitted: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the fit, as the working folder of this process."""
    monkeypatch.chdir(fitted)
    return fitted


ASK = ["fit", "fit/log", "--model", "mine.py"]


def test_the_events_in_another_world_and_again_from_their_card(here: Path, run_cli, capsys) -> None:
    told = run_cli("counterfactual", *ASK, "--do", "shown=1", "--draws", "10", "--json", "--out", "s", expect=2)
    assert "shown" in told.stderr  # the column's name is not the site's
    told = run_cli(
        "counterfactual", *ASK, "--do", "exposure=1", "--draws", "10", "--out", "s", "--json", expect=0
    ).json()
    assert {"store", "batch", "version", "rows", "card", "average"} <= set(told)
    table = open_store("s").read()
    assert table.num_rows == told["rows"]
    assert {"click", "click_counterfactual", "click_counterfactual_probability", "shown_counterfactual"} <= set(
        table.schema.names
    )
    assert set(table["source"].to_pylist()) == {"counterfactual"}
    Path("card.json").write_text(json.dumps(told["card"]))
    assert main(["counterfactual", *ASK, "--card", "card.json", "--out", "again", "--json"]) == 0
    second = json.loads(capsys.readouterr().out)
    assert second["card"]["data_hash"] == told["card"]["data_hash"]


def test_what_people_read(here: Path, capsys) -> None:
    ask = ["counterfactual", *ASK, "--do", "exposure=1", "--draws", "10", "--out", "s", "--cause", "exposure"]
    assert main(ask) == 0
    out = capsys.readouterr().out
    for words in ("click of", "90% interval", "bounds", "sufficiency", "L3, counterfactual", "rests on"):
        assert words in out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--do", "exposre=1"], "did you mean 'exposure'"),
        (["--do", "exposure->click=cut"], "cut edge"),
        (["--do", "exposure=1", "--draws", "2"], "at least 10 draws"),
        ([], "--do"),
        (["--do", "exposure=1", "--card", "x.json"], "not both"),
        (["--do", "exposure=1", "--cause", "appeal"], "does not show 'appeal'"),
    ],
)
def test_refusals_write_nothing(here: Path, capsys, options: list[str], words: str) -> None:
    assert main(["counterfactual", *ASK, *options, "--out", "nothing"]) == 2
    said = capsys.readouterr()
    assert words in said.err
    assert said.out == ""
    assert not Path("nothing").exists()


def test_a_log_of_strangers_is_refused(here: Path, capsys) -> None:
    Path("other.csv").write_text("user,item,shown,click,device\nnobody,1,1,1,tv\n")
    roles = ["--exposure", "shown", "--outcome", "click", "--outcome-kind", "click", "--context", "device"]
    assert (
        main(["counterfactual", "fit", "other.csv", *roles, "--model", "mine.py", "--do", "exposure=1", "--out", "n"])
        == 2
    )
    assert "not made for" in capsys.readouterr().err
    assert not Path("n").exists()
