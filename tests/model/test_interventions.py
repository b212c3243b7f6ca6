"""Interventions: refused by name before any work; what is written out is what was set; numbers against known "
"coefficients."""

from __future__ import annotations

import numpy as np
import pyro.distributions as dist
import pytest
import torch
from tests.inference.worlds import draw_world, grid, small
from tests.model.programs import linear, plain

from counterlog import zoo
from counterlog.errors import InputError, RefusedError, UnknownNameError
from counterlog.model.interventions import Intervention, cut, fix, replace, shift
from counterlog.model.policies import load_policy, probabilities, uniform
from counterlog.model.worlds import World, run
from counterlog.rng import seeded

N_USERS, N_ITEMS = 4000, 5


def linear_world(do: Intervention | None = None, seed: int = 0, given: dict | None = None) -> World:
    with seeded(seed, "linear"):
        return run(linear, grid(N_USERS, N_ITEMS), given or {}, do or Intervention())


def slopes(world: World) -> np.ndarray:
    """Least squares of dwell on 1, interest, score, exposure."""
    values = {name: value.numpy() for name, value in world.values.items()}
    own = np.repeat(values["interest"], N_ITEMS)
    design = np.column_stack([np.ones(len(own)), own, values["score"], values["exposure"]])
    return np.linalg.lstsq(design, values["dwell"], rcond=None)[0]


@pytest.mark.parametrize(
    "do",
    [fix(exposre=1), shift(exposre=1.0), replace(exposre=uniform()), cut("exposre", "click"), cut("taste", "clik")],
)
def test_an_unknown_site_is_refused_with_the_nearest(do: Intervention) -> None:
    with pytest.raises(UnknownNameError, match=r"did you mean '(exposure|click)'"):
        do.check(plain)
    with pytest.raises(RefusedError, match="no site"):  # never silent, also unchecked
        run(plain, grid(3, 2), {}, do)


def test_a_site_of_features_that_the_log_lacks_is_refused() -> None:
    scm = small(zoo.load("self_selection"))
    do = fix(user_weights=0.0)
    do.check(scm)  # the program has it where there are features
    with pytest.raises(RefusedError, match="no site 'user_weights' for this log"):
        draw_world(scm, grid(3, 2), 0, do)


def test_what_is_set_is_what_is_written_and_what_children_see() -> None:
    world = linear_world(fix(exposure=1))
    assert (world.values["exposure"] == 1).all()
    assert (world.mean("exposure") == 1).all()
    natural = linear_world()
    assert torch.equal(natural.values["score"], world.values["score"])  # nothing upstream moved
    expected = 1.0 + 3.0 * world.values["interest"].repeat_interleave(N_ITEMS) + 0.5 * world.values["score"] + 4.0
    torch.testing.assert_close(world.mean("dwell"), expected)


def test_an_array_gives_each_row_its_value() -> None:
    interest = torch.linspace(-1, 1, N_USERS)
    world = linear_world(fix(interest=interest.numpy()))
    torch.testing.assert_close(world.values["interest"], interest)
    with pytest.raises(InputError, match=r"shape \(3,\); site 'interest' has shape \(4000,\)"):
        linear_world(fix(interest=[1.0, 2.0, 3.0]))


def test_a_shift_moves_the_site_and_what_follows() -> None:
    natural, moved = linear_world(), linear_world(shift(score=2.0))
    torch.testing.assert_close(moved.values["score"], natural.values["score"] + 2.0)
    torch.testing.assert_close(moved.mean("score"), natural.mean("score") + 2.0)
    assert moved.values["exposure"].mean() > natural.values["exposure"].mean() + 0.2
    with pytest.raises(InputError, match=r"shift.*exposure=1.* is outside the values that site 'exposure' can take"):
        linear_world(shift(exposure=1))


def test_a_site_is_replaced_by_a_distribution() -> None:
    world = linear_world(replace(exposure=dist.Bernoulli(0.25)))
    # share of 20,000 coins within 4.5 standard errors of 0.25: false alarm 7 in a million, and the seed is fixed
    assert world.values["exposure"].mean().item() == pytest.approx(0.25, abs=4.5 * (0.25 * 0.75 / 20_000) ** 0.5)
    assert (world.mean("exposure") == 0.25).all()
    torch.testing.assert_close(
        torch.tensor(slopes(world)), torch.tensor([1.0, 3.0, 0.5, 4.0]).double(), atol=0.1, rtol=0
    )


def test_a_vector_site_takes_one_number_s_distribution_and_no_other_shape() -> None:
    scm, view = small(zoo.load("popularity_exposure")), grid(6, 4)
    values = draw_world(scm, view, 0, replace(preference=dist.Normal(5.0, 0.1)))
    assert values["preference"].shape == (6, 4)
    assert (values["preference"] > 4).all()
    with pytest.raises(InputError, match=r"shape \(3,\); site 'preference' has shape \(6, 4\)"):
        draw_world(scm, view, 0, replace(preference=dist.Normal(torch.zeros(3), 1.0)))
    with pytest.raises(InputError, match="a draw of what replaces exposure is outside"):
        draw_world(scm, view, 0, replace(exposure=dist.Normal(0.5, 0.1)))


