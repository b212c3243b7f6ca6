"""Textbook graphs, each with the verdict that the literature gives, and formulas confirmed on exact laws."""

from __future__ import annotations

from dataclasses import dataclass

import networkx as nx
import numpy as np
import pytest
from tests.identification.worlds import Joint, edges_of, program

from counterlog.identification import Identified, NotIdentified, identify
from counterlog.identification.functional import Hedge, functional
from counterlog.identification.projection import project


@dataclass(frozen=True)
class Textbook:
    """A graph, what is unseen in it, the question, and the known answer: the criterion (None: not identified) and the
    adjustment set, or the words of the refusal. ``naive`` says whether P(click | exposure) happens to be right.
    """

    name: str
    drawing: str
    latent: tuple[str, ...]
    criterion: str | None
    adjust_for: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    effect_of: tuple[str, ...] = ("exposure",)
    on: str = "click"
    naive: bool = False


GRAPHS = (
    Textbook("confounder", "hour -> exposure -> click; hour -> click", (), "back-door", ("hour",)),
    Textbook("unseen-confounder", "taste -> exposure -> click; taste -> click", ("taste",), None, words=("taste",)),
    Textbook("mediator", "exposure -> preview -> click; exposure -> click", (), "back-door", naive=True),
    Textbook(
        "m-bias",
        "taste -> exposure; taste -> hour; season -> hour; season -> click; exposure -> click",
        ("taste", "season"),
        "back-door",
        naive=True,
    ),
    Textbook("collider", "exposure -> click; exposure -> seen; click -> seen", (), "back-door", naive=True),
    Textbook(
        "front-door",
        "taste -> exposure -> preview -> click; taste -> click",
        ("taste",),
        "front-door",
        words=("sum over preview", "sum over exposure'"),
    ),
    Textbook(
        "two-mediators",
        "taste -> exposure, click; exposure -> preview, detail; preview, detail -> click",
        ("taste",),
        "front-door",
        words=("detail, preview",),
    ),
    Textbook(
        "one-mediator-of-two-unseen",
        "taste -> exposure, click; exposure -> preview, detail; preview, detail -> click",
        ("taste", "detail"),
        None,
        words=("taste", "a column that shows detail"),
    ),
    Textbook(
        "instrument",
        "campaign -> exposure -> click; taste -> exposure, click",
        ("taste",),
        None,
        words=("campaign", "monotonicity", "Imbens and Angrist 1994"),
    ),
    Textbook(
        "instrument-beside-a-confounder",
        "campaign -> exposure -> click; hour -> exposure, click",
        (),
        "back-door",
        ("hour",),
    ),
    Textbook("bow", "taste -> exposure, click; exposure -> click", ("taste",), None, words=("taste", "randomised")),
    Textbook(
        "napkin",
        "offer -> banner -> exposure -> click; taste -> offer, exposure; mood -> offer, click",
        ("taste", "mood"),
        "ID algorithm",
        words=("/", "for any one value of banner"),
    ),
    Textbook("simpson", "group -> exposure -> click; group -> click", (), "back-door", ("group",)),
    Textbook(
        "proxy",
        "taste -> exposure, click, survey; exposure -> click",
        ("taste",),
        None,
        words=("taste", "a column that shows taste"),
    ),
    Textbook(
        "two-treatments",
        "mail -> opened -> exposure -> click; mail -> click; mood -> opened, click",
        ("mood",),
        "ID algorithm",
        effect_of=("mail", "exposure"),
        words=("sum over opened",),
    ),
    Textbook(
        "butterfly",
        "a -> exposure; a -> hour; b -> hour; b -> click; hour -> exposure, click; exposure -> click",
        (),
        "back-door",
        ("b", "hour"),
    ),
    Textbook(
        "butterfly-unseen",
        "a -> exposure; a -> hour; b -> hour; b -> click; hour -> exposure, click; exposure -> click",
        ("a", "b"),
        None,
        words=("chain", "a of exposure and hour", "b of hour and click"),
    ),
    Textbook(
        "verma",
        "exposure -> open -> scroll -> click; exposure -> scroll; mood -> open, click",
        ("mood",),
        "back-door",
        naive=True,
    ),
    Textbook(
        "verma-from-the-middle",
        "offer -> open -> exposure -> click; offer -> exposure; mood -> open, click",
        ("mood",),
        "back-door",
        ("offer", "open"),
    ),
    Textbook(
        "conditional-front-door",
        "taste -> exposure -> preview -> click; taste -> click; hour -> exposure, preview, click",
        ("taste",),
        "ID algorithm",
        words=("sum over", "exposure'", "hour"),
    ),
    Textbook(
        "descendant-is-no-confounder",
        "hour -> exposure -> click -> receipt; hour -> click",
        (),
        "back-door",
        ("hour",),
    ),
    Textbook("no-effect", "hour -> exposure; hour -> click", (), "no effect"),
)
IDS = [case.name for case in GRAPHS]


