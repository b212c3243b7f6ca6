"""Identification cards on the page, and batches of counterfactual rows, real ones and broken ones."""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from tests.synth.small_fits import fitted, world

from counterlog import counterfactual, fix, replace, shift, simulate
from counterlog.auditing import Audit, audit
from counterlog.auditing.card import card_rows
from counterlog.model import policies

from .worlds import log_of


def text_of(audit_: Audit, tmp_path) -> str:
    """The page's text as a reader sees it."""
    page = audit_.to_html(tmp_path / "page.html").read_text("utf-8")
    words = re.sub(r"<style>.*?</style>|<[^>]+>", " ", page, flags=re.DOTALL)
    for entity, sign in (("&#39;", "'"), ("&gt;", ">"), ("&lt;", "<"), ("&amp;", "&")):
        words = words.replace(entity, sign)
    return re.sub(r"\s+", " ", words)


@pytest.mark.parametrize("model", ["popularity_exposure", "self_selection"])
def test_the_card_of_the_fit_is_told_in_words_and_as_data(model, tmp_path):
    fit = fitted(model)
    found = audit(fit.log, fit=fit)
    card = found.to_json()["card"]
    outcome = fit.scm.outcome
    assert card["estimand"].startswith(f"E[{outcome} | do(exposure=1)]")
    assert card["identified"] is False
    text = text_of(found, tmp_path)
    rows = card_rows(card)
    assert {"asks for", "identified", "rests on", "assumes", "overlap", "sensitivity", "interval"} <= {
        r for r, _ in rows
    }
    for label, sentence in rows:
        assert f"{label} {re.sub(chr(92) + 's+', ' ', sentence)}".strip() in text
    assert "What the corrected mean rests on" in text
    assert "What the synthetic batch rests on" not in text


def test_no_fit_no_card(tmp_path):
    found = audit(world("popularity_exposure").log)
    assert found.to_json()["card"] is None
    assert "rests on" not in text_of(found, tmp_path)


def test_the_card_of_a_batch_comes_from_its_provenance(tmp_path):
    fit = fitted("popularity_exposure")
    fair = simulate(fit, do=replace(exposure=policies.uniform()), rng=1)
    fair.store(tmp_path / "store")
    found = audit(fit.log, synthetic=tmp_path / "store")
    assert found.about["synthetic"]["card"] == fair.card["identification"]
    text = text_of(found, tmp_path)
    assert "What the synthetic batch rests on" in text
    assert fair.card["identification"]["estimand"] in text


@pytest.mark.parametrize("model", ["popularity_exposure", "self_selection", "position_examination", "latent_exposure"])
def test_a_store_of_counterfactual_rows(model, tmp_path):
    fit = fitted(model)
    twin = counterfactual(
        fit, fit.log, shift(popularity=-0.5) if model != "self_selection" else fix(exposure=1), draws=10
    )
    twin.store(tmp_path / "store")
    found = audit(fit.log, fit=fit, synthetic=tmp_path / "store")
    names = [finding.name for finding in found.findings if finding.name.startswith(("likeness", "counterfactual"))]
    assert names == ["likeness_schema", "likeness_unseen", "counterfactual_events", "counterfactual_answers"]
    assert found["likeness_schema"].status == found["counterfactual_events"].status == "PASS"
    answers = found["counterfactual_answers"]
    assert answers.status != "FAIL"
    average = twin.average
    if average.factual is not None:
        assert answers.value == pytest.approx(average.counterfactual - average.factual, abs=1e-4)
        assert answers.details["changed"] == pytest.approx(average.changed)
        assert answers.details["bound_low"] == pytest.approx(average.bounds[0], abs=1e-4)
    if model == "self_selection":  # what was seen under exposure stays, whatever the coupling
        assert (answers.status, answers.value, answers.details["changed"]) == ("PASS", pytest.approx(0, abs=1e-6), 0)
    text = text_of(found, tmp_path)
    assert "rung L3" in text
    assert "L3, counterfactual" in text
    assert "Outcomes in two worlds" in text
    assert found.about["synthetic"]["card"]["rung"] == "L3"


