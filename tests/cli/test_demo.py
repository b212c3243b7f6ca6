"""`counterlog demo`: one short run of the executable on the embedded log, other logs and refusals in this process."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from counterlog import from_frame, load_fit, open_store
from counterlog.cli import demo_steps, main
from counterlog.cli.demo_score import auc, within_user
from counterlog.cli.demo_steps import Teller, known_world, model_for, ranking_verdict, world_verdict
from counterlog.errors import RefusedError

QUICK = ["--no-world", "--steps", "30"]


def write_ratings(path: Path, seed: int = 0) -> None:
    rng = np.random.default_rng(seed)
    user, item = np.divmod(np.arange(20 * 15), 15)
    rating = rng.integers(1, 6, len(user))
    chosen = rng.random(len(user)) < rating / 10
    pd.DataFrame({"user": user, "film": item, "stars": rating})[chosen].to_csv(path, index=False)


def test_the_embedded_log_end_to_end(run_cli, tmp_path: Path) -> None:
    done = run_cli("demo", "--out", "out", *QUICK, env={"OMP_NUM_THREADS": "1"}, expect=0)
    text = " ".join(done.stdout.split())
    for words in (
        "CC BY-SA 4.0",
        "KuaiRand",
        "clicks without impressions",
        "NOT without the model",
        "AUC within a user",
        "is not identified",
        "at least one random click",
        "do(exposure ~ uniform)",
        "verdict",
    ):
        assert words in text
    last = done.stdout.strip().splitlines()[-4:]
    assert [line.split()[0] for line in last] == ["number", "interval", "next", "report"]
    assert last[-1].split()[-1] == "out/report.html"
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        "fit",
        "store",
        "graph.svg",
        "report.html",
        "summary.json",
    }
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    low, high = summary["interval"]
    assert low <= summary["number"] <= high
    assert summary["finished"]
    assert summary["world"] is None
    assert summary["naive"] == pytest.approx(33516 / (1319 * 800), rel=1e-3)
    assert summary["random"]["pairs"] == 28487
    assert summary["random"]["random_mean"] == pytest.approx(0.3265, abs=1e-3)
    assert summary["log"]["ok"]
    assert summary["synthetic"]["rows"] > 30_000
    assert summary["card"]["identified"] is False
    assert re.search(r"<svg", (tmp_path / "out" / "graph.svg").read_text())


def test_a_log_of_ones_own_stopped_and_run_again_into_the_same_folder(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    write_ratings(tmp_path / "ratings.csv")
    args = ["demo", "--log", "ratings.csv", "--item", "film", "--outcome", "stars", "--outcome-kind", "rating", *QUICK]

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(demo_steps, "report", stop)
        assert main([*args, "--out", "out"]) == 130
    assert "rests on" in capsys.readouterr().out
    assert json.loads(Path("out/summary.json").read_text())["finished"] is False
    first = load_fit("out/fit")

    assert main([*args, "--random", "ratings.csv", "--out", "out", "--json"]) == 0
    stdout, stderr = capsys.readouterr()
    told = json.loads(stdout)
    assert told["model"] == "self_selection"
    assert told["report"] == "out/report.html"
    assert told["random"]["liked"] == "stars >= 3"
    assert told["log"]["users"] == 20
    assert "self_selection, 30 steps" in stderr
    assert load_fit("out/fit").hash == first.hash
    assert len(open_store("out/store").history()) == 1


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--out", "thesis"], "--force"),
        (["--out", "thesis/text.tex"], "exists"),
        (["--out", "out", "--log", "absent.csv"], "absent.csv"),
        (["--out", "out", "--model", "latent_exposur"], "did you mean 'latent_exposure'"),
        (["--out", "out", "--log", "counts.csv", "--outcome", "plays", "--outcome-kind", "count"], "--model"),
        (["--out", "out", "--random", "absent.csv"], "absent.csv"),
        (["--out", "thesis", "--force"], "store"),
    ],
)
def test_refusals_come_before_any_work(tmp_path: Path, monkeypatch, capsys, args: list[str], words: str) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(demo_steps, "known_world", lambda *_: pytest.fail("work was done"))
    (tmp_path / "thesis" / "store").mkdir(parents=True)
    (tmp_path / "thesis" / "text.tex").write_text("years of work")
    (tmp_path / "thesis" / "store" / "box.txt").write_text("of somebody")
    pd.DataFrame({"user": [1, 2], "item": [1, 2], "plays": [3, 4]}).to_csv("counts.csv", index=False)
    before = sorted(p for p in tmp_path.rglob("*"))
    assert main(["demo", *args]) == 2
    stdout, stderr = capsys.readouterr()
    assert words in stderr
    assert stdout == ""
    assert sorted(p for p in tmp_path.rglob("*")) == before


def test_the_known_world_is_corrected_in_the_right_direction() -> None:
    lines: list[str] = []
    found = known_world(Teller(lines.append), 0, {"n_users": 80, "n_items": 40}, 150)
    assert found["naive"] > found["truth"]
    assert found["nearer"] == (abs(found["estimate"] - found["truth"]) < abs(found["naive"] - found["truth"]))
    assert found["nearer"]
    low, high = found["interval"]
    assert found["covers"] == (low <= found["truth"] <= high)
    assert [line.split()[0] for line in lines[1:]] == ["log", "truth", "naive", "corrected", "verdict"]


def test_verdicts_say_it_when_the_correction_fails() -> None:
    assert "removes 75% of the error; its interval covers" in world_verdict(0.25, 1.0, True)
    assert "FARTHER from the truth than the naive mean, by 0.200; its interval does NOT cover" in world_verdict(
        0.3, 0.1, False
    )
    assert ranking_verdict(0.01, 0.02) == "the model ranks better"
    assert ranking_verdict(-0.02, -0.01) == "popularity ranks better"
    assert ranking_verdict(-0.01, 0.01).startswith("no difference")


def test_auc_counts_ties_half_and_users_one_by_one() -> None:
    rng = np.random.default_rng(0)
    positive, by = rng.random(60) < 0.4, rng.integers(0, 6, 60).astype(float)
    pairs = [(a > b) + 0.5 * (a == b) for a in by[positive] for b in by[~positive]]
    assert auc(positive, by) == pytest.approx(np.mean(pairs))
    user = rng.integers(0, 5, 60)
    positive[user == 2] = True  # nothing to compare within this user
    each = within_user(user, positive, by)
    assert len(each) == 4
    assert each[0] == pytest.approx(auc(positive[user == 0], by[user == 0]))


@pytest.mark.parametrize(
    ("columns", "roles", "model"),
    [
        ({"rating": [1, 5]}, {"outcome": "rating"}, "self_selection"),
        ({"click": [0, 1], "position": [1, 2]}, {"outcome": "click", "position": "position"}, "position_examination"),
        ({"click": [0, 1], "shown": [1, 1]}, {"outcome": "click", "exposure": "shown"}, "popularity_exposure"),
        ({"click": [0, 1]}, {"outcome": "click"}, "popularity_exposure"),
        ({"click": [1, 1]}, {"outcome": "click"}, "latent_exposure"),
    ],
)
def test_the_model_follows_from_what_the_log_has(columns: dict, roles: dict, model: str) -> None:
    log = from_frame(pd.DataFrame({"user": [1, 2], "item": [1, 2], **columns}), **roles)
    assert model_for(log) == model


def test_the_zoo_has_no_model_for_amounts() -> None:
    log = from_frame(pd.DataFrame({"user": [1, 2], "item": [1, 2], "dwell": [0.5, 2.0]}), outcome="dwell")
    with pytest.raises(RefusedError, match="--model"):
        model_for(log)