def answer(case: Textbook) -> Identified | NotIdentified:
    return identify(program(case.drawing, case.latent), case.effect_of, case.on)


@pytest.mark.parametrize("case", GRAPHS, ids=IDS)
def test_the_known_verdict(case: Textbook) -> None:
    found = answer(case)
    assert found.identified is (case.criterion is not None), str(found)
    if isinstance(found, Identified):
        assert (found.criterion, found.adjust_for) == (case.criterion, case.adjust_for)
        assert not set(found.uses) & set(case.latent), "an estimand reads what is seen"
    for words in case.words:
        assert words in str(found)
    assert set(found.observed) | set(found.unobserved) == {name for edge in edges_of(case.drawing) for name in edge}
    assert set(found.unobserved) == set(case.latent)


@pytest.mark.parametrize("case", [c for c in GRAPHS if c.criterion not in (None, "no effect")], ids=lambda c: c.name)
def test_the_estimand_is_the_effect_where_all_is_known(case: Textbook) -> None:
    """On exact laws of binary sites: the formula equals the truncated factorisation, and the naive conditional does not
    unless nothing confounds.
    """
    from counterlog.identification import criteria

    graph = nx.DiGraph(edges_of(case.drawing))
    for seed in range(3):
        law = Joint(graph, seed)
        truth = law.effect(case.effect_of, case.on)
        general = functional(project(graph, set(graph) - set(case.latent)), case.effect_of, case.on)
        assert not isinstance(general, Hedge)
        np.testing.assert_allclose(*np.broadcast_arrays(law.value(general), truth), atol=1e-12)
        naive = law.given(case.on, case.effect_of)
        assert np.allclose(naive, truth) is case.naive
        if case.criterion == "back-door":
            shown = criteria.back_door_formula(case.effect_of, case.on, case.adjust_for)
            np.testing.assert_allclose(law.value(shown), truth, atol=1e-12)


def test_what_is_refused_has_two_worlds_with_one_log() -> None:
    """The bow: everybody's taste decides both, or exposure decides all; the logs agree, the effects do not."""
    exposure, click = 0, 1
    log = np.array([[0.5, 0.0], [0.0, 0.5]])  # exposure = click, half and half
    by_taste = {(x, y): 0.5 for x in (0, 1) for y in (0, 1)}  # setting exposure does nothing
    by_exposure = {(x, y): float(x == y) for x in (0, 1) for y in (0, 1)}
    assert log.sum(click).tolist() == log.sum(exposure).tolist() == [0.5, 0.5]
    assert by_taste != by_exposure
    assert not answer(next(c for c in GRAPHS if c.name == "bow")).identified


def test_a_collider_adjusted_for_is_wrong() -> None:
    """Why the set is empty in M-bias and for a collider: adjusting for these moves the answer away from the truth."""
    from counterlog.identification import criteria

    for name, wrong in (("m-bias", "hour"), ("collider", "seen"), ("mediator", "preview")):
        case = next(c for c in GRAPHS if c.name == name)
        law = Joint(nx.DiGraph(edges_of(case.drawing)), 1)
        shown = law.value(criteria.back_door_formula(["exposure"], "click", (wrong,)))
        assert not np.allclose(shown, law.effect(["exposure"], "click"), atol=1e-4)


def test_an_instrument_is_named_with_its_assumption_and_never_adjusted_for() -> None:
    found = answer(next(c for c in GRAPHS if c.name == "instrument"))
    assert isinstance(found, NotIdentified)
    assert found.instruments == ("campaign",)
    data = found.to_json()
    assert (data["identified"], data["estimand"], data["adjust_for"]) == (False, None, [])
    assert data["instruments"] == ["campaign"]


def test_an_instrument_with_a_second_way_is_none() -> None:
    for drawing in (
        "campaign -> exposure -> click; campaign -> click; taste -> exposure, click",
        "campaign -> exposure -> click; taste -> exposure, click, campaign",
    ):
        found = identify(program(drawing, ("taste",)), "exposure", "click")
        assert isinstance(found, NotIdentified)
        assert found.instruments == ()


def test_what_would_help_does_help() -> None:
    case = next(c for c in GRAPHS if c.name == "butterfly-unseen")
    found = answer(case)
    assert isinstance(found, NotIdentified)
    assert found.would_need[:2] == ("a column that shows a", "a column that shows b")
    for column in ("a", "b"):
        latent = tuple(name for name in case.latent if name != column)
        assert identify(program(case.drawing, latent), "exposure", "click").identified


def test_latents_of_a_factor_model_are_what_an_answer_rests_on() -> None:
    import counterlog as cl

    found = identify(cl.zoo.load("popularity_exposure"), "exposure", "click")
    assert isinstance(found, NotIdentified)
    assert found.because == "unseen common causes of exposure and click: attribute, preference"
    assert found.rests_on.startswith("the factor model: ")
    assert "columns that show attribute, preference" in found.would_need
    assert "rests on the factor model" in str(found)