def broken(table: pa.Table, **columns: np.ndarray) -> SimpleNamespace:
    for name, values in columns.items():
        table = table.set_column(table.column_names.index(name), name, pa.array(values))
    return SimpleNamespace(table=table, card={"batch": "cf-1", "kind": "counterfactual", "intervention": None})


def test_planted_faults_in_counterfactual_rows_are_found():
    fit = fitted("popularity_exposure")
    table = counterfactual(fit, fit.log, shift(popularity=-0.5), draws=10).table
    clean = audit(fit.log, synthetic=broken(table))
    assert clean["counterfactual_events"].status == "PASS"
    assert clean["counterfactual_answers"].status != "FAIL"

    flipped = 1 - table["click"].to_numpy()
    found = audit(fit.log, synthetic=broken(table, click=flipped.astype(table["click"].type.to_pandas_dtype())))
    assert found["counterfactual_events"].status == "REVIEW"
    assert found["counterfactual_events"].value > 0.1

    twice = pa.concat_tables([table, table.slice(0, 100)])
    again = audit(fit.log, synthetic=broken(twice))["counterfactual_events"]
    assert again.details["not_in_the_log"] == 100

    torn = table["click_counterfactual_high"].to_numpy() - 0.5
    found = audit(fit.log, synthetic=broken(table, click_counterfactual_high=torn))["counterfactual_answers"]
    assert found.status == "FAIL"
    assert "contradict" in found.advice

    bare = audit(fit.log, synthetic=broken(table.drop_columns(["click_counterfactual"])))["counterfactual_answers"]
    assert (bare.status, bare.value) == ("FAIL", None)
    assert "no column 'click_counterfactual'" in bare.message


def test_a_mean_whose_direction_is_an_assumption_is_for_review():
    """Clicks that popularity put there: with shared noise none is gained; other couplings allow as many to be."""
    fit = fitted("popularity_exposure")
    found = audit(fit.log, synthetic=counterfactual(fit, fit.log, shift(popularity=-0.5), draws=10))
    answers = found["counterfactual_answers"]
    inside = answers.details["bound_low"] < answers.details["factual"] < answers.details["bound_high"]
    assert answers.status == ("REVIEW" if inside else "PASS")


def test_positive_reals_leave_the_bounds_open_and_need_not_be_there():
    rng = np.random.default_rng(0)
    columns = {"user": rng.integers(0, 20, 500), "item": rng.integers(0, 20, 500), "exposure": np.ones(500)}
    columns["dwell"] = rng.lognormal(size=500)
    log = log_of(columns, 20, 20, outcome="dwell")
    dwell, unknown = columns["dwell"], np.full(500, np.nan)
    other = {"": 1.5 * dwell, "_mean": 1.5 * dwell, "_low": dwell, "_high": 2 * dwell}
    other |= {"_bound_low": unknown, "_bound_high": unknown}
    twin = pa.table(columns | {f"dwell_counterfactual{suffix}": values for suffix, values in other.items()})
    found = audit(log, synthetic=broken(twin))
    assert found["counterfactual_answers"].status == "REVIEW"
    assert "bounds over all couplings of the two worlds are open" in found["counterfactual_answers"].message
    assert [row["x"][0] for row in found.charts[-1].rows[:2]] == ["≤", "≤"]
    empty = audit(log, synthetic=broken(twin, dwell=unknown))["counterfactual_answers"]
    assert empty.value is None
    nothing = log_of({name: columns[name] for name in ("user", "item", "exposure")}, 20, 20, outcome=None)
    assert "no outcome" in audit(nothing, synthetic=broken(twin)).skipped["counterfactual_answers"]


@pytest.mark.parametrize("card", [None, "identified", 3, {}, {"rung": "L2"}, ["identified"]])
def test_what_is_no_card_gives_no_rows(card):
    assert card_rows(card) == []


def test_a_card_of_another_version_gives_what_it_has():
    assert card_rows({"identified": True, "rung": "L9", "assumptions": "one text", "overlap": {}}) == [
        ("rung", "L9"),
        ("identified", "from the observed columns"),
    ]
