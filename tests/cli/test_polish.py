"""``counterlog polish`` and ``counterlog fit --guide`` through the real executable."""

from pathlib import Path

import pytest
from tests.cli.conftest import QUICK, ROLES

from counterlog.cli import main

SHORT = ["--draws", "50", "--warmup", "50", "--depth", "4", "--ess", "5"]


def test_polished_fits_answer_as_any_other(fitted: Path, run_cli) -> None:
    done = run_cli("polish", "fit", "--out", "polished", *SHORT, "--json", env=QUICK, expect=0)
    found = done.json()
    assert {"r_hat", "ess", "worst_r_hat", "divergences", "quantity", "seconds", "fit"} <= set(found)
    assert "polishing takes about" in done.stderr
    assert not (fitted / ".polished.chains").exists()
    ask = ["--on", "click", "--do", "exposure=1", "--json"]
    answer = run_cli("effect", "polished", *ask, expect=0).json()
    assert "Markov chain Monte Carlo" in answer["card"]["interval"]
    low, high = answer["interval"]
    assert low < answer["estimate"] < high


def test_the_cost_is_told_and_nothing_done(fitted: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(fitted)
    assert main(["polish", "fit", "--estimate", "--out", "polished"]) == 0
    assert "at most" in capsys.readouterr().err
    assert not (fitted / "polished").exists()


def test_a_fit_with_an_arrow_says_so(world: Path, run_cli) -> None:
    options = ["--steps", "100", "--draws", "0", "--guide", "arrow", "--json"]
    assert (
        run_cli("fit", "mine.py", "log.parquet", *ROLES, "--out", "fit", *options, expect=0).json()["guide"] == "arrow"
    )
    answer = run_cli("effect", "fit", "--on", "click", "--do", "exposure=1", "--json", expect=0).json()
    assert "arrow-shaped" in answer["card"]["interval"]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["polish", "fit", "--out", "fit"], "is the fit itself"),
        (["polish", "fit", "--out", "other", "--chains", "1"], "at least 2 chains"),
        (["polish", "nothing", "--out", "other"], "no such folder"),
        (["polish", "fit", "--out", "mine.py"], "is not a fit"),
        (["fit", "mine.py", "log.parquet", *ROLES, "--out", "new", "--guide", "arow"], "did you mean 'arrow'"),
    ],
)
def test_what_is_refused_comes_with_one_message(fitted: Path, monkeypatch, capsys, args, words) -> None:
    from tests.cli.conftest import write_log

    monkeypatch.chdir(fitted)
    write_log(fitted / "log.parquet")
    assert main(args) == 2
    assert words in capsys.readouterr().err
    assert not (fitted / "other").exists()
    assert not (fitted / "new").exists()
