"""The card: what an intervention's answer is said to rest on."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import pyarrow as pa
import pyro.distributions as dist
import pytest
from tests.identification.worlds import program
from tests.query.worlds import hourly_fit, zoo_fit

import counterlog as cl
from counterlog.errors import InputError
from counterlog.finding import Finding
from counterlog.inference.svi import Convergence
from counterlog.model.interventions import Intervention
from counterlog.model.policies import uniform
from counterlog.query.card import Card, card
from counterlog.query.identified import Verdict, verdict


def asked(
    drawing: str,
    do: Intervention,
    *versus: Intervention,
    latent: tuple[str, ...] = (),
    on: str = "click",
    clicks: tuple[int | None, ...] = (1, 0, 0),
) -> Verdict:
    """The verdict for a program, of which the log shows every site that is not latent."""
    scm = program(drawing, latent)
    columns = {name: [0.1, 0.2, 0.3] for name in scm.sites() if name not in ("exposure", "click", *latent)}
    table = pa.table(
        {"user": ["a", "b", "c"], "item": ["i", "j", "k"], "click": list(clicks), "exposure": [1, 0, 1], **columns}
    )
    log = cl.from_frame(table, outcome="click", exposure="exposure", context=tuple(columns))
    return verdict(SimpleNamespace(scm=scm, log=log), [do, *versus], on)  # type: ignore[arg-type]


CONFOUNDED = "hour -> exposure -> click; hour -> click"
FRONT_DOOR = "taste -> exposure -> preview -> click; taste -> click"
NAPKIN = "offer -> banner -> exposure -> click; taste -> offer, exposure; mood -> offer, click"


def my_policy(rows: object) -> float:
    return 0.5


def test_an_identified_card_names_criterion_and_estimand() -> None:
    found = cl.effect(hourly_fit(), "click", cl.fix(exposure=1), draws=10).card
    assert (found.criterion, found.adjust_for, found.would_need) == ("back-door", ("hour",), ())
    assert "estimand: sum over hour: P(click | exposure, hour) P(hour)" in found.assumptions
    assert "(back-door)" in found.to_text()
    assert found.to_json()["criterion"] == "back-door"


def test_a_card_that_is_not_identified_says_what_it_would_need() -> None:
    found = cl.effect(zoo_fit("popularity_exposure"), "click", cl.fix(exposure=1), draws=10).card
    assert "columns that show attribute, preference" in found.would_need
    assert any("randomised" in text for text in found.would_need)
    assert "would need: columns that show attribute, preference" in found.to_text()
    assert found.criterion == "none"


def test_a_site_that_the_outcome_does_not_depend_on_is_answered_with_that_said() -> None:
    answer = cl.effect(hourly_fit(), "hour", cl.fix(exposure=1), draws=10)
    assert answer.card.identified is True
    assert answer.card.criterion == "no effect"
    assert answer.card.assumptions[0] == "hour does not depend on exposure: no directed path leads there"


def test_a_level_is_not_that_of_the_exposed_rows_even_without_an_effect() -> None:
    fit = zoo_fit("self_selection")
    level = cl.effect(fit, "rating", cl.fix(popularity=0.0), draws=10).card
    assert level.identified is False
    assert "rating is seen only where exposure = 1" in level.because
    assert "rating does not depend on popularity" in level.assumptions[0]
    difference = cl.effect(fit, "rating", cl.fix(popularity=1.0), cl.fix(popularity=0.0), draws=10)
    assert difference.card.identified is True
    assert difference.estimate == 0.0


def test_all_sites_that_are_acted_on_count_jointly() -> None:
    drawing = "mail -> opened -> exposure -> click; mail -> click; mood -> opened, click"
    both = asked(drawing, cl.fix(mail=1.0, exposure=1), latent=("mood",))
    assert (both.identified, both.criterion) == (True, "ID algorithm")
    spoilt = asked(
        "taste -> exposure, click; exposure -> click; mail -> click", cl.fix(mail=1.0, exposure=1), latent=("taste",)
    )
    assert not spoilt.identified
    assert "taste" in spoilt.because


def test_arms_on_different_sites_are_asked_about_one_by_one() -> None:
    """mail is confounded with clicks only through exposure, so both together are identified and mail alone is not."""
    drawing = "taste -> mail; taste -> exposure; mail -> exposure -> click"
    both, mail = cl.fix(mail=1.0, exposure=1), cl.fix(mail=0.0)
    assert asked(drawing, both, latent=("taste",)).identified
    assert not asked(drawing, mail, latent=("taste",)).identified
    assert not asked(drawing, both, mail, latent=("taste",)).identified
    assert asked(drawing, both, Intervention(), latent=("taste",)).criterion == "back-door, observed"
    free = asked("mail -> exposure -> click; hour -> exposure, click", cl.fix(exposure=1), cl.fix(mail=1.0))
    assert (free.identified, free.adjust_for) == (True, ("hour",))


def test_a_cut_acts_on_both_ends() -> None:
    drawing = "hour -> exposure -> click; hour -> click; taste -> click"
    assert asked(drawing, Intervention(cuts=(("hour", "exposure"),))).adjust_for == ()
    latent = asked(drawing, Intervention(cuts=(("taste", "click"),)), latent=("taste",))
    assert latent.because == "taste is not observed"
    tied = "mood -> hour, exposure; hour -> exposure; exposure, hour -> click"
    assert asked(tied, cl.fix(exposure=1, hour=0.0), latent=("mood",)).identified
    cut = asked(tied, Intervention(cuts=(("hour", "exposure"),)), latent=("mood",))
    assert "unseen causes tie hour to exposure" in cut.because


@pytest.mark.parametrize(
    ("drawing", "latent", "do", "identified"),
    [
        (CONFOUNDED, (), cl.shift(exposure=1.0), True),
        (FRONT_DOOR, ("taste",), cl.shift(exposure=1.0), True),
        (NAPKIN, ("taste", "mood"), cl.fix(exposure=1), True),
        (NAPKIN, ("taste", "mood"), cl.shift(exposure=1.0), False),
        (CONFOUNDED, (), cl.replace(exposure=my_policy), True),
        (CONFOUNDED, (), cl.replace(exposure=dist.Bernoulli(0.5)), True),
        (
            "taste -> exposure; taste -> hour; season -> hour; season -> click; exposure -> click",
            ("taste", "season"),
            cl.replace(exposure=uniform(0.5)),
            True,
        ),
        (
            "taste -> exposure; taste -> hour; season -> hour; season -> click; exposure -> click",
            ("taste", "season"),
            cl.replace(exposure=my_policy),
            False,
        ),
    ],
)
def test_a_shift_or_a_policy_reads_more_than_a_setting(
    drawing: str, latent: tuple[str, ...], do: Intervention, identified: bool
) -> None:
    """A shift reads the value that a site had; a policy may read the hour, which opens the path of M-bias."""
    found = asked(drawing, do, latent=latent)
    assert found.identified is identified
    assert bool(found.because) is not identified


@pytest.mark.parametrize(
    ("arms", "identified"),
    [
        ([cl.fix(exposure=1)], True),
        ([cl.fix(exposure=0)], False),
        ([cl.fix(exposure=1), cl.fix(exposure=0)], False),
        ([cl.replace(exposure=uniform())], True),
        ([cl.replace(exposure=uniform(0.5))], False),
        ([cl.replace(exposure=my_policy)], False),
    ],
)
def test_an_outcome_of_exposed_rows_says_nothing_about_the_unexposed(
    arms: list[Intervention], identified: bool
) -> None:
    """With clicks that are null where nothing was shown; where they are 0 there, all of these are identified."""
    assert asked(CONFOUNDED, *arms, clicks=(1, None, 0)).identified is identified
    assert asked(CONFOUNDED, *arms).identified


def test_what_is_set_itself_needs_no_graph() -> None:
    assert asked(CONFOUNDED, cl.fix(click=1)).criterion == "set"
    assert not asked(CONFOUNDED, cl.shift(click=1.0)).identified
    assert asked(CONFOUNDED, Intervention()).because == "no site is acted on"


def test_an_instrument_stands_in_the_card_with_its_assumption() -> None:
    found = asked("campaign -> exposure -> click; taste -> exposure, click", cl.fix(exposure=1), latent=("taste",))
    assert not found.identified
    assert any("campaign" in text and "monotonicity" in text for text in found.would_need)


def test_what_one_event_would_have_been_is_never_identified() -> None:
    fit = hourly_fit()
    found = card(fit, cl.fix(exposure=1), "click", "all events", {}, "", rung="L3", extra=("first of all",))
    assert found.rung == "L3"
    assert found.identified is False
    assert "shows in no data" in found.because
    assert found.assumptions[0] == "first of all"
    assert found.estimand == "E[click | do(exposure=1), what was observed], averaged over all events"
    assert card(fit, cl.fix(exposure=1), "click", "all events", {}, "").identified


def test_the_card_warns_of_checks_that_did_not_pass() -> None:
    fit = hourly_fit()
    bad = Finding("residuals", "FAIL", 4.0, None, "larger than any replicate", "add the interaction")
    good = Finding("levels", "PASS", 0.0, None, "as replicated", "")
    checks = SimpleNamespace(about={"fit_hash": fit.hash}, findings=(bad, good))
    do = cl.fix(exposure=1)
    plain = cl.effect(fit, fit.scm.outcome, do, draws=10).card
    warned = cl.effect(fit, fit.scm.outcome, do, draws=10, checks=checks).card
    extra = set(warned.warnings) - set(plain.warnings)
    assert extra == {"FAIL residuals: larger than any replicate"}
    assert "WARNING: FAIL residuals" in warned.to_text()
    assert Card.from_json(warned.to_json()).warnings == warned.warnings
    other = SimpleNamespace(about={"fit_hash": "of another"}, findings=())
    with pytest.raises(InputError, match="another fit"):
        cl.effect(fit, fit.scm.outcome, do, draws=10, checks=other)


def test_a_fit_that_has_not_converged_is_warned_of_on_the_card() -> None:
    fit = dataclasses.replace(hourly_fit(), convergence=Convergence(False, "the loss still fell"))
    answer = cl.effect(fit, fit.scm.outcome, cl.fix(exposure=1), draws=10).card
    assert "not converged: the loss still fell" in answer.warnings
