"""A small known world, a log of it, and one fit of that log by the real executable."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

MODEL = '''"""taste, appeal, device -> click <- exposure <- appeal."""
import pyro
import pyro.distributions as dist

from counterlog import scm


@scm(exposure="exposure", outcome="click", latent=("taste", "appeal"))
def world(view, scale=1.0, dim=3, conformity=False, title="plain"):
    strength = pyro.sample("strength", dist.Normal(0.0, 1.0))
    device = pyro.sample("device_effect", dist.Normal(0.0, 1.0))
    with view.users():
        taste = pyro.sample("taste", dist.Normal(0.0, scale))
    with view.items():
        appeal = pyro.sample("appeal", dist.Normal(0.0, 1.0))
    with view.opportunities() as o:
        exposure = pyro.sample("exposure", dist.Bernoulli(logits=appeal[o.item]))
        liking = strength + taste[o.user] + appeal[o.item] + device * o.context["device"]
        pyro.sample("click", dist.Bernoulli(logits=10.0 * (exposure - 1.0) + liking))
'''
ROLES = ["--exposure", "shown", "--outcome", "click", "--outcome-kind", "click", "--context", "device"]
QUICK = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def write_log(path: Path, users: int = 20, items: int = 12, seed: int = 0) -> None:
    """Impressions with integer ids as Parquet, or the same as CSV."""
    rng = np.random.default_rng(seed)
    user, item = np.divmod(np.arange(users * items), items)
    shown = (rng.random(len(user)) < 0.3 + 0.4 * (item % 2)).astype(int)
    click = shown * (rng.random(len(user)) < 0.2 + 0.5 * (item % 2))
    device = np.where(rng.random(len(user)) < 0.5, "phone", "web")
    table = pa.table({"user": user + 100, "item": item, "shown": shown, "click": click.astype(int), "device": device})
    if path.suffix == ".parquet":
        pq.write_table(table, path)
    else:
        table.to_pandas().to_csv(path, index=False)


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """``tmp_path`` with ``mine.py`` and ``log.parquet``."""
    (tmp_path / "mine.py").write_text(MODEL)
    write_log(tmp_path / "log.parquet")
    return tmp_path


@pytest.fixture(scope="session")
def fitted_once(executable: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``mine.py``, ``log.parquet`` and its fit in ``fit``; shared by all, so never changed."""
    folder = tmp_path_factory.mktemp("fitted")
    (folder / "mine.py").write_text(MODEL)
    write_log(folder / "log.parquet")
    command = [*executable, "fit", "mine.py", "log.parquet", *ROLES, "--out", "fit", "--steps", "300", "--draws", "20"]
    env = {**os.environ, **QUICK}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def fitted(fitted_once: Path, tmp_path: Path) -> Path:
    """``tmp_path`` with a copy of the fit, to be damaged at will; the model stays at its place of then."""
    shutil.copytree(fitted_once / "fit", tmp_path / "fit")
    shutil.copy(fitted_once / "mine.py", tmp_path / "mine.py")
    return tmp_path


@pytest.fixture
def listening() -> Iterator[None]:
    """Ctrl-C as at a terminal, here and in what is started: a shell ignores it for what it puts in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
