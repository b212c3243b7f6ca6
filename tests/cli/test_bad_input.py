"""Every bad input through the real executable: exit status 2, one message on stderr, nothing written."""

import os
import resource
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import MODEL, QUICK, ROLES
from tests.conftest import Run

from counterlog.cli import main

CSV = "user,item,shown,click,device,hour\n" + "".join(f"u{k % 4},i{k % 3},1,{k % 2},web,9\n" for k in range(12))
TAIL = ["--out", "fit", "--steps", "20"]


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else b"" for p in sorted(folder.rglob("*"))}


def refused(run_cli, folder: Path, arguments: list[str], words: list[str]) -> str:
    """Run, and check everything that is true of every refusal."""
    before = snapshot(folder)
    run = run_cli(*arguments, env=QUICK, cwd=folder)
    assert run.status == 2, (run.stdout, run.stderr)
    assert run.stdout == ""
    assert run.stderr.startswith("Error: ")
    further = run.stderr.splitlines()[1:]
    assert all(line.startswith("  - ") for line in further), run.stderr  # all problems of a log are one message
    for word in words:
        assert word in run.stderr
    assert snapshot(folder) == before
    return run.stderr


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, ["log.csv", "did you mean logs.csv"]),
        (b"", ["log.csv", "empty"]),
        (b"user,item,shown,click,device,hour\n", ["log.csv"]),
        (CSV.replace(",", ";").replace("user;", "user:").encode(), ["user", "column"]),
        (CSV.replace("u1", "Jos\xe9").encode("latin-1"), ["UTF-8", "iconv"]),
        (CSV.replace("click", "klick").encode(), ["click", "klick"]),
        (CSV.replace("i1,1,", "i1,1,in").encode(), ["click"]),
    ],
    ids=["missing", "empty", "header only", "delimiter", "encoding", "column", "infinite"],
)
def test_a_log_that_cannot_be_read(content: bytes | None, words: list[str], tmp_path: Path, run_cli) -> None:
    (tmp_path / "mine.py").write_text(MODEL)
    (tmp_path / "logs.csv").write_text(CSV)
    if content is not None:
        (tmp_path / "log.csv").write_bytes(content)
    refused(run_cli, tmp_path, ["fit", "mine.py", "log.csv", *ROLES, *TAIL], words)


RAISES = MODEL.replace("    with view.users():", "    impossible = 1 / 0\n    with view.users():")
LATE = MODEL.replace("    with view.users():", "    assert view.n_users < 4, 'too many users'\n    with view.users():")
NAN = MODEL.replace("+ device * o", "+ strength * (float('nan') if view.n_users > 3 else 1.0) + device * o")


@pytest.mark.parametrize(
    ("model", "more", "words"),
    [
        (None, [], ["mine.py"]),
        ("x = 1\n", [], ["mine.py has no program", "scm"]),
        ("import pyro\nx = 1 / 0\n", [], ["mine.py, line 2", "ZeroDivisionError"]),
        ("def world(view:\n", [], ["mine.py, line 1"]),
        (RAISES, [], ["line 12 of mine.py", "ZeroDivisionError"]),
        (LATE, [], ["line 12 of mine.py", "too many users"]),
        (NAN, [], ["not finite", "step 1"]),
        (MODEL.replace('outcome="click"', 'outcome="clik"'), [], ["clik", "did you mean 'click'"]),
        (MODEL, ["--set", "skale=2"], ["skale", "did you mean 'scale'"]),
        (MODEL, ["--set", "scale=big"], ["--set scale=big", "a number"]),
        (MODEL, ["--set", "scale"], ["--set 'scale'"]),
        (MODEL, ["--outcome-kind", "rating"], ["click", "rating"]),
        (MODEL, ["--outcome-kind", "rateing"], ["rateing", "rating"]),
        (MODEL, ["--context", "hour"], ["no context 'device'", "hour"]),
        (MODEL, ["--device", "gpu"], ["gpu", "cuda"]),
        (MODEL, ["--steps", "0"], ["steps"]),
        (MODEL, ["--unexposed", "some"], ["--unexposed", "all"]),
        (MODEL, ["--stepz", "5"], ["--stepz", "did you mean '--steps'"]),
        (MODEL, ["--out", "/proc/nowhere/fit"], ["/proc/nowhere"]),
    ],
    ids=lambda value: None if value is None or isinstance(value, str) else " ".join(value)[:24],
)
def test_a_model_or_an_option_that_does_not_fit(
    model: str | None, more: list[str], words: list[str], tmp_path: Path, run_cli
) -> None:
    (tmp_path / "log.csv").write_text(CSV)
    if model is not None:
        (tmp_path / "mine.py").write_text(model)
    refused(run_cli, tmp_path, ["fit", "mine.py", "log.csv", *ROLES, *TAIL, *more], words)


