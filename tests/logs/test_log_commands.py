"""`counterlog check` and `counterlog describe` through the real executable."""

from __future__ import annotations

from pathlib import Path

import pytest

from counterlog.cli.log_options import open_from_cli, read_roles
from counterlog.errors import InputError, UnknownNameError

LOG = "uid,iid,stars,when,dev\nu1,a,4,2024-01-01,ios\nu2,b,2,2024-01-02,web\nu2,a,5,2024-01-03,ios\n"
OPTIONS = ["--user", "uid", "--item", "iid", "--outcome", "stars", "--outcome-kind", "rating"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "log.csv").write_text(LOG)
    (tmp_path / "items.csv").write_text("iid,price\na,1\nb,2\n")
    return tmp_path


def test_check_prints_a_table_and_ends_with_0_or_2(folder: Path, run_cli) -> None:
    assert "No problem found" in run_cli("check", "log.csv", *OPTIONS, cwd=folder, expect=0).stdout
    wrong = ["--user", "uid", "--item", "id", "--outcome", "dev", "--outcome-kind", "click"]
    bad = run_cli("check", "log.csv", *wrong, cwd=folder, expect=2)
    assert "no column 'id'" in bad.stderr
    assert "iid" in bad.stderr
    assert "'ios'" in bad.stdout
    assert "Traceback" not in bad.stderr


def test_describe_prints_json_and_writes_a_page(folder: Path, run_cli) -> None:
    lines = ('user = "uid"', 'item = "iid"', 'outcome = "stars"', 'outcome-kind = "rating"', 'timestamp = "when"')
    (folder / "roles.toml").write_text("\n".join([*lines, 'context = ["dev"]', 'items = "items.csv"']))
    done = run_cli("describe", "log.csv", "--roles", "roles.toml", "--json", "--out", "page.html", cwd=folder, expect=0)
    found = done.json()
    assert found["outcome"]["mean"] == pytest.approx(11 / 3)
    assert found["contexts"][0]["column"] == "dev"
    assert (folder / "page.html").read_text("utf-8").startswith("<!doctype html>")
    again = run_cli("describe", "log.csv", "--roles", "roles.toml", "--out", "page.html", cwd=folder, expect=2)
    assert "exists" in again.stderr
    text = run_cli("describe", "log.csv", *OPTIONS, cwd=folder, expect=0).stdout
    assert "mean 3.667" in text


def test_describe_refuses_a_bad_log_and_writes_nothing(folder: Path, run_cli) -> None:
    wrong = [*OPTIONS[:-1], "click", "--out", "p.html", "--json"]
    done = run_cli("describe", "log.csv", *wrong, cwd=folder, expect=2)
    assert done.error()["code"] == "input"
    assert not (folder / "p.html").exists()
    assert "suffix" in run_cli("describe", "log.csv", *OPTIONS, "--out", "p.pdf", cwd=folder, expect=2).stderr


def test_roles_files(folder: Path) -> None:
    roles = folder / "roles.toml"
    roles.write_text('user = "uid"\nitem = "iid"\ncontext = "dev, when"\n')
    found, users, items = read_roles(roles)
    assert found.context == ("dev", "when")
    assert (users, items) == (None, None)
    log = open_from_cli(str(folder / "log.csv"), roles=str(roles), context=None, outcome="stars", outcome_kind="rating")
    assert log.roles.outcome == "stars"
    assert log.roles.context == ("dev", "when")
    roles.write_text('usr = "uid"')
    with pytest.raises(UnknownNameError, match=r"'usr'.*'user'"):
        read_roles(roles)
    roles.write_text("user = 3")
    with pytest.raises(InputError, match="user = 3 is no column name"):
        read_roles(roles)
    roles.write_text("user = ")
    with pytest.raises(InputError, match="is no TOML"):
        read_roles(roles)
    with pytest.raises(InputError, match="no file"):
        read_roles(folder / "none.toml")


def test_help_shows_an_example_and_imports_nothing_heavy(run_cli) -> None:
    for name in ("check", "describe"):
        assert f"counterlog {name} log.csv" in run_cli(name, "--help", expect=0).stdout
    import subprocess
    import sys

    code = "import sys, counterlog.logs, counterlog.cli.check, counterlog.cli.describe; print(sorted({'torch', 'pandas', 'altair', 'pyro'} & set(sys.modules)))"  # fmt: skip # noqa: E501
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )
