"""The README's example runs as it stands, its commands do, and the links of the front pages lead somewhere."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from counterlog.cli import main

LONG, SHORT = re.compile(r"(steps[= ])1500"), r"\g<1>20"


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


@pytest.fixture
def readme(root: Path) -> str:
    return (root / "README.md").read_text(encoding="utf-8")


def test_the_example_runs_as_it_stands(readme: str, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    example, shortened = LONG.subn(SHORT, blocks(readme, "python")[0])
    assert shortened == 1
    assert len([line for line in example.splitlines() if line.strip()]) <= 20
    exec(compile(example, "README.md", "exec"), {"__name__": "readme"})
    printed = capsys.readouterr().out
    assert "33,516 rows, 1,319 users, 800 items" in printed
    assert "not identified without the model" in printed
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")
    assert (tmp_path / "synthetic" / "_delta_log").is_dir()


def test_the_commands_run_as_they_stand(readme: str, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    commands = [line for block in blocks(readme, "sh") for line in block.splitlines() if line.startswith("counterlog ")]
    assert len(commands) == 9
    for command in commands:
        assert main(shlex.split(LONG.sub(SHORT, command))[1:]) == 0, capsys.readouterr().err
    made = {"graph.svg", "fit", "items.csv", "without-popularity", "synthetic", "report.html"}
    assert {p.name for p in tmp_path.iterdir()} == made


@pytest.mark.parametrize("page", ["README.md", "docs/index.md", "docs/limits.md"])
def test_links_lead_somewhere(root: Path, page: str) -> None:
    text = (root / page).read_text(encoding="utf-8")
    links = [link.split("#")[0] for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    dead = [link for link in links if not ((root / page).parent / link).exists()]
    assert dead == []


def test_the_front_page_keeps_the_attribution_and_names_no_machine(readme: str) -> None:
    for words in ("KuaiRand", "Chongming Gao", "CC BY-SA 4.0", "10.1145/3511808.3557624", "CF_Rec"):
        assert words in readme
    for pattern in (r"(?<![\w.])/(home|root|tmp|usr|var|mnt|opt)/", r"index-url"):
        assert re.search(pattern, readme) is None
