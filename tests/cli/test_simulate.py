"""`counterlog simulate` through the real executable, its refusals in this process."""

import json
import shutil
from pathlib import Path

import pytest

from counterlog.cli import main
from counterlog.synth import open_store

POLICY = """
def odd(rows):
    return (rows["item"].astype(int) % 2).to_numpy(float)

def wild(rows):
    return rows["item"].astype(int) + 2.0
"""


@pytest.fixture
def here(fitted: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the fit, as the working folder of this process."""
    monkeypatch.chdir(fitted)
    (fitted / "policy.py").write_text(POLICY)
    return fitted


def test_a_batch_is_stored_and_made_again_from_its_card(here: Path, run_cli, capsys) -> None:
    args = ["fit", "--model", "mine.py", "--do", "exposure=uniform", "--per-user", "4", "--seed", "3"]
    env = {"PYTHONHASHSEED": "12345", "OMP_NUM_THREADS": "1"}
    told = run_cli("simulate", *args, "--out", "store", "--json", env=env, expect=0).json()
    assert {"store", "batch", "version", "rows", "card"} <= set(told)
    table = open_store("store").read()
    assert told["rows"] == table.num_rows == 80
    assert table.schema.names[:2] == ["user", "item"]
    assert set(table.schema.names) >= {"shown", "click", "device", "propensity", "source", "rung", "batch"}
    assert told["card"]["seed"] == 3

    # Another process with another hash seed, then from the card: the same bytes of data.
    assert main(["simulate", *args, "--out", "twice", "--json"]) == 0
    second = json.loads(capsys.readouterr().out)
    assert (second["batch"], second["card"]["data_hash"]) == (told["batch"], told["card"]["data_hash"])
    Path("card.json").write_text(json.dumps(told["card"]))
    assert main(["simulate", "fit", "--model", "mine.py", "--card", "card.json", "--out", "thrice", "--json"]) == 0
    third = json.loads(capsys.readouterr().out)
    assert third["card"]["data_hash"] == told["card"]["data_hash"]
    assert open_store("thrice").read().equals(table)


def test_batches_gather_in_a_store(here: Path, capsys) -> None:
    common = ["simulate", "fit", "--model", "mine.py", "--out", "store"]
    assert main([*common, "--do", "exposure=policy.py:odd", "--per-user", "12"]) == 0
    assert main([*common, "--do", "appeal=0", "--new-users", "5", "--truth"]) == 2  # other columns than the store's
    assert "truth_mean" in capsys.readouterr().err
    assert main([*common, "--do", "appeal=0", "--new-users", "5", "--draws", "3"]) == 0
    out = capsys.readouterr().out
    assert "do(appeal=0)" in out
    assert "5 new users" in out
    first, second = open_store("store").history()
    shown = open_store("store").read(first["batch"]).to_pandas()
    assert (shown["shown"] == shown["item"] % 2).all()
    assert second["rows"] == 60


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--do", "exposur=1"], "did you mean 'exposure'"),
        (["--do", "exposure=sometimes"], "neither a number nor a policy"),
        (["--do", "exposure=policy.py:od"], "did you mean 'odd'"),
        (["--do", "exposure=nowhere.py:f"], "no policy file"),
        (["--do", "exposure=policy.py:wild"], "a probability is in [0, 1]"),
        (["--per-user", "13"], "between 1 and the number of items, 12"),
        (["--per-user", "3", "--rows", "9"], "not both"),
        (["--draws", "0"], "at least 1"),
        (["--card", "none.json"], "cannot be read"),
        (["--card", "policy.py"], "is not JSON"),
        (["--card", "none.json", "--do", "exposure=1"], "--do"),
    ],
)
def test_refusals_are_one_line_and_leave_nothing(here: Path, capsys, args: list[str], words: str) -> None:
    assert main(["simulate", "fit", "--model", "mine.py", "--out", "store", *args]) == 2
    stdout, stderr = capsys.readouterr()
    assert words in stderr
    assert len(stderr.strip().splitlines()) == 1
    assert stdout == ""
    assert not Path("store").exists()


def test_a_folder_that_is_no_store_and_a_fit_that_is_none_are_refused(here: Path, capsys) -> None:
    Path("thesis").mkdir()
    Path("thesis/text.tex").write_text("years of work")
    assert main(["simulate", "fit", "--model", "mine.py", "--out", "thesis", "--per-user", "2"]) == 2
    assert "thesis" in capsys.readouterr().err
    assert sorted(p.name for p in Path("thesis").iterdir()) == ["text.tex"]
    assert main(["simulate", "thesis", "--out", "store"]) == 2
    shutil.rmtree("thesis")
    assert main(["simulate", "thesis", "--out", "store"]) == 2
    assert not Path("store").exists()
