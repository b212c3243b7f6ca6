"""``counterlog audit`` through the real executable."""

from __future__ import annotations

import pytest

ROLES = ("--exposure", "exposure", "--outcome", "click")


@pytest.fixture
def csv(tmp_path):
    rows = [f"u{i % 25},i{(i * i) % 13},1,{i % 3 == 0:d}" for i in range(400)]
    (tmp_path / "log.csv").write_text("\n".join(["user,item,exposure,click", *rows]) + "\n")
    return "log.csv"


def test_page_and_json_are_one_and_a_page_of_ours_is_replaced(run_cli, csv, tmp_path):
    done = run_cli("audit", csv, *ROLES, "--out", "new/report.html", "--json", expect=0)
    found = done.json()
    assert found["verdict"] in ("PASS", "REVIEW", "FAIL")
    assert {"name", "status", "value", "interval", "message", "advice"} <= set(found["findings"][0])
    page = (tmp_path / "new" / "report.html").read_text("utf-8")
    assert found["findings"][0]["message"] in page
    again = run_cli("audit", csv, *ROLES, "--out", "new/report.html", "--json", expect=0)
    assert again.stdout == done.stdout
    assert (tmp_path / "new" / "report.html").read_text("utf-8") == page


def test_other_files_are_left_alone_without_force(run_cli, csv, tmp_path):
    mine = tmp_path / "report.html"
    mine.write_text("<p>mine</p>")
    done = run_cli("audit", csv, *ROLES, "--out", "report.html", expect=2)
    assert "report.html exists" in done.stderr
    assert mine.read_text() == "<p>mine</p>"
    assert "Verdict: " in run_cli("audit", csv, *ROLES, "--out", "report.html", "--force", expect=0).stdout
    assert "Audit of" in mine.read_text("utf-8")


@pytest.mark.parametrize("wrong", [("--synthetic", "nostore"), ("--fit", "nofit"), ("--position", "pos")])
def test_bad_input_writes_nothing(run_cli, csv, tmp_path, wrong):
    done = run_cli("audit", csv, *ROLES, *wrong, "--out", "page.html", expect=2)
    assert done.stderr.count("Error:") == 1
    assert not (tmp_path / "page.html").exists()


def test_a_counterfactual_batch_beside_its_fit(run_cli, tmp_path):
    from tests.synth.small_fits import fitted

    fit = fitted("popularity_exposure")
    fit.save(tmp_path / "fit")
    run_cli("counterfactual", "fit", "fit/log", "--do", "popularity=0", "--draws", "10", "--out", "store", expect=0)
    asked = ("audit", "fit/log", "--fit", "fit", "--synthetic", "store", "--out", "page.html")
    found = run_cli(*asked, "--json", expect=0).json()
    statuses = {finding["name"]: finding["status"] for finding in found["findings"]}
    assert statuses["counterfactual_events"] == "PASS"
    assert statuses["counterfactual_answers"] in ("PASS", "REVIEW")
    assert found["card"]["estimand"].startswith("E[click | do(exposure=1)]")
    assert found["about"]["synthetic"]["card"]["rung"] == "L3"
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "What the synthetic batch rests on" in page


def test_help_has_an_example(run_cli):
    assert "counterlog audit log.csv" in run_cli("audit", "--help", expect=0).stdout
