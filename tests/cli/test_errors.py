"""What each kind of exception becomes: a code, a message, an exit status."""

import errno
import json
import os
from pathlib import Path

import pytest
import typer

from counterlog import errors
from counterlog.cli.errors import Interrupted, explain, report


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.InputError("no"), "input"),
        (errors.UnknownNameError("no"), "unknown_name"),
        (errors.ModelError("no"), "model"),
        (errors.FitError("no"), "fit"),
        (errors.RefusedError("no"), "refused"),
        (errors.StoreError("no"), "store"),
        (errors.CounterlogError("no"), "input"),
    ],
)
def test_errors_of_ours_are_bad_input(error: Exception, code: str) -> None:
    assert explain(error) == (code, "no", 2)


def test_a_full_disk_says_what_to_do() -> None:
    code, message, status = explain(OSError(errno.ENOSPC, "No space left on device", "out/part.parquet"))
    assert (code, status) == ("disk_full", 2)
    assert "out/part.parquet" in message
    assert "--out" in message


def test_a_full_disk_is_known_by_its_text_where_a_library_keeps_only_that() -> None:
    error = ValueError("commit failed")
    error.__cause__ = RuntimeError("Generic LocalFileSystem error: No space left on device (os error 28)")
    assert explain(error)[0] == "disk_full"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a full device")
def test_a_truly_full_device() -> None:
    with pytest.raises(OSError, match="No space left") as caught:
        Path("/dev/full").write_bytes(b"x" * 100_000)
    assert explain(caught.value)[::2] == ("disk_full", 2)


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENOENT, errno.EISDIR, errno.EROFS])
def test_faults_of_the_file_system_name_the_file(number: int) -> None:
    code, message, status = explain(OSError(number, "Permission denied", "there.csv"))
    assert (code, status) == ("file", 2)
    assert message == "there.csv: Permission denied"


@pytest.mark.parametrize("error", [Interrupted(), KeyboardInterrupt(), typer.Abort()])
def test_an_interruption_is_no_fault(error: BaseException) -> None:
    code, message, status = explain(error)
    assert (code, status) == ("interrupted", 130)
    assert "where it stopped" in message


def test_anything_else_is_a_fault_of_ours(capsys) -> None:
    assert report(ZeroDivisionError("division by zero"), as_json=False, debug=False) == 1
    stderr = capsys.readouterr().err
    assert "ZeroDivisionError: division by zero" in stderr
    assert "--debug" in stderr
    assert "Traceback" not in stderr


def test_debug_prints_the_traceback_first(capsys) -> None:
    with pytest.raises(KeyError) as caught:
        {}["colour"]
    assert report(caught.value, as_json=True, debug=True) == 1
    stderr = capsys.readouterr().err
    assert stderr.startswith("Traceback")
    assert json.loads(stderr.strip().splitlines()[-1])["error"]["code"] == "unexpected"


def test_a_bad_value_names_the_option() -> None:
    code, message, status = explain(typer.BadParameter("not a number", param_hint="--steps"))
    assert (code, status) == ("usage", 2)
    assert message.startswith("invalid value for --steps: not a number. ")


def test_lack_of_memory_suggests_less() -> None:
    assert explain(MemoryError())[0] == "memory"