def test_an_unknown_zoo_model_names_the_nearest(tmp_path: Path, run_cli) -> None:
    (tmp_path / "log.csv").write_text(CSV)
    refused(run_cli, tmp_path, ["fit", "self_selektion", "log.csv", *ROLES, *TAIL], ["did you mean 'self_selection'"])


@pytest.mark.parametrize("force", [[], ["--force"]], ids=["plain", "force"])
def test_a_folder_that_is_not_ours_is_never_touched(force: list[str], tmp_path: Path, run_cli) -> None:
    (tmp_path / "log.csv").write_text(CSV)
    (tmp_path / "mine.py").write_text(MODEL)
    (tmp_path / "fit").mkdir()
    (tmp_path / "fit" / "thesis.txt").write_text("years of work")
    refused(run_cli, tmp_path, ["fit", "mine.py", "log.csv", *ROLES, *TAIL, *force], ["fit exists and is not a fit"])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(tmp_path: Path, run_cli) -> None:
    (tmp_path / "log.csv").write_text(CSV)
    (tmp_path / "mine.py").write_text(MODEL)
    tmp_path.chmod(0o555)
    try:
        refused(run_cli, tmp_path, ["fit", "mine.py", "log.csv", *ROLES, *TAIL], ["Permission denied"])
    finally:
        tmp_path.chmod(0o755)


def limited(executable: list[str], folder: Path, arguments: list[str], size: int) -> subprocess.CompletedProcess[str]:
    """Run where no file can grow beyond ``size`` bytes, which is how a full disk looks from inside."""
    return subprocess.run(
        [*executable, *arguments],
        cwd=folder,
        env={**os.environ, **QUICK, "NO_COLOR": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
        capture_output=True,
        text=True,
        timeout=240,
    )


def test_a_full_disk_at_the_first_checkpoint_leaves_nothing(tmp_path: Path, executable: list[str]) -> None:
    (tmp_path / "log.csv").write_text(CSV)
    (tmp_path / "mine.py").write_text(MODEL)
    before = snapshot(tmp_path)
    run = limited(executable, tmp_path, ["fit", "mine.py", "log.csv", *ROLES, *TAIL], 1_000)
    assert run.returncode == 2
    assert run.stderr.count("\n") == 1, run.stderr
    assert "cannot write" in run.stderr
    assert snapshot(tmp_path) == before


def test_a_full_disk_at_the_end_loses_no_step(tmp_path: Path, executable: list[str], run_cli) -> None:
    (tmp_path / "log.csv").write_text(CSV)
    (tmp_path / "mine.py").write_text(MODEL)
    command = ["fit", "mine.py", "log.csv", *ROLES, *TAIL]
    run = limited(executable, tmp_path, command, 30_000)
    assert run.returncode == 2
    assert run.stderr.count("\n") == 1, run.stderr
    assert "cannot write the fit to fit" in run.stderr
    assert sorted(p.name for p in (tmp_path / "fit").iterdir()) == ["restart-0", "unfinished.json"]
    assert not list(tmp_path.glob(".*"))
    done = run_cli(*command, "--json", env=QUICK, expect=0).json()
    assert (done["resumed_after"], done["steps"]) == (20, 20)


EFFECT = ["effect", "fit", "--on", "click", "--do", "exposure=1"]
PREDICT = ["predict", "fit", "--pairs", "pairs.csv", "--out", "p.parquet"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([*EFFECT, "--do", "popularty=1"], ["popularty", "An intervention acts on"]),
        ([*EFFECT, "--by", "hour"], ["hour", "device"]),
        (["effect", "fit", "--on", "klick", "--do", "exposure=1"], ["did you mean 'click'"]),
        (["effect", "fit", "--on", "click"], ["--do"]),
        (["effect", "fitt", "--on", "click", "--do", "exposure=1"], ["no fit at fitt"]),
        ([*PREDICT[:-1], "p.xlsx"], [".xlsx", ".parquet"]),
        ([*PREDICT[:-1], "pairs.csv"], ["--force"]),
        ([*PREDICT[:-1], "mine.py/p.parquet"], ["mine.py is a file"]),
        ([*PREDICT[:3], "absent.csv", *PREDICT[4:]], ["absent.csv"]),
    ],
    ids=lambda value: " ".join(value)[-32:],
)
def test_a_question_that_cannot_be_asked(arguments: list[str], words: list[str], fitted: Path, run_cli) -> None:
    (fitted / "pairs.csv").write_text("user,item,device\n100,1,web\n")
    refused(run_cli, fitted, arguments, words)


