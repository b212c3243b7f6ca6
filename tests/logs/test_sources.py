"""What stands on a command line for LOG, and folders of parts."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from counterlog.errors import InputError, UnknownNameError
from counterlog.logs import check, open_log, read_log

ROWS = pa.table({"user": ["a", "b"], "item": [1, 2], "click": [1, 0]})


def test_parquet_keeps_the_type_of_ids(tmp_path: Path) -> None:
    pq.write_table(ROWS, tmp_path / "log.parquet")
    log = open_log(tmp_path / "log.parquet", outcome="click")
    assert log.items.ids.type == pa.int64()
    (tmp_path / "odd").write_bytes((tmp_path / "log.parquet").read_bytes())
    assert open_log(tmp_path / "odd", outcome="click").hash == log.hash


def test_what_is_no_parquet(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"")
    with pytest.raises(InputError, match="is empty"):
        read_log(tmp_path / "a.parquet")
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        read_log(tmp_path / "a.parquet")


def test_parts_are_one_log_in_the_order_of_their_names(tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    (folder / "day=2").mkdir(parents=True)
    pq.write_table(ROWS.slice(1), folder / "day=2" / "part-1.parquet")
    pq.write_table(ROWS.slice(0, 1), folder / "part-0.parquet")
    (folder / "_SUCCESS").write_text("")
    (folder / ".part-0.parquet.crc").write_text("x")
    log = open_log(folder, outcome="click")
    assert log.rows == 2
    narrow = ROWS.set_column(1, "item", pa.array([7, 8], pa.int32()))
    pq.write_table(narrow, folder / "part-2.parquet")
    assert open_log(folder, outcome="click").items.ids.to_pylist() == [1, 2, 7, 8]


def test_csv_parts_number_their_rows_through(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("user,item,click\na,x,1\nb\n")
    (tmp_path / "2.csv").write_text("user,item,click\nc,x,5\n")
    found = check(tmp_path, outcome="click")
    assert {p.code: p.examples for p in found.errors} == {"ragged_row": (2,), "outcome_range": (3,)}


def test_parts_that_do_not_fit_together(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no \.parquet and no \.csv"):
        open_log(tmp_path)
    (tmp_path / "1.csv").write_text("user,item\na,x\n")
    (tmp_path / "2.csv").write_text("user,item,click\na,x,1\n")
    with pytest.raises(InputError, match=r"2\.csv and 1\.csv disagree on column 'click'"):
        open_log(tmp_path)
    pq.write_table(ROWS, tmp_path / "3.parquet")
    with pytest.raises(InputError, match="both Parquet and CSV"):
        open_log(tmp_path)
    other = tmp_path / "types"
    other.mkdir()
    pq.write_table(ROWS, other / "1.parquet")
    pq.write_table(ROWS.set_column(1, "item", pa.array(["x", "y"])), other / "2.parquet")
    with pytest.raises(InputError, match=r"'item' is string in 2\.parquet and int64 in 1\.parquet"):
        open_log(other)


def test_unknown_adapters_and_paths_with_colons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownNameError, match=r"no adapter 'cota'.*'coat'"):
        open_log("cota:somewhere")
    monkeypatch.chdir(tmp_path)
    Path("odd:name.csv").write_text("user,item\na,x\n")
    assert open_log("odd:name.csv").rows == 1
    Path("demo").write_text("user,item\na,x\n")
    assert open_log("demo").rows == 1


def test_paths_with_a_hash_are_paths_if_they_exist(tmp_path: Path) -> None:
    folder = tmp_path / "my#data"
    folder.mkdir()
    (folder / "toy.inter").write_text("user_id:token\titem_id:token\nu\ta\n")
    assert open_log(f"recbole:{folder}").rows == 1


def test_demo_is_the_embedded_log() -> None:
    assert open_log("demo").clicks_only
    assert not open_log("demo#random").clicks_only
    assert check("demo").ok
    with pytest.raises(InputError, match="demo knows its own columns; leave out outcome"):
        open_log("demo", outcome="click")