def test_policies_are_asked_once_a_row_and_checked() -> None:
    view = grid(3, 2)
    rows = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    world = run(plain, view, {}, replace(exposure=lambda frame: frame), rows=lambda: rows)
    torch.testing.assert_close(world.mean("exposure"), torch.tensor(rows))
    uniform_world = run(plain, view, {}, replace(exposure=uniform(0.5)), rows=lambda: rows)
    assert (uniform_world.mean("exposure") == 0.5).all()
    with pytest.raises(RefusedError, match="a policy gives the probability"):
        run(plain, view, {}, replace(taste=uniform()), rows=lambda: rows)


def gives_too_much(rows):
    return [1.5] * len(rows)


def gives_too_few(rows):
    return [0.5]


def gives_nothing(rows):
    return [float("nan")] * len(rows)


def gives_words(rows):
    return ["often"] * len(rows)


def fails(rows):
    raise KeyError("segment")


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (gives_too_much, "'gives_too_much' gives values from 1.5 to 1.5; a probability is in"),
        (gives_too_few, r"'gives_too_few' gives an array of shape \(1,\); expected one probability for each of 4 rows"),
        (gives_nothing, "'gives_nothing' gives values"),
        (gives_words, "'gives_words' raises ValueError"),
        (fails, "'fails' raises KeyError: 'segment'"),
    ],
)
def test_a_bad_policy_is_named(policy, said: str) -> None:
    with pytest.raises(InputError, match=said):
        probabilities(policy, [0, 1, 2, 3], policy.__name__)


def test_policies_from_files(tmp_path) -> None:
    path = tmp_path / "policy.py"
    path.write_text("def half(rows):\n    return [0.5] * len(rows)\n")
    assert load_policy(f"{path}:half")([1, 2]) == [0.5, 0.5]
    with pytest.raises(UnknownNameError, match=r"no policy function 'haf'.*did you mean 'half'"):
        load_policy(f"{path}:haf")
    with pytest.raises(InputError, match="no policy file"):
        load_policy(f"{tmp_path}/none.py:f")
    with pytest.raises(UnknownNameError, match="did you mean 'uniform'"):
        load_policy("unifrom")
    with pytest.raises(InputError, match=r"in \(0, 1\]; given 0"):
        uniform(0.0)


def test_a_cut_removes_one_edge_and_keeps_the_parent_s_other_effects() -> None:
    natural, world = slopes(linear_world()), linear_world(cut("interest", "dwell"))
    # standard errors of these slopes are below 0.035 (20,000 rows, residual variance 1 + 9 after the cut): 5 of them
    np.testing.assert_allclose(natural, [1.0, 3.0, 0.5, 4.0], atol=0.1)
    np.testing.assert_allclose(slopes(world), [1.0, 0.0, 0.5, 4.0], atol=0.2)
    own = world.values["interest"].repeat_interleave(N_ITEMS)
    assert np.polyfit(own.numpy(), world.values["score"].numpy(), 1)[0] == pytest.approx(2.0, abs=0.05)
    # what dwell sees keeps its spread: variance 9 moves from the slope into the rest
    left = world.values["dwell"] - 1.0 - 0.5 * world.values["score"] - 4.0 * world.values["exposure"]
    assert left.var().item() == pytest.approx(10.0, rel=0.08)


def test_a_cut_upstream_is_felt_downstream() -> None:
    world = linear_world(cut("interest", "score"))
    own = world.values["interest"].repeat_interleave(N_ITEMS)
    assert abs(np.corrcoef(own, world.values["score"])[0, 1]) < 0.1  # 4,000 users: five standard errors
    np.testing.assert_allclose(slopes(world), [1.0, 3.0, 0.5, 4.0], atol=0.15)
    positive = world.values["score"] > 0
    assert world.values["exposure"][positive].mean() > 0.7 > 0.3 > world.values["exposure"][~positive].mean()


@pytest.mark.parametrize("order", [1, -1])
def test_two_cuts_hold_together_in_any_order(order: int) -> None:
    cuts = (cut("score", "exposure"), cut("interest", "score"))[::order]
    world = linear_world(cuts[0] + cuts[1])
    own = world.values["interest"].repeat_interleave(N_ITEMS)
    assert abs(np.corrcoef(own, world.values["score"])[0, 1]) < 0.1
    assert abs(np.corrcoef(world.values["score"], world.values["exposure"])[0, 1]) < 0.05


