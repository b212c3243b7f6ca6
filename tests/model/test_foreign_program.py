"""A Pyro program written elsewhere becomes an SCM by a declaration of its roles alone."""

from __future__ import annotations

import ast
import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tests.model import foreign

import counterlog as cl
from counterlog.errors import ModelError
from counterlog.inference import Fit
from counterlog.model import SCM, load_model
from counterlog.model.known_world import KnownWorld, known_world

THEIRS = Path(foreign.__file__)
feed: SCM = cl.scm(exposure="shown", outcome="bought", latent=("taste", "charm", "fame"))(foreign.feed)
DECLARED = (
    "import counterlog, theirs\n"
    "mine = counterlog.scm(exposure='shown', outcome='bought', latent=('taste', 'charm', 'fame'))(theirs.feed)\n"
)
ROLES = ("--exposure", "shown", "--outcome", "bought", "--outcome-kind", "click")


@cache
def world() -> KnownWorld:
    return known_world(feed, 120, 60, rng=1, truth={"reach": -0.5, "appeal": -1.0, "pull": 0.8})


@cache
def log() -> cl.InteractionLog:
    found = world()
    columns = {"user": found.view.rows.user.numpy(), "item": found.view.rows.item.numpy()}
    columns |= {name: found.values[name].numpy().astype(int) for name in ("shown", "bought")}
    return cl.from_frame(pa.table(columns), exposure="shown", outcome="bought", outcome_kind="click")


@cache
def fitted() -> Fit:
    return cl.fit(feed, log(), steps=400)


def test_it_knows_nothing_of_this_package() -> None:
    names = {node.names[0].name for node in ast.walk(ast.parse(THEIRS.read_text())) if isinstance(node, ast.Import)}
    assert names == {"pyro", "pyro.distributions", "torch"}


def test_its_graph_and_what_is_identified() -> None:
    edges = set(feed.graph().edges)
    assert {("fame", "shown"), ("taste", "shown"), ("charm", "bought"), ("shown", "bought")} <= edges
    assert ("fame", "bought") not in edges
    assert feed.graph().graph["disagreements"] == []
    found = cl.identify(feed, effect_of="shown", on="bought", given=log())
    assert not found.identified
    assert "taste" in found.because


def test_effect_nears_the_truth_and_naive_does_not() -> None:
    answer = cl.effect(fitted(), "bought", cl.fix(shown=1))
    truth = world().mean("bought", cl.fix(shown=1))
    assert answer.naive is not None
    assert abs(answer.estimate - truth) < 0.03 < answer.naive - truth
    assert answer.interval[0] <= truth <= answer.interval[1]


def test_simulate_and_counterfactual() -> None:
    fair = cl.simulate(fitted(), do=cl.replace(shown=cl.policies.uniform(0.5)), rng=1).table.to_pandas()
    assert fair["shown"].mean() == pytest.approx(0.5, abs=0.05)
    twin = cl.counterfactual(fitted(), log(), cl.fix(shown=1), draws=10).table.to_pandas()
    seen = twin["shown"] == 1
    assert (twin["bought"] == twin["bought_counterfactual"])[seen].all()
    assert 0.05 < twin.loc[~seen, "bought_counterfactual_mean"].mean() < twin.loc[seen, "bought"].mean()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Their file, ours of two lines, and the log."""
    shutil.copy(THEIRS, tmp_path / "theirs.py")
    (tmp_path / "mine.py").write_text(DECLARED)
    log().table.to_pandas().to_csv(tmp_path / "log.csv", index=False)
    return tmp_path


def test_two_lines_declare_it(folder: Path) -> None:
    scm = load_model(folder / "mine.py")
    assert scm.name == "feed"
    assert scm.file == folder / "theirs.py"
    assert scm.source == THEIRS.read_text()  # the hash is of the file that says how things arise
    assert scm.source_hash == feed.source_hash
    assert scm.declared == f"{folder / 'mine.py'}:mine"
    assert feed.declared is None
    assert sorted(p.name for p in folder.iterdir()) == ["log.csv", "mine.py", "theirs.py"]
    # Another folder's file of the same name is another program.
    other = folder / "other"
    other.mkdir()
    (other / "mine.py").write_text(DECLARED)
    (other / "theirs.py").write_text(THEIRS.read_text().replace("HalfNormal(1.0)", "HalfNormal(0.5)"))
    assert load_model(other / "mine.py").source_hash != scm.source_hash


def test_from_the_command_line(run_cli: Callable[..., object], folder: Path) -> None:
    asked = ("--effect-of", "shown", "--on", "bought", "--log", "log.csv", *ROLES, "--json")
    assert run_cli("identify", "mine.py", *asked, expect=0).json()["identified"] is False
    run_cli("fit", "mine.py", "log.csv", *ROLES, "--steps", "30", "--draws", "0", "--out", "fit", expect=0)
    answer = run_cli("effect", "fit", "--on", "bought", "--do", "shown=1", "--json", expect=0).json()
    assert 0 < answer["estimate"] < 1
    done = run_cli("counterfactual", "fit", "fit/log", "--do", "shown=1", "--draws", "10", "--out", "store", "--json")
    assert done.json()["rows"] == log().rows


def test_what_changed_since_the_fit_is_noticed(folder: Path) -> None:
    path = folder / "fit"
    cl.fit(load_model(folder / "mine.py"), log(), steps=5).save(path)
    assert cl.load_fit(path).scm.declared == f"{folder / 'mine.py'}:mine"
    about = json.loads((path / "fit.json").read_text())
    assert about["model"]["roles"] == {"exposure": "shown", "outcome": "bought", "latent": ["taste", "charm", "fame"]}
    (folder / "mine.py").write_text(DECLARED.replace("'fame')", "'fame', 'shown')"))
    with pytest.raises(ModelError, match="has changed since the fit"):
        cl.load_fit(path)
    (folder / "mine.py").write_text(DECLARED)
    (folder / "theirs.py").write_text(THEIRS.read_text().replace("HalfNormal(1.0)", "HalfNormal(0.5)"))
    with pytest.raises(ModelError, match="has changed since the fit"):
        cl.load_fit(path)
    assert np.isfinite(cl.load_fit(path, feed).losses).all()
