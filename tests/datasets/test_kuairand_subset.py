"""The embedded data: small, licensed, made by the rule in bench/."""

from __future__ import annotations

from importlib.resources import files
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from counterlog.datasets import kuairand_subset, kuairand_subset_random


def test_the_two_halves_know_the_same_users_and_items() -> None:
    clicks, random = kuairand_subset(), kuairand_subset_random()
    assert (clicks.rows, len(clicks.users), len(clicks.items)) == (33_516, 1_319, 800)
    assert clicks.clicks_only
    assert random.rows == 28_487
    assert (clicks.users.codes(random.users.ids) >= 0).all()
    assert (clicks.items.codes(random.items.ids) >= 0).all()
    assert random.outcome is not None
    assert 0.2 < random.outcome.mean() < 0.5


def test_licence_and_caveat_travel_with_it() -> None:
    for log in (kuairand_subset(), kuairand_subset_random()):
        assert "CC BY-SA 4.0" in log.licence
        assert "Chongming Gao" in log.licence
    assert any("random click" in note for note in kuairand_subset_random().notes)
    notice = files("counterlog.datasets").joinpath("NOTICE.txt").read_text("utf-8")
    assert "ShareAlike" in notice
    assert "https://doi.org/10.1145/3511808.3557624" in notice


def test_it_is_small() -> None:
    names = ("kuairand_clicks.parquet", "kuairand_random.parquet")
    assert sum(len(files("counterlog.datasets").joinpath(name).read_bytes()) for name in names) < 400_000


def test_the_script_makes_it_again(shared: Path, root: Path, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    spec = spec_from_file_location("make_kuairand_subset", root / "bench" / "make_kuairand_subset.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main(shared / "data" / "kuairand_pure_clicks", tmp_path)
    for path in tmp_path.iterdir():
        embedded = root / "src" / "counterlog" / "datasets" / path.name
        assert pq.read_table(path).equals(pq.read_table(embedded))
