"""The page: self-contained, the same bytes, nothing from a log is markup, small for any log."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
import pytest

from counterlog.auditing import Audit, Finding, audit, is_report
from counterlog.logs import Features, InteractionLog, Roles, Vocabulary

from .worlds import impressions

PAYLOADS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</text></svg><script>alert(1)</script>",
    "' onmouseover='alert(1)",
    "<svg/onload=alert(1)>",
    "javascript:alert(1)",
    "]]><script>alert(1)</script>",
    "zz{{ 7 * 7 }}{% raw %}",
    "</style><script>alert(1)</script>",
    "<a href=javascript:alert(1)>x</a>",
    "\u202e\u0000&lt;b&gt;",
]
ALLOWED = set(
    "html head meta title style body h1 h2 h3 p span div dl dt dd table thead tbody tr th td caption a br b code "
    "section header details summary figure figcaption pre footer svg g path text line rect title defs clippath".split()
)
ATTRIBUTES = re.compile(
    r"charset|http-equiv|content|name|lang|class|id|href|viewbox|xmlns.*|version|width|height|fill.*|stroke.*|transform|d|x"
    r"|y|x1|x2|y1|y2|opacity|text-anchor|font-.*|role|aria-.*|pointer-events|clip-path|display|dy|dx"
)


class Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs


def nasty(payload: str) -> InteractionLog:
    """A log in which every text that can be chosen is the payload."""
    base = impressions(0, popularity=1.0, selection=1.0, examination=0.8)
    users, items = (pa.array([f"{payload}{i}" for i in range(n)]) for n in (200, 100))
    names = {"user": f"u{payload}", "item": f"i{payload}", "click": f"c{payload}", "position": f"p{payload}"}
    table = base.table.select(["user", "item", "exposure", "click", "position"])
    table = table.set_column(0, "user", users.take(table["user"].combine_chunks()))
    table = table.set_column(1, "item", items.take(table["item"].combine_chunks()))
    table = table.rename_columns([names.get(c, c) for c in table.column_names])
    roles = Roles(names["user"], names["item"], names["click"], "click", "exposure", position=names["position"])
    return InteractionLog(
        table, roles, Vocabulary("user", users), Vocabulary("item", items), Features.empty(200), Features.empty(100),
        name=payload, licence=payload, notes=(payload,),
    )  # fmt: skip


@pytest.mark.parametrize("payload", PAYLOADS)
def test_nothing_in_a_log_becomes_markup(payload, tmp_path):
    log = nasty(payload)
    intervention = {"fix": {payload: 1}, "shift": {}, "replace": {}, "cut": []}
    said = dict.fromkeys(("rung", "estimand", "because", "rests_on", "sensitivity", "interval"), payload)
    said |= {"identified": False, "would_need": [payload], "assumptions": [payload]}
    said |= {"overlap": {"status": payload, "message": payload}}
    card = {"batch": payload, "kind": payload, "intervention": intervention, "identification": said}
    batch = SimpleNamespace(table=log.table, card=card)
    found = audit(log, synthetic=batch)
    pages = [found.to_html(tmp_path / "page.html").read_text("utf-8"), found._repr_html_()]
    for page in pages:
        seen = Tags(page)
        assert seen.tags <= ALLOWED, seen.tags - ALLOWED
        assert "zz49" not in page  # no template in a template
        for name, value in seen.attributes:
            assert ATTRIBUTES.fullmatch(name), (name, value)
            if name == "href":
                assert re.fullmatch(r"#f-\d+", value or ""), value
            if name not in ("aria-label", "content"):  # words for people, in quotes
                assert "alert" not in (value or "")
        assert not re.search(r"[\x00-\x08\u202e]", page)
    for chart in found.charts:
        ElementTree.fromstring(chart.svg)  # well-formed, whatever the names


def test_the_page_needs_nothing_and_allows_nothing(tmp_path):
    page = audit(impressions(0), synthetic=impressions(1).table).to_html(tmp_path / "page.html").read_text("utf-8")
    assert "<script" not in page
    assert not re.search(r"(?:src|href)=\"(?!#)", page)
    assert "url(http" not in page
    assert "@import" not in page
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert policy is not None
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert policy[1].replace("&#39;", "'").startswith(f"default-src 'none'; style-src 'sha256-{digest}'")
    assert ' style="' not in page
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_same_audit_same_bytes_and_the_numbers_of_its_json(tmp_path):
    log = impressions(0, popularity=0.8)
    first = audit(log).to_html(tmp_path / "a.html").read_bytes()
    found = audit(log)
    second = found.to_html(tmp_path / "b.html").read_bytes()
    assert first == second
    page = second.decode()
    for finding in found.to_json()["findings"]:
        assert finding["name"].replace("_", " ") in page
        assert finding["status"] in page
        assert finding["message"].replace("'", "&#39;").replace(">", "&gt;") in page
        assert finding["advice"].replace("'", "&#39;") in page
        assert finding["cannot_see"].replace("'", "&#39;") in page
    assert log.hash in page
    assert "CC0-1.0" in page
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.html", "b.html"]


def test_size_does_not_grow_with_the_log(tmp_path):
    rng = np.random.default_rng(0)
    rows, users, items = 100_000, 20_000, 20_000
    table = pa.table(
        {
            "user": rng.integers(0, users, rows),
            "item": rng.zipf(1.3, rows) % items,
            "count": rng.geometric(0.01, rows).astype(float),
            "position": rng.integers(1, 3_000, rows),
            "exposure": np.ones(rows),
        }
    )
    log = InteractionLog(
        table,
        Roles(outcome="count", exposure="exposure", position="position"),
        Vocabulary("user", pa.array(np.arange(users))),
        Vocabulary("item", pa.array(np.arange(items))),
        Features.empty(users),
        Features.empty(items),
    )
    found = audit(log, synthetic=table)
    assert found.to_html(tmp_path / "page.html").stat().st_size < 400_000
    assert len(found._repr_html_()) < 50_000


def test_pages_of_ours_are_known(tmp_path):
    page = audit(impressions(0)).to_html(tmp_path / "page.html")
    assert is_report(page)
    other = tmp_path / "other.html"
    other.write_text("<html><p>generator counterlog audit</p></html>")
    assert not is_report(other)
    assert not is_report(tmp_path)
    assert not is_report(tmp_path / "none.html")


def test_a_failed_write_leaves_the_old_page(tmp_path, monkeypatch):
    page = Audit((Finding("a", "PASS", None, None, "m.", "a"),)).to_html(tmp_path / "page.html")
    before = page.read_bytes()

    def broken(*_: object) -> None:
        raise OSError("disk")

    monkeypatch.setattr("os.replace", broken)
    with pytest.raises(OSError, match="disk"):
        audit(impressions(0)).to_html(page)
    assert page.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["page.html"]


def test_charts_offer_their_data():
    chart = audit(impressions(0)).charts[0]
    assert chart.to_altair().to_dict()["mark"]["type"] == "line"
    assert {"x", "y", "series"} == set(chart.to_json()["rows"][0])
