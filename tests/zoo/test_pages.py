"""Every page of the zoo: its template, its names, its pictures, and that what it shows is the program's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from counterlog import zoo
from counterlog.model import mechanisms

SECTIONS = [
    "Story",
    "Graph",
    "Equations",
    "Assumptions",
    "Columns",
    "When to use it, and when not",
    "Known truth and recovery",
    "What identification says",
    "How to fit it",
    "Coverage",
]
MARKS = ("graph", "recovery", "identification", "coverage")
NAMES = zoo.names()


def page(root: Path, name: str) -> str:
    return (root / "docs" / "zoo" / f"{name}.md").read_text("utf-8")


def section(text: str, title: str) -> str:
    return text.partition(f"## {title}\n")[2].partition("\n## ")[0]


def between(text: str, mark: str) -> str:
    return text.partition(f"<!-- {mark} -->\n")[2].partition(f"<!-- /{mark} -->")[0]


@pytest.mark.parametrize("name", NAMES)
def test_the_sections_are_those_of_the_template(root: Path, name: str) -> None:
    text = page(root, name)
    assert text.startswith(f"# {name}\n")
    assert re.findall(r"^## (.*)$", text, re.M) == SECTIONS
    for mark in MARKS:
        assert text.count(f"<!-- {mark} -->") == text.count(f"<!-- /{mark} -->") == 1
    for title in SECTIONS[:-1]:
        assert len(section(text, title).split()) > 8, f"{title} says nothing"


@pytest.mark.parametrize("name", NAMES)
def test_every_name_in_code_is_in_the_program(root: Path, name: str) -> None:
    scm = zoo.load(name)
    known = {*scm.sites(), *scm.parameters, *mechanisms.__all__}
    table = section(page(root, name), "Equations")
    rows = [line for line in table.splitlines() if line.startswith("|")]
    assert rows[0] == "| maths | meaning | name in code |"
    told: set[str] = set()
    for row in rows[2:]:
        cells = row.strip("|").split("|")
        assert len(cells) == 3, row
        told |= set(re.findall(r"`([^`]+)`", cells[2]))
    assert told <= known, f"not in the program: {sorted(told - known)}"
    plated = {site.name for site in scm.sites().values() if site.plate is not None}
    assert plated <= told, f"not on the page: {sorted(plated - told)}"


@pytest.mark.parametrize("name", NAMES)
def test_the_arrows_are_the_programs(root: Path, name: str) -> None:
    graph = zoo.load(name).graph()
    plated = {node for node, data in graph.nodes(data=True) if data["plate"] is not None}
    drawn = set()
    for line in between(page(root, name), "graph").splitlines():
        if "─►" in line:
            causes, _, effect = line.partition("─►")
            drawn |= {(cause, effect.strip(" `")) for cause in re.findall(r"`(\w+)`", causes)}
    assert drawn == {(a, b) for a, b in graph.edges if a in plated and b in plated}
    picture = (root / "docs" / "zoo" / f"{name}-graph.svg").read_text("utf-8")
    assert all(f">{node}<" in picture for node in plated)


@pytest.mark.parametrize("name", NAMES)
def test_the_pictures_and_the_pages_that_it_links_exist(root: Path, name: str) -> None:
    text = page(root, name)
    links = re.findall(r"\]\(([^)#]+)\)", text)
    assert {f"{name}-graph.svg", f"{name}-recovery.svg"} <= set(links)
    for link in links:
        assert (root / "docs" / "zoo" / link).exists(), link
    recovered = (root / "docs" / "zoo" / f"{name}-recovery.svg").read_text("utf-8")
    for word in ("truth", "corrected", "naive"):
        assert word in recovered


@pytest.mark.parametrize("name", NAMES)
def test_its_command_fits_the_log_that_it_describes(root: Path, name: str) -> None:
    scm = zoo.load(name)
    command = section(page(root, name), "How to fit it")
    assert f"counterlog models copy {name}" in command
    assert f"--outcome {scm.outcome}" in command
    contexts = [s.name for s in scm.sites().values() if s.plate == "opportunities"]
    known = {scm.exposure, scm.outcome, "position", *scm.latent}
    columns = [*(c for c in contexts if c not in known), *([scm.together] if scm.together else [])]
    for column in columns:
        assert re.search(rf"--context \S*{column}", command), f"--context lacks {column}"
    flag = scm.exposure not in scm.latent and scm.outcome != "rating"
    assert ("--exposure exposure" in command) == flag


def test_the_index_leads_to_every_page(root: Path) -> None:
    for where in ("zoo/index.md", "guide/models.md"):
        text = (root / "docs" / where).read_text("utf-8")
        for name in NAMES:
            assert f"`{name}`" in text, f"{where} lacks {name}"
    index = (root / "docs" / "zoo" / "index.md").read_text("utf-8")
    assert set(re.findall(r"\]\((\w+)\.md\)", index)) == set(NAMES)
    assert "zoo/index.md" in (root / "docs" / "index.md").read_text("utf-8")
