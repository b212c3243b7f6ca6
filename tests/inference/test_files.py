"""A saved fit comes back as it was, or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.inference import programs
from tests.inference.test_fit import impressions, stop_at

import counterlog as cl
from counterlog.errors import InputError, ModelError, StoreError
from counterlog.inference import Fit

PROGRAM = """import pyro
import pyro.distributions as dist
from counterlog import scm
from counterlog.model.mechanisms import pick


@scm(exposure="exposure", outcome="click", latent=("taste",))
def mine(view, sizes=(2, 3), name="x"):
    with view.users():
        taste = pyro.sample("taste", dist.Normal(0.0, 1.0))
    with view.opportunities() as o:
        exposure = pyro.sample("exposure", dist.Bernoulli(logits=pick(taste, o.user)))
        pyro.sample("click", dist.Bernoulli(probs=0.5 * exposure))
"""


@pytest.fixture(scope="module")
def fit() -> Fit:
    return cl.fit(programs.quick.with_parameters(width=0.7), impressions(), steps=6, rng=2)


def test_a_fit_comes_back_as_it_was(fit: Fit, tmp_path: Path) -> None:
    path = fit.save(tmp_path / "a" / "fit")
    back = cl.load_fit(path)
    assert back.hash == fit.hash
    assert back.scm.parameters == {"width": 0.7}
    assert (back.seed, back.steps, back.converged, dict(back.options)) == (2, 6, fit.converged, dict(fit.options))
    assert np.array_equal(back.losses, fit.losses)
    assert back.log.hash == fit.log.hash
    for site, value in fit.draw(0, 0).values().items():
        assert torch.equal(back.draw(0, 0).values()[site], value)
    ask = {"on": "click", "do": cl.fix(exposure=1), "draws": 10}
    assert cl.effect(back, **ask).draws == cl.effect(fit, **ask).draws


def test_there_is_no_pickle_and_nothing_to_run_in_the_folder(fit: Fit, tmp_path: Path) -> None:
    path = fit.save(tmp_path / "fit")
    suffixes = {p.suffix for p in path.rglob("*") if p.is_file()}
    assert suffixes <= {".safetensors", ".npy", ".json", ".txt", ".parquet", ".arrow", ".md", ""}
    for file in path.rglob("*"):
        if file.is_file():
            assert not file.read_bytes().startswith((b"\x80\x04", b"\x80\x02", b"PK\x03\x04")), file
    assert [p.name for p in tmp_path.iterdir()] == ["fit"]


def test_nothing_is_replaced_unless_asked(fit: Fit, tmp_path: Path) -> None:
    path = fit.save(tmp_path / "fit")
    with pytest.raises(StoreError, match="already holds a fit; pass force"):
        fit.save(path)
    assert fit.save(path, force=True) == path
    other = tmp_path / "thesis"
    other.mkdir()
    (other / "chapter.txt").write_text("years of work")
    for force in (False, True):
        with pytest.raises(StoreError, match="exists and is not a fit"):
            fit.save(other, force=force)
    assert (other / "chapter.txt").read_text() == "years of work"


def _cut_short(path: Path) -> None:
    file = path / "parameters.safetensors"
    file.write_bytes(file.read_bytes()[:-8])


def _flip_a_bit(path: Path) -> None:
    file = path / "parameters.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(bytes(data))


def _no_tensors(path: Path) -> None:
    (path / "parameters.safetensors").unlink()


def _no_losses(path: Path) -> None:
    (path / "losses.npy").write_bytes(b"")


def _half_json(path: Path) -> None:
    file = path / "fit.json"
    file.write_text(file.read_text()[:100])


def _other_json(path: Path) -> None:
    (path / "fit.json").write_text("[1, 2]")


def _json_lacks(path: Path) -> None:
    about = json.loads((path / "fit.json").read_text())
    del about["options"]
    (path / "fit.json").write_text(json.dumps(about))


def _other_format(path: Path) -> None:
    (path / "fit.json").write_text(json.dumps({"format": "counterlog-fit-9"}))


def _no_log(path: Path) -> None:
    for file in (path / "log").rglob("*"):
        if file.is_file():
            file.unlink()


def _other_log(path: Path) -> None:
    import shutil

    shutil.rmtree(path / "log")
    impressions(seed=9).save(path / "log")


@pytest.mark.parametrize(
    "harm",
    [
        _cut_short,
        _flip_a_bit,
        _no_tensors,
        _no_losses,
        _half_json,
        _other_json,
        _json_lacks,
        _other_format,
        _no_log,
        _other_log,
    ],
)
def test_a_damaged_fit_is_refused(fit: Fit, tmp_path: Path, harm) -> None:
    path = fit.save(tmp_path / "fit")
    harm(path)
    with pytest.raises(InputError, match=r"damaged|format|not the one that was fitted|log"):
        cl.load_fit(path)


def test_what_is_no_fit(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        cl.load_fit(tmp_path / "nowhere")
    with pytest.raises(InputError, match="not a finished fit"):
        cl.load_fit(tmp_path)
    with pytest.raises(RuntimeError, match="killed"):
        cl.fit(programs.quick, impressions(), steps=9, checkpoint=tmp_path / "half", progress=stop_at(3))
    with pytest.raises(InputError, match="interrupted: run the same"):
        cl.load_fit(tmp_path / "half")


def test_a_changed_program_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(PROGRAM)
    fit = cl.fit(cl.load_model(file), impressions(), steps=3)
    path = fit.save(tmp_path / "fit")
    assert cl.load_fit(path).hash == fit.hash  # a tuple among the parameters included
    file.write_text(PROGRAM.replace("0.5 * exposure", "0.6 * exposure"))
    with pytest.raises(ModelError, match=r"'mine' has changed since the fit .*model\.py\.txt"):
        cl.load_fit(path)
    with pytest.raises(ModelError, match="has changed since the fit"):
        cl.load_fit(path, cl.load_model(file))
    (tmp_path / "elsewhere.py").write_text(PROGRAM)
    assert cl.load_fit(path, cl.load_model(tmp_path / "elsewhere.py")).hash == fit.hash
    file.unlink()
    with pytest.raises(ModelError, match="is gone; pass the program"):
        cl.load_fit(path)
    assert (path / "model.py.txt").read_text() == PROGRAM


def test_parameters_that_no_file_can_hold(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(PROGRAM)
    fit = cl.fit(cl.load_model(file).with_parameters(name=len), impressions(), steps=3)
    with pytest.raises(InputError, match="cannot be saved with the parameters"):
        fit.save(tmp_path / "fit")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine.py"]


def test_a_fit_shows_itself(fit: Fit) -> None:
    assert "quick" in repr(fit)
    page = fit._repr_html_()
    assert "<svg" in page
    assert "NO: 6 steps are too few" in page
