"""The program around the commands: help without heavy imports, one message per mistake, exit statuses."""

import os
import signal
import subprocess
import sys
import time

import pytest

from counterlog.cli.app import COMMANDS

#: What no help and no start may import; each takes a noticeable part of a second, torch several.
HEAVY = ("torch", "pyro", "pandas", "arviz", "altair", "matplotlib", "networkx", "scipy", "deltalake", "pyarrow")


def imported_by(code: str) -> set[str]:
    """The heavy packages that are loaded after running ``code`` in a fresh interpreter."""
    ask = f"\nimport sys; print('HEAVY', *[m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code + ask], capture_output=True, text=True, check=True, timeout=60)
    return set(done.stdout.rsplit("HEAVY", 1)[1].split())


@pytest.mark.parametrize("args", [["--help"], ["models", "list"], ["doctor", "--json"], ["fti"]], ids=" ".join)
def test_light_commands_import_nothing_heavy(args: list[str]) -> None:
    assert imported_by(f"from counterlog.cli import main; main({args!r})") == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_has_an_example_and_json_and_does_not_import_torch(name: str) -> None:
    ask = "import sys, counterlog.cli as c; c.main([%r, '--help']); print('TORCH', 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", ask % name], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "TORCH False" in done.stdout
    assert "Example:" in done.stdout
    assert f"counterlog {name}" in done.stdout.split("Example:")[1]
    assert "--json" in done.stdout or name == "models"  # `models` has commands of its own, tested below


@pytest.mark.parametrize("sub", ["list", "copy"])
def test_help_of_the_commands_of_models(run_cli, sub: str) -> None:
    text = run_cli("models", sub, "--help", expect=0).stdout
    assert f"counterlog models {sub}" in text
    assert "--json" in text


def test_help_lists_every_command(run_cli) -> None:
    text = run_cli("--help", expect=0).stdout
    assert all(f"  {name} " in text for name in COMMANDS)
    assert "..." not in text.split("Commands:")[1]


@pytest.mark.skipif(not hasattr(os, "wait4"), reason="needs the processor time of a finished process")
@pytest.mark.parametrize("args", [["--help"], ["models", "list"], ["doctor"]], ids=" ".join)
def test_light_commands_take_half_a_second_at_most(executable, args: list[str]) -> None:
    # Processor time, and the best of three: what else runs on the machine is not the program's doing.
    spent = []
    for _ in range(3):
        process = subprocess.Popen([*executable, *args], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        spent.append(used.ru_utime + used.ru_stime)
    assert min(spent) <= 0.5


def test_version(run_cli) -> None:
    from counterlog import __version__

    assert run_cli("--version", expect=0).stdout.strip() == f"counterlog {__version__}"


def test_module_is_the_executable() -> None:
    done = subprocess.run([sys.executable, "-m", "counterlog", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("counterlog ")


def test_no_command_shows_the_help_and_fails(run_cli) -> None:
    done = run_cli(expect=2)
    assert "Commands:" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(("given", "meant"), [("modles", "models"), ("simulat", "simulate"), ("chek", "check")])
def test_unknown_command_names_the_nearest(run_cli, given: str, meant: str) -> None:
    done = run_cli(given, expect=2)
    assert f"did you mean '{meant}'" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_unknown_option_names_the_nearest(run_cli) -> None:
    done = run_cli("graph", "self_selection", "--ot", "g.svg", expect=2)
    assert "'--ot'" in done.stderr
    assert "did you mean '--out'" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["graph"], "missing argument 'MODEL'"),
        (["graph", "--out"], "'--out' requires an argument"),
        (["graph", "a", "b"], "unexpected extra argument"),
        (["models", "lst"], "did you mean 'list'"),
    ],
)
def test_usage_mistakes_are_one_line(run_cli, args: list[str], words: str) -> None:
    done = run_cli(*args, expect=2)
    assert words.lower() in done.stderr.lower()
    assert "--help" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_errors_as_json(run_cli) -> None:
    done = run_cli("models", "copy", "self_selektion", "--json", expect=2)
    assert done.stdout == ""
    assert done.error()["code"] == "unknown_name"
    assert "self_selection" in done.error()["message"]


@pytest.mark.parametrize(("args", "env"), [(["--debug"], {}), ([], {"COUNTERLOG_DEBUG": "1"})])
def test_debug_shows_the_traceback(run_cli, args: list[str], env: dict[str, str]) -> None:
    quiet = run_cli("models", "copy", "nothing", expect=2)
    assert "Traceback" not in quiet.stderr
    assert "Traceback" in run_cli("models", "copy", "nothing", *args, env=env, expect=2).stderr


@pytest.mark.skipif(os.name == "nt", reason="signals differ")
@pytest.mark.usefixtures("listening")
def test_ctrl_c_says_that_the_work_can_go_on(executable, tmp_path) -> None:
    (tmp_path / "slow.py").write_text("import pathlib, time\npathlib.Path('started').touch()\ntime.sleep(60)\n")
    process = subprocess.Popen([*executable, "graph", "slow.py"], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (tmp_path / "started").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "goes on where it stopped" in stderr
    assert "Traceback" not in stderr