@pytest.fixture
def run_here(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Run]:
    """As ``run_cli`` in this process, for variants of what the executable has been shown to refuse."""

    def run(*args: str, cwd: Path, env: dict[str, str]) -> Run:
        monkeypatch.chdir(cwd)
        status = main(list(args))
        return Run(status, *capfd.readouterr())

    return run


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([*EFFECT, "--do", "apeal+=1"], ["did you mean 'appeal'"]),
        ([*EFFECT, "--do", "taste->exposure=cut"], ["no edge taste -> exposure", "appeal"]),
        ([*EFFECT, "--do", "taste->expos=cut"], ["did you mean 'exposure'"]),
        ([*EFFECT, "--do", "appeal=uniform"], ["appeal"]),
        ([*EFFECT, "--versus", "expos=0"], ["did you mean 'exposure'"]),
        ([*EFFECT, "--draws", "2"], ["at least 10"]),
        ([*EFFECT, "--limit", "0"], ["--limit"]),
        ([*EFFECT, "--out", "groups.txt"], [".txt"]),
        (["effect", "fit", "--on", "strength", "--do", "exposure=1"], ["strength"]),
        (["effect", "mine.py", "--on", "click", "--do", "exposure=1"], ["mine.py"]),
        ([*PREDICT, "--draws", "0"], ["--draws"]),
    ],
    ids=lambda value: " ".join(value)[-32:],
)
def test_more_questions_that_cannot_be_asked(arguments: list[str], words: list[str], fitted: Path, run_here) -> None:
    refused(run_here, fitted, arguments, words)


def test_a_damaged_fit_is_not_believed(fitted: Path, run_cli, run_here) -> None:
    """A bit that flipped is found by the hash; a file that was cut short or is gone, by reading it."""
    file = fitted / "fit" / "parameters.safetensors"
    whole = file.read_bytes()
    for run, content in (
        (run_cli, whole[:-1] + bytes([whole[-1] ^ 1])),
        (run_here, whole[: len(whole) // 2]),
        (run_here, b""),
    ):
        file.write_bytes(content)
        refused(run, fitted, EFFECT, ["fit", "damaged"])
    file.unlink()
    refused(run_here, fitted, EFFECT, ["damaged"])


def test_a_model_that_changed_since_the_fit_is_refused(fitted_once: Path, tmp_path: Path, run_cli) -> None:
    shutil.copytree(fitted_once / "fit", tmp_path / "fit")
    (tmp_path / "mine.py").write_text(MODEL.replace("scale=1.0", "scale=2.0"))
    refused(run_cli, tmp_path, [*EFFECT, "--model", "mine.py"], ["has changed since the fit", "model.py.txt"])


def test_an_error_in_json(fitted: Path, run_here) -> None:
    run = run_here(*EFFECT, "--do", "apeal=1", "--json", cwd=fitted, env={})
    assert (run.status, run.stdout) == (2, "")
    assert run.error()["code"] == "unknown_name"
    assert run.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["fit", "predict", "effect"])
def test_help_shows_an_example_and_is_quick(command: str, run_cli, tmp_path: Path) -> None:
    """A torch that cannot be imported stands in for one that takes seconds."""
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("raise RuntimeError('torch was imported')")
    said = run_cli(command, "--help", env={"PYTHONPATH": str(tmp_path)}, expect=0).stdout
    assert "Example:" in said
    assert f"counterlog {command}" in said
    assert "--json" in said
    assert "--seed" in said
