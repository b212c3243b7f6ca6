"""``counterlog diagnose`` through the real executable."""

from pathlib import Path

import pytest
from tests.cli.conftest import QUICK, ROLES, write_log

from counterlog.cli import main


def test_diagnose_gives_every_check_with_status_numbers_and_advice(fitted: Path, run_cli) -> None:
    run = run_cli("diagnose", "fit", "--restarts", "0", "--out", "page.html", "--json", env=QUICK, expect=0)
    found = run.json()
    assert found["verdict"] in ("PASS", "REVIEW", "FAIL")
    names = [finding["name"] for finding in found["findings"]]
    assert names[0] == "convergence"
    assert {"guide_location", "guide_width", "khat_users", "contraction", "outcome_by_prediction"} <= set(names)
    for finding in found["findings"]:
        assert {"name", "status", "value", "interval", "message", "advice"} <= set(finding)
        assert finding["status"] in ("PASS", "REVIEW", "FAIL")
    assert {"restarts", "simulation_based_calibration"} <= set(found["skipped"])
    assert "<svg" in (fitted / "page.html").read_text("utf-8")


def test_diagnose_in_words_with_another_log(
    fitted: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(fitted)
    write_log(fitted / "heldout.parquet", seed=2)
    assert main(["diagnose", "fit", "--log", "heldout.parquet", *ROLES, "--restarts", "0", "--out", "all.svg"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    for words in ("Verdict:", "SKIPPED", "user_activity", "k-hat", "was not asked for"):
        assert words in said
    assert (fitted / "all.svg").read_text("utf-8").startswith("<svg")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["diagnose", "absent"], "absent"),
        (["diagnose", "fit", "--restarts", "-1"], "restarts must be at least 0"),
        (["diagnose", "fit", "--sbc", "2"], "say nothing about ranks"),
        (["diagnose", "fit", "--out", "chart.gif"], "is no format"),
        (["diagnose", "fit", "--out", "mine.svg"], "add --force"),
        (["diagnose", "fit", "--exposure", "shown"], "give --log too"),
        (["diagnose", "fit", "--log", "absent.csv"], "absent.csv"),
        (["diagnose", "fit", "--log", "log.parquet", *ROLES[:6]], "other roles"),
    ],
)
def test_what_is_refused_comes_with_one_message_and_nothing_written(
    fitted: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], args: list[str], words: str
) -> None:
    monkeypatch.chdir(fitted)
    write_log(fitted / "log.parquet")
    (fitted / "mine.svg").write_text("my own")
    before = {path.name for path in fitted.iterdir()}
    assert main(args) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("Error:") == 1
    assert {path.name for path in fitted.iterdir()} == before
