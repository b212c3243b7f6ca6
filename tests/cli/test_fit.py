"""``counterlog fit`` through the real executable: what it writes, and how it goes on after an interruption."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from tests.cli.conftest import MODEL, QUICK, ROLES, write_log

import counterlog as cl
from counterlog.cli import set_option
from counterlog.errors import CounterlogError, InputError, StoreError, UnknownNameError
from counterlog.inference import checkpoint, load_fit
from counterlog.inference.files import save_fit
from counterlog.model import load_model

FIT = ["fit", "mine.py", "log.parquet", *ROLES, "--out", "fit"]


def test_a_fit_holds_what_it_promises(fitted_once: Path, run_cli) -> None:
    import arviz as az

    names = {p.name for p in (fitted_once / "fit").iterdir()}
    assert names == {"fit.json", "inference_data.nc", "log", "losses.npy", "model.py.txt", "parameters.safetensors"}
    assert not list(fitted_once.glob(".*"))
    data = az.from_netcdf(str(fitted_once / "fit" / "inference_data.nc"))
    assert [str(x) for x in data.posterior["user"].values[:2]] == ["100", "101"]
    assert data.posterior["taste"].shape == (1, 20, 20)
    assert (fitted_once / "fit" / "model.py.txt").read_text() == MODEL


def test_json_and_the_warning_of_a_fit_that_has_not_converged(world: Path, run_cli) -> None:
    run = run_cli(*FIT, "--steps", "20", "--draws", "0", "--seed", "3", "--json", env=QUICK, expect=0)
    answer = run.json()
    assert {"fit", "converged", "steps", "loss", "seconds", "message", "hash", "threads"} <= set(answer)
    assert (answer["fit"], answer["converged"], answer["steps"], answer["threads"]) == ("fit", False, 20, 1)
    assert answer["seed"] == 3
    assert "not converged" in run.stderr
    assert "--force" in run.stderr
    assert not (world / "fit" / "inference_data.nc").exists()
    assert json.loads((world / "fit" / "fit.json").read_text())["fit_hash"] == answer["hash"]


def test_a_finished_fit_is_replaced_by_force_only(fitted: Path, run_cli) -> None:
    write_log(fitted / "log.parquet")
    before = (fitted / "fit" / "parameters.safetensors").read_bytes()
    refused = run_cli(*FIT, "--steps", "300", expect=2)
    assert "--force" in refused.stderr
    assert (fitted / "fit" / "parameters.safetensors").read_bytes() == before
    run_cli(*FIT, "--steps", "300", "--draws", "0", "--force", env=QUICK, expect=0)
    assert (fitted / "fit" / "parameters.safetensors").read_bytes() == before, "the same seed gives the same fit"
    assert not (fitted / "fit" / "inference_data.nc").exists()


RESUMED = [*FIT, "--steps", "150", "--batch", "60", "--restarts", "2", "--draws", "0"]


def _bytes(fit: Path) -> tuple[bytes, bytes]:
    return (fit / "parameters.safetensors").read_bytes(), (fit / "losses.npy").read_bytes()


def _stop(executable: list[str], folder: Path, number: signal.Signals) -> tuple[int, str]:
    """Start the fit and send it a signal as soon as it has written to the second restart's checkpoint."""
    file = folder / "fit" / "restart-1" / "checkpoint.safetensors"
    before = file.stat().st_mtime_ns if file.exists() else 0
    env = {**os.environ, **QUICK}
    run = subprocess.Popen([*executable, *RESUMED], cwd=folder, env=env, stderr=subprocess.PIPE, text=True)
    while not file.exists() or file.stat().st_mtime_ns == before:
        assert run.poll() is None, run.communicate()
        time.sleep(0.002)
    run.send_signal(number)
    _, said = run.communicate(timeout=120)
    return run.returncode, said


@pytest.mark.usefixtures("listening")
def test_a_stopped_and_a_killed_fit_goes_on_bit_for_bit(executable: list[str], world: Path, run_cli) -> None:
    run_cli(*RESUMED, env=QUICK, expect=0)
    (world / "fit").rename(world / "whole")

    status, said = _stop(executable, world, signal.SIGINT)
    assert status == 130
    assert "Run the same command again" in said
    assert said.count("\n") == 1, said
    assert sorted(p.name for p in (world / "fit").iterdir()) == ["restart-0", "restart-1", "unfinished.json"]
    with pytest.raises(InputError, match="was interrupted"):
        load_fit(world / "fit")

    status, said = _stop(executable, world, signal.SIGKILL)
    assert status == -signal.SIGKILL
    assert "going on after step" in said

    run = run_cli(*RESUMED, "--json", env=QUICK, expect=0)
    assert 150 < run.json()["resumed_after"] < 300
    assert "going on after step" in run.stderr
    assert _bytes(world / "fit") == _bytes(world / "whole")
    assert sorted(p.name for p in world.iterdir()) == ["fit", "log.parquet", "mine.py", "whole"]
    assert not (world / "fit" / "unfinished.json").exists()


