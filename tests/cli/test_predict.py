"""``counterlog predict`` through the real executable."""

from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from tests.cli.conftest import QUICK

from counterlog.cli import main

COLUMNS = ["user", "item", "mean", "sd", "q05", "q50", "q95", "propensity"]
PAIRS = "user,item,device,label\n119,11,web,x\n100,0,phone,y\n100,1,phone,z\n"


def test_text_ids_of_a_csv_meet_the_integers_of_the_log(fitted: Path, run_cli) -> None:
    (fitted / "pairs.csv").write_text(PAIRS)
    answer = run_cli(
        "predict", "fit", "--pairs", "pairs.csv", "--out", "p.parquet", "--json", env=QUICK, expect=0
    ).json()
    assert (answer["rows"], answer["columns"]) == (3, COLUMNS)
    table = pq.read_table(fitted / "p.parquet")
    assert table["user"].to_pylist() == ["119", "100", "100"]
    mean, chance = table["mean"].to_numpy(), table["propensity"].to_numpy()
    assert ((mean > 0) & (mean < 1)).all()
    assert mean[2] > mean[1], "odd items are clicked more"
    assert chance[2] > chance[1], "and are shown more"


def test_csv_out_is_the_same_table_and_whole_or_not_there(fitted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(fitted)
    pq.write_table(
        pa.table({"user": [119, 100], "item": [11, 0], "device": ["web", "phone"]}), fitted / "pairs.parquet"
    )
    arguments = ["predict", "fit", "--pairs", "pairs.parquet", "--draws", "10"]
    assert main([*arguments, "--out", "a.csv"]) == 0
    assert main([*arguments, "--out", "b.parquet"]) == 0
    written, exact = pacsv.read_csv(fitted / "a.csv"), pq.read_table(fitted / "b.parquet")
    assert written.column_names == exact.column_names == COLUMNS
    assert written["user"].to_pylist() == exact["user"].to_pylist() == [119, 100]
    assert written["mean"].to_pylist() == exact["mean"].to_pylist()
    kept = (fitted / "a.csv").read_bytes()
    assert main([*arguments, "--out", "a.csv"]) == 2
    assert (fitted / "a.csv").read_bytes() == kept
    assert main([*arguments, "--out", "a.csv", "--force", "--seed", "5"]) == 0
    assert (fitted / "a.csv").read_bytes() != kept
    assert not list(fitted.glob(".*"))


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        ("user,movie,device\n100,1,web\n", ["'item'", "movie"]),
        ("user,item\n100,1\n", ["'device'"]),
        ("user,item,device\n100,1,web\n777,1,web\n", ["user", "777"]),
        ("user,item,device\n100,99,web\n", ["item", "99"]),
        ("user,item,device\n100,1,fridge\n", ["device", "fridge", "phone"]),
        ("user,item,device\n", ["no rows"]),
        ("", ["empty"]),
        ("user,item,device\n100,1\n", ["fields", "row 1"]),
    ],
    ids=["no item column", "no context", "unknown user", "unknown item", "unknown level", "no rows", "empty", "ragged"],
)
def test_bad_pairs(
    pairs: str, words: list[str], fitted: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(fitted)
    (fitted / "pairs.csv").write_text(pairs)
    assert main(["predict", "fit", "--pairs", "pairs.csv", "--out", "p.parquet"]) == 2
    said = capfd.readouterr().err
    assert said.count("\n") == 1
    for word in words:
        assert word in said
    assert sorted(p.name for p in fitted.iterdir()) == ["fit", "mine.py", "pairs.csv"]
