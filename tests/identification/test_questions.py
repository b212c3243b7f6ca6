"""What a log shows, what is selected, and which questions are refused."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyro
import pyro.distributions as dist
import pytest
from tests.identification.worlds import program

import counterlog as cl
from counterlog.errors import InputError, UnknownNameError
from counterlog.identification import Identified, NotIdentified, identify, observed
from counterlog.logs import InteractionLog

CONFOUNDED = "hour -> exposure -> click; hour -> click"


def log_of(
    outcome: Sequence[int | None], exposure: Sequence[int] | None = (1, 0, 1, 0), **context: list[float]
) -> InteractionLog:
    """Four rows with these columns."""
    columns: dict[str, object] = {"user": ["a", "a", "b", "b"], "item": ["i", "j", "i", "j"], "click": outcome}
    if exposure is not None:
        columns["shown"] = exposure
    table = pa.table(columns | context)
    return cl.from_frame(
        table, outcome="click", exposure="shown" if exposure is not None else None, context=tuple(context)
    )


def ratings(exposure: bool) -> InteractionLog:
    columns = {
        "user": ["a", "a", "b", "b"],
        "item": ["i", "j", "i", "j"],
        "rating": [5, None, 3, None],
        "shown": [1, 0, 1, 0],
    }
    table = pa.table(columns)
    if exposure:
        return cl.from_frame(table, outcome="rating", exposure="shown")
    return cl.from_frame(table.drop_columns(["shown"]).filter(pc.is_valid(table["rating"])), outcome="rating")


# what a log shows


def test_seen_is_what_the_log_has_as_a_column() -> None:
    scm = program(CONFOUNDED)
    assert observed(scm, log_of([1, 0, 0, 0])) == {"exposure", "click"}
    assert observed(scm, log_of([1, 0, 0, 0], hour=[0.1, 0.2, 0.3, 0.4])) == {"exposure", "click", "hour"}
    assert observed(scm, log_of([1, 0, 0, 0], device=[0.1, 0.2, 0.3, 0.4])) == {"exposure", "click"}


def test_a_column_is_seen_even_where_the_program_calls_it_latent() -> None:
    scm = program(CONFOUNDED, latent=("hour",))
    assert not identify(scm, "exposure", "click", log_of([1, 0, 0, 0])).identified
    found = identify(scm, "exposure", "click", log_of([1, 0, 0, 0], hour=[0.1, 0.2, 0.3, 0.4]))
    assert isinstance(found, Identified)
    assert found.adjust_for == ("hour",)


def test_without_the_column_a_site_that_is_not_latent_is_unseen_all_the_same() -> None:
    found = identify(program(CONFOUNDED), "exposure", "click", log_of([1, 0, 0, 0]))
    assert isinstance(found, NotIdentified)
    assert "hour" in found.because
    assert "a column that shows hour" in found.would_need


def test_rows_without_an_exposure_column_are_the_exposed_cells() -> None:
    scm = program("taste -> exposure, click; exposure -> click", latent=("taste",))
    assert observed(scm, log_of([1, 0, 1, 0], exposure=None)) == {"exposure", "click"}
    assert observed(scm, log_of([1, 1, 1, 1], exposure=None)) == {"click"}, "clicks alone do not say what was shown"


def test_positions_are_the_site_position() -> None:
    table = pa.table({"user": ["a", "b"], "item": ["i", "j"], "click": [0, 1], "rank": [1, 2]})
    log = cl.from_frame(table, outcome="click", position="rank")
    scm = cl.zoo.load("position_examination")
    assert observed(scm, log) == {"position", "click"}
    found = identify(scm, "position", "click", log)
    assert isinstance(found, NotIdentified)
    assert found.because == "unseen common causes of position and click: popularity"


def test_names_say_what_is_seen() -> None:
    scm = program(CONFOUNDED)
    assert identify(scm, "exposure", "click", ["exposure", "click", "hour"]).identified
    assert not identify(scm, "exposure", "click", ["exposure", "click"]).identified
    found = identify(scm, "exposure", "click", ["click", "hour"])
    assert isinstance(found, NotIdentified)
    assert found.because == "exposure is not observed"
    found = identify(scm, "exposure", "click", "exposure")
    assert isinstance(found, NotIdentified)
    assert found.because == "click is not observed"


# selection


def test_ratings_that_people_choose_to_give_are_missing_not_at_random() -> None:
    for log in (ratings(exposure=True), ratings(exposure=False), None):
        found = identify(cl.zoo.load("self_selection"), "exposure", "rating", log)
        assert isinstance(found, NotIdentified)
        assert "rating is a cause of exposure" in found.because
        assert any("random" in text for text in found.would_need)
        assert any("Miao and Tchetgen Tchetgen 2016" in text for text in found.would_need)


def test_an_effect_of_what_is_seen_on_exposed_rows_only_is_refused() -> None:
    found = identify(cl.zoo.load("self_selection"), "rating", "exposure", ratings(exposure=True))
    assert isinstance(found, NotIdentified)
    assert "seen only where exposure = 1" in found.because


def test_selection_on_a_cause_of_the_outcome_needs_the_set_that_screens_it_off() -> None:
    """device -> click; hour -> exposure, click: clicks stand on exposed rows only, so hour has to be adjusted for
    although it confounds nothing.
    """
    scm = program("device -> click; hour -> exposure, click")
    columns = {"device": [0.1, 0.2, 0.3, 0.4], "hour": [0.1, 0.5, 0.9, 0.4]}
    every = identify(scm, "device", "click", log_of([1, 0, 0, 0], **columns))
    masked = identify(scm, "device", "click", log_of([1, None, 0, None], **columns))
    assert isinstance(every, Identified)
    assert isinstance(masked, Identified)
    assert (every.criterion, every.adjust_for) == ("back-door", ())
    assert (masked.criterion, masked.adjust_for) == ("selection back-door", ("hour",))
    assert any("seen only where exposure = 1" in text for text in masked.assumptions)
    blind = identify(scm, "device", "click", log_of([1, None, 0, None], device=columns["device"]))
    assert isinstance(blind, NotIdentified)
    assert "click is seen only where exposure = 1" in blind.because
    assert "a column that shows hour" in blind.would_need
    assert any("were not exposed as well" in text for text in blind.would_need)
    assert not any("device was randomised" in text for text in blind.would_need), "that would not help"


def test_a_mediator_in_exposed_rows_only_is_refused() -> None:
    """device -> exposure -> click, clicks on exposed rows only: nothing screens click off from exposure."""
    scm = program("device -> exposure -> click; device -> click")
    log = log_of([1, None, 0, None], device=[0.1, 0.2, 0.3, 0.4])
    assert not identify(scm, "device", "click", log).identified
    found = identify(scm, "exposure", "click", log)
    assert isinstance(found, Identified)
    assert found.adjust_for == ("device",)
    assert any("holds for exposure = 1" in text for text in found.assumptions)


def test_the_front_door_needs_outcomes_of_unexposed_rows() -> None:
    scm = program("taste -> exposure -> preview -> click; taste -> click", latent=("taste",))
    preview = [0.1, 0.2, 0.3, 0.4]
    assert identify(scm, "exposure", "click", log_of([1, 0, 0, 0], preview=preview)).identified
    masked = identify(scm, "exposure", "click", log_of([1, None, 0, None], preview=preview))
    assert isinstance(masked, NotIdentified)
    assert "seen only where exposure = 1" in masked.because


def test_context_of_exposed_rows_only_is_no_covariate() -> None:
    """Without an exposure column nobody knows at which hours nothing was shown, so P(hour) cannot be filled in."""
    scm = program(CONFOUNDED)
    hour = [0.1, 0.2, 0.3, 0.4]
    assert identify(scm, "exposure", "click", log_of([1, 0, 1, 0], hour=hour)).identified
    found = identify(scm, "exposure", "click", log_of([1, 0, 1, 0], exposure=None, hour=hour))
    assert isinstance(found, NotIdentified)
    assert found.because == "unseen common causes of exposure and click: hour (seen only where exposure = 1)"
    assert any("click, hour of opportunities that were not exposed as well" in text for text in found.would_need)
    other = identify(
        program("hour -> click; exposure -> click"), "hour", "click", log_of([1, 0, 1, 0], None, hour=hour)
    )
    assert not other.identified, "exposure is a cause of click: the exposed rows do not speak for all"
    free = identify(program("hour -> click, exposure"), "hour", "click", log_of([1, 0, 1, 0], None, hour=hour))
    assert isinstance(free, Identified)
    assert free.criterion == "selection back-door"
    onto = identify(program("hour -> click, exposure"), "hour", "exposure", log_of([1, 0, 1, 0], None, hour=hour))
    assert isinstance(onto, NotIdentified)
    assert "hour, whose effect is asked, is seen only where exposure = 1" in onto.because


def test_what_the_program_reads_without_a_site_is_said() -> None:
    log = log_of([1, 0, 0, 0], hour=[0.1, 0.2, 0.3, 0.4], surface=[1.0, 2.0, 1.0, 2.0])
    found = identify(program(CONFOUNDED), "exposure", "click", log)
    assert any(text.startswith("the formula holds given surface, which") for text in found.assumptions)


def test_an_outcome_of_exposed_rows_is_no_covariate() -> None:
    """click -> return visit, confounded by nothing else: with every click seen the effect is plain, else refused."""
    scm = program("exposure -> click; hour -> click; click -> visit; hour -> visit")
    columns = {"visit": [0.1, 0.2, 0.3, 0.4], "hour": [0.1, 0.5, 0.9, 0.4]}
    assert identify(scm, "click", "visit", log_of([1, 0, 0, 0], **columns)).identified
    assert not identify(scm, "click", "visit", log_of([1, None, 0, None], **columns)).identified


# no effect


def test_no_effect_is_an_answer() -> None:
    found = identify(program("hour -> exposure; device -> click", outcome="click"), "exposure", "click")
    assert isinstance(found, Identified)
    assert (found.criterion, found.estimand, found.adjust_for) == ("no effect", "P(click)", ())
    assert found.assumptions[0] == "click does not depend on exposure: no directed path leads there"
    unseen = identify(program("taste -> exposure; device -> click", ("taste",)), "taste", "click")
    assert unseen.identified, "what is unseen and acts on nothing that is asked about does no harm"


def test_a_joint_effect_says_which_site_no_longer_matters() -> None:
    found = identify(program("mail -> exposure -> click; hour -> mail, exposure"), ["exposure", "mail"], "click")
    assert isinstance(found, Identified)
    assert found.estimand == "P(click | exposure)"
    assert any("does not depend on mail" in text for text in found.assumptions)


# questions that are none


def test_a_parameter_has_one_value() -> None:
    found = identify(cl.zoo.load("popularity_exposure"), "targeting", "click")
    assert isinstance(found, NotIdentified)
    assert "targeting is a parameter of the program" in found.because


def test_parameters_are_constants_and_confound_nothing() -> None:
    @cl.scm(exposure="exposure", outcome="click")
    def world(view):
        level = pyro.sample("level", dist.Normal(0.0, 1.0))
        with view.opportunities():
            exposure = pyro.sample("exposure", dist.Bernoulli(logits=level))
            pyro.sample("click", dist.Bernoulli(logits=level + exposure))

    found = identify(world, "exposure", "click")
    assert isinstance(found, Identified)
    assert found.adjust_for == ()
    with pytest.raises(InputError, match="'level' is a parameter of world"):
        identify(world, "exposure", "level")


def test_bad_questions_are_refused_in_words() -> None:
    scm = program(CONFOUNDED, latent=("hour",))
    with pytest.raises(InputError, match="effect of 'click' on itself"):
        identify(scm, "click", "click")
    with pytest.raises(InputError, match=r"'hour' is a cause of 'exposure' .*hour -> exposure.* ask for the effect of"):
        identify(scm, "exposure", "hour")
    with pytest.raises(UnknownNameError, match="did you mean 'exposure'"):
        identify(scm, "exposre", "click")
    with pytest.raises(UnknownNameError, match="did you mean 'click'"):
        identify(scm, "exposure", "clik")
    with pytest.raises(UnknownNameError, match="given= names the sites"):
        identify(scm, "exposure", "click", ["exposure", "clicks"])
    with pytest.raises(InputError, match=r"'hour' is declared latent in world .* take it out of latent"):
        identify(scm, "exposure", "click", ["exposure", "click", "hour"])
    with pytest.raises(InputError, match="effect_of is empty"):
        identify(scm, (), "click")
    with pytest.raises(InputError, match="'targeting' is a parameter"):
        identify(cl.zoo.load("popularity_exposure"), "exposure", "click", ["targeting"])


# how an answer looks


def test_both_answers_have_the_same_keys_and_show_themselves() -> None:
    yes = identify(program(CONFOUNDED), "exposure", "click")
    no = identify(program(CONFOUNDED, ("hour",)), "exposure", "click")
    keys = {"identified", "estimand", "adjust_for", "because", "would_need", "criterion", "assumptions", "rests_on"}
    assert keys <= set(yes.to_json()) == set(no.to_json())
    for found in (yes, no):
        assert json.loads(json.dumps(found.to_json(), allow_nan=False)) == found.to_json()
        assert found.to_text() == str(found)
        assert "<table>" in found._repr_html_()
        assert "-&gt;" in found._repr_html_(), "escaped"
        with pytest.raises(AttributeError):
            found.on = "other"  # type: ignore[misc]
    assert yes.to_json()["estimand"] == "sum over hour: P(click | exposure, hour) P(hour)"
    assert cl.identify is identify