def test_a_cut_beside_a_set_cause_keeps_what_was_set() -> None:
    world = linear_world(fix(exposure=1) + cut("interest", "dwell"))
    assert (world.values["exposure"] == 1).all()
    shifted = linear_world(shift(score=5.0) + cut("interest", "score"))
    assert shifted.values["score"].mean().item() == pytest.approx(5.0, abs=0.3)


def test_a_cut_reaches_a_logged_child() -> None:
    scm, view = small(zoo.load("position_examination")), grid(300, 40)
    natural = draw_world(scm, view, 0)
    given = {
        k: v for k, v in natural.items() if k not in ("exposure", "click")
    }  # as in a fit: latents and the position
    popular = natural["popularity"][view.rows.item]
    for do, tied in ((fix(exposure=1), True), (cut("popularity", "position"), False)):
        with seeded(1):
            world = run(scm, view, given, do)
        related = np.corrcoef(popular, world.values["position"])[0, 1]
        assert (related < -0.2) == tied
        assert torch.equal(world.values["popularity"], natural["popularity"])


def test_what_lies_downstream_of_an_action_is_drawn_anew_and_nothing_else() -> None:
    scm, view = small(zoo.load("position_examination")), grid(300, 40)
    natural = draw_world(scm, view, 0)
    given = {k: v for k, v in natural.items() if k not in ("exposure", "click")}
    with seeded(1):
        world = run(scm, view, given, fix(popularity=0.0))
    # without popularity every position is as likely: mean 3 +- 4.5 standard errors of 12,000 draws
    assert world.values["position"].float().mean().item() == pytest.approx(3.0, abs=4.5 * (2.0 / 12_000) ** 0.5)
    assert torch.equal(world.values["preference"], natural["preference"])
    with seeded(1):
        kept = run(scm, view, given, fix(leniency=0.0))
    assert torch.equal(kept.values["position"], natural["position"])


def test_cuts_that_cannot_be_made() -> None:
    with pytest.raises(InputError, match="linear has no edge exposure -> score to cut; score depends on interest"):
        cut("exposure", "score").check(linear)
    with pytest.raises(InputError, match="exposure is set by the same intervention"):
        (fix(exposure=1) + cut("score", "exposure")).check(linear)
    scm = small(zoo.load("latent_exposure"))
    with pytest.raises(RefusedError, match="cannot cut base -> exposure: base has a single value"):
        draw_world(scm, grid(4, 3), 0, cut("base", "exposure"))


@pytest.mark.parametrize("second", [fix(exposure=0), shift(exposure=1.0), replace(exposure=uniform())])
def test_a_site_is_acted_on_once(second: Intervention) -> None:
    with pytest.raises(InputError, match="two interventions act on exposure"):
        fix(exposure=1) + second


@pytest.mark.parametrize(
    ("do", "said"),
    [
        (fix(exposure=2), r"fix\(exposure=2\) is outside the values that site 'exposure' can take"),
        (fix(position=99), r"fix\(position=99\) is outside"),
        (fix(position=1.5), r"fix\(position=1.5\) is outside"),
        (fix(popularity=float("nan")), "is not a finite number"),
        (fix(popularity=float("inf")), "is not a finite number"),
        (fix(exposure="yes"), "fixed to a number or an array of numbers"),
        (fix(exposure=None), "fixed to a number or an array of numbers"),
    ],
)
def test_values_that_a_site_cannot_take_are_refused(do: Intervention, said: str) -> None:
    with pytest.raises(InputError, match=said):
        draw_world(small(zoo.load("position_examination")), grid(4, 3), 0, do)


def test_whole_numbers_given_as_floats_are_levels_and_ranks() -> None:
    view = grid(4, 3)
    assert (
        draw_world(small(zoo.load("position_examination")), view, 0, fix(position=2.0))["position"].dtype == torch.int64
    )
    values = draw_world(small(zoo.load("self_selection")), view, 0, fix(rating=2.0))
    assert (values["rating"] == 2).all()


def test_an_intervention_needs_something_to_do() -> None:
    for make in (fix, shift, replace):
        with pytest.raises(InputError, match="an intervention needs a site"):
            make()
    with pytest.raises(InputError, match="needs a distribution or a policy function; given 1"):
        replace(exposure=1)
    assert not Intervention()
    assert Intervention().describe() == "no intervention"


def test_it_describes_itself_and_becomes_data() -> None:
    do = fix(exposure=1) + shift(popularity=-0.5) + cut("preference", "click")
    assert do.describe() == "do(exposure=1, popularity += -0.5, cut preference -> click)"
    assert do.to_json() == {
        "fix": {"exposure": 1},
        "shift": {"popularity": -0.5},
        "replace": {},
        "cut": [["preference", "click"]],
    }
    said = replace(exposure=gives_too_few).to_json()["replace"]["exposure"]
    assert said["name"] == "gives_too_few"
    assert "return [0.5]" in said["source"]
