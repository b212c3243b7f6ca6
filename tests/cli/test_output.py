"""JSON without NaN, settings, and the guard before anything is overwritten."""

import datetime as dt
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from counterlog.cli.output import guard_output, parse_set, plain, print_json, progress, say
from counterlog.errors import InputError


@dataclass(frozen=True)
class Pair:
    left: float
    right: tuple[int, ...]


def test_plain_knows_what_the_package_returns() -> None:
    value = {
        "nan": float("nan"),
        "infinity": np.float64("inf"),
        "array": np.array([[1, 2], [3, 4]]),
        "scalar": np.int64(7),
        "true": np.bool_(True),
        "path": Path("a/b"),
        "day": dt.date(2022, 4, 8),
        "pair": Pair(0.5, (1, 2)),
        "arrow": pa.array([1, None]),
        3: {"x"},
    }
    assert plain(value) == {
        "nan": None,
        "infinity": None,
        "array": [[1, 2], [3, 4]],
        "scalar": 7,
        "true": True,
        "path": "a/b",
        "day": "2022-04-08",
        "pair": {"left": 0.5, "right": [1, 2]},
        "arrow": [1, None],
        "3": ["x"],
    }


def test_plain_refuses_what_has_no_json_form() -> None:
    with pytest.raises(TypeError, match="object"):
        plain({"x": object()})


def test_print_json_is_strict_and_keeps_scripts(capsys) -> None:
    print_json({"mean": np.nan, "user": "Łukasz 用户"})
    out = capsys.readouterr().out
    assert json.loads(out, parse_constant=pytest.fail) == {"mean": None, "user": "Łukasz 用户"}
    assert "用户" in out


def test_print_json_survives_a_file_name_that_is_not_text(capsys) -> None:
    print_json({"file": "caf\udce9.csv"})
    assert json.loads(capsys.readouterr().out) == {"file": "caf\udce9.csv"}


def test_say_and_progress_keep_stdout_clean(capsys) -> None:
    say("working")
    with progress("fit", total=10) as update:
        update(3, "loss 1.2")
        update(10)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "working\n"


def test_parse_set_reads_json_and_text() -> None:
    given = ["dim=16", "rate=1e-3", "on=true", "off=False", "name=normal", "levels=[1, 2]", "x=a=b"]
    assert parse_set(given) == {
        "dim": 16,
        "rate": 1e-3,
        "on": True,
        "off": False,
        "name": "normal",
        "levels": [1, 2],
        "x": "a=b",
    }


@pytest.mark.parametrize(
    ("given", "words"),
    [(["dim"], "NAME=VALUE"), (["=3"], "NAME=VALUE"), (["a=1", "a=2"], "twice"), (["a=NaN"], "finite")],
)
def test_parse_set_refuses(given: list[str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        parse_set(given)


def test_guard_lets_new_and_empty_places_pass(tmp_path: Path) -> None:
    assert guard_output(tmp_path / "new" / "deep") is False
    assert guard_output(tmp_path, marker="fit.json") is False


def test_guard_knows_a_folder_and_a_file_of_ours(tmp_path: Path) -> None:
    (tmp_path / "fit.json").write_text("{}")
    assert guard_output(tmp_path, marker="fit.json") is True
    (tmp_path / "g.dot").write_text("// counterlog\ndigraph {}")
    assert guard_output(tmp_path / "g.dot", marker="counterlog") is True


def test_guard_refuses_what_is_not_ours_unless_forced(tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").write_text("years of work")
    for path, marker in (
        (tmp_path, "fit.json"),
        (tmp_path / "thesis.docx", None),
        (tmp_path / "thesis.docx", "counterlog"),
    ):
        with pytest.raises(InputError, match="--force"):
            guard_output(path, marker=marker)
        assert guard_output(path, marker=marker, force=True) is False


def test_guard_refuses_a_path_below_a_file_even_when_forced(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="is a file, not a folder"):
        guard_output(tmp_path / "file" / "out", force=True)
