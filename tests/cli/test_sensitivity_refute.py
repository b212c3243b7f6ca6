"""``counterlog sensitivity`` and ``counterlog refute`` through the real executable."""

import json
from pathlib import Path

import pyarrow.csv as pacsv
import pytest
from tests.cli.conftest import QUICK, ROLES, write_log

from counterlog.cli import main

ASK = ["sensitivity", "fit", "--on", "click", "--do", "exposure=1", "--rows", "40", "--draws", "1"]


def test_sensitivity_has_its_keys_and_writes_the_picture(fitted: Path, run_cli) -> None:
    run = run_cli(*ASK, "--to", "0.2", "--out", "contour.svg", "--json", env=QUICK, expect=0)
    found = run.json()
    keys = {"estimate", "interval", "to", "strength", "strength_of_limit", "table", "curve", "benchmarks", "e_value"}
    assert keys <= set(found)
    assert found["to"] == 0.2
    assert {b["site"] for b in found["benchmarks"]} >= {"appeal", "taste", "device"}
    assert "<svg" in (fitted / "contour.svg").read_text()
    assert found["out"] == "contour.svg"


def test_sensitivity_in_words_and_in_other_formats(
    fitted: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(fitted)
    assert main([*ASK, "--out", "table.csv"]) == 0
    said = capsys.readouterr().out
    for words in ("naive answer", "E-value", "appeal", "assumes"):
        assert words in said
    assert len(pacsv.read_csv(fitted / "table.csv")) == 7 * 13
    assert main([*ASK, "--to", "0.2", "--out", "page.html"]) == 0
    assert "charset" in (fitted / "page.html").read_text()[:80]
    assert main([*ASK, "--to", "0.2", "--out", "all.json"]) == 0
    assert json.loads((fitted / "all.json").read_text())["to"] == 0.2


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ([*ASK, "--out", "chart.gif"], "is no format"),
        ([*ASK, "--out", "mine.py"], "is no format"),
        ([*ASK, "--to", "2"], "lies between 0 and 1"),
        ([*ASK[:5], "exposure=0"], "act on the exposure"),
        ([*ASK[:5], "exposur=1"], "did you mean 'exposure'"),
        (["sensitivity", "fit", "--on", "exposure", "--do", "exposure=1"], "ask on 'click'"),
        ([*ASK, "--limit", "9"], "limit in"),
        (["refute", "fit", "other.parquet", *ROLES], "another log"),
        (["refute", "fit", "log.parquet", *ROLES, "--repeats", "0"], "repeats must be at least 1"),
        (["refute", "fit", "absent.parquet", *ROLES], "absent.parquet"),
    ],
)
def test_what_is_refused_comes_with_one_message_and_nothing_written(
    fitted: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], args: list[str], words: str
) -> None:
    monkeypatch.chdir(fitted)
    write_log(fitted / "log.parquet")
    write_log(fitted / "other.parquet", seed=1)
    before = {path.name for path in fitted.iterdir()}
    assert main(args) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("Error:") == 1
    assert {path.name for path in fitted.iterdir()} == before


def test_refute_gives_every_refuter_with_status_numbers_and_advice(fitted: Path, run_cli) -> None:
    write_log(fitted / "log.parquet")
    run = run_cli("refute", "fit", "log.parquet", *ROLES, "--repeats", "1", "--json", env=QUICK, expect=0)
    found = run.json()
    names = [result["name"] for result in found["refuters"]]
    assert names[:4] == ["placebo exposure", "random common cause", "subset", "dummy outcome"]
    assert "back-door estimate" in names
    assert "implied independences" in names
    assert found["verdict"] in ("PASS", "REVIEW")
    for result in found["refuters"]:
        assert {"status", "statistic", "p_value", "rate", "message", "advice"} <= set(result)
        assert result["status"] in ("PASS", "REVIEW", "SKIPPED")
    assert "placebo exposure: fit 1" in run.stderr


def test_refute_in_words(fitted: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(fitted)
    write_log(fitted / "log.parquet")
    ask = ["refute", "fit", "log.parquet", *ROLES, "--repeats", "1", "--do", "exposure=0"]
    assert main(ask) == 0
    said = " ".join(capsys.readouterr().out.split())
    for words in ("SKIPPED", "random common cause", "Verdict:", "was not asked here"):
        assert words in said