@pytest.mark.usefixtures("listening")
@pytest.mark.parametrize("stop", [1, 23, 39])
def test_ctrl_c_is_answered_between_steps(stop: int, tmp_path: Path) -> None:
    """The second run starts at the very step at which the first was stopped, in the middle of an epoch."""
    rows = [f"u{k % 13},i{(k * k) % 7},{1 + (k * 7 + k % 11) % 5}" for k in range(60)]
    (tmp_path / "ratings.csv").write_text("user,item,stars\n" + "\n".join(rows) + "\n")
    log = cl.read_log(tmp_path / "ratings.csv", outcome="stars", outcome_kind="rating")
    scm = cl.zoo.self_selection.with_parameters(dim=2)

    def fit(progress=None, **more):
        return cl.fit(scm, log, rng=1, steps=40, batch=80, unexposed=2, progress=progress, **more)

    def press(step: int, steps: int, loss: float) -> None:
        if step == stop:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        fit(press, checkpoint=tmp_path / "c")
    assert checkpoint.done(tmp_path / "c") == stop
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    seen: list[int] = []
    again = fit(lambda step, *_: seen.append(step), checkpoint=tmp_path / "c")
    assert seen[0] == stop + 1
    assert again.hash == fit().hash
    assert not (tmp_path / "c").exists()


def test_an_unfinished_fit_of_something_else_is_dropped_by_force_only(world: Path, run_cli) -> None:
    checkpoint.begin(world / "fit", {"log": "abc", "seed": 1, "options": {"steps": 20}})
    checkpoint.begin(world / "fit", {"log": "abc", "seed": 1, "options": {"steps": 20}})
    with pytest.raises(checkpoint.OtherFitError, match=r"the log, seed \(then 1, now 2\), steps \(then 20, now 30\);"):
        checkpoint.begin(world / "fit", {"log": "xyz", "seed": 2, "options": {"steps": 30}})
    refused = run_cli(*FIT, "--steps", "20", "--draws", "0", expect=2)
    assert "unfinished fit that differs" in refused.stderr
    assert [p.name for p in (world / "fit").iterdir()] == ["unfinished.json"]
    run_cli(*FIT, "--steps", "20", "--draws", "0", "--force", env=QUICK, expect=0)
    assert not (world / "fit" / "unfinished.json").exists()


def test_what_a_killed_save_left_is_swept_and_a_strangers_folder_is_not_touched(world: Path) -> None:
    log = cl.read_log(world / "log.parquet", exposure="shown", outcome="click", outcome_kind="click", context="device")
    fit = cl.fit(load_model(str(world / "mine.py")), log, steps=5)
    (world / ".fit.part-999999999").mkdir()
    (world / ".fit.part-999999999" / "half").write_text("x")
    save_fit(fit, world / "fit")
    assert not list(world.glob(".fit*"))
    (world / "thesis").mkdir()
    (world / "thesis" / "chapter.txt").write_text("mine")
    for force in (False, True):
        with pytest.raises(StoreError, match="not a fit"):
            save_fit(fit, world / "thesis", force)
    assert [p.name for p in (world / "thesis").iterdir()] == ["chapter.txt"]

    def fails(folder: Path) -> None:
        raise OSError(28, "No space left on device")

    before = _bytes(world / "fit")
    with pytest.raises(StoreError, match="No space left"):
        save_fit(fit, world / "fit", True, fails)
    assert _bytes(world / "fit") == before
    assert not list(world.glob(".fit*"))


def test_settings_take_the_type_of_the_default(world: Path) -> None:
    scm = load_model(str(world / "mine.py"))
    changed = set_option.with_settings(scm, ["scale=2", "dim=4.0", "conformity=1", "title=7"])
    assert changed.parameters == {"scale": 2.0, "dim": 4, "conformity": True, "title": "7"}
    assert [type(v) for v in changed.parameters.values()] == [float, int, bool, str]
    assert set_option.with_settings(scm, None).parameters == scm.parameters
    with pytest.raises(UnknownNameError, match="did you mean 'scale'"):
        set_option.with_settings(scm, ["skale=2"])
    for bad in ("scale=big", "dim=1.5", "conformity=maybe", "dim=true"):
        with pytest.raises(CounterlogError, match=bad.partition("=")[0]):
            set_option.with_settings(scm, [bad])
