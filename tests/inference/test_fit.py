"""Fits: reproducible, isolated, resumable, honest about convergence, and clear about what cannot be fitted."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyro
import pytest
import torch
from tests.inference import programs
from tests.inference.worlds import small, zoo_log

import counterlog as cl
from counterlog.errors import FitError, InputError, RefusedError, UnknownNameError
from counterlog.inference import checkpoint, svi
from counterlog.inference.svi import convergence
from counterlog.logs import InteractionLog

ROOT = Path(__file__).resolve().parents[2]


@functools.cache
def impressions(n_users: int = 25, n_items: int = 12, seed: int = 0, more: tuple[str, ...] = ()) -> InteractionLog:
    """Exposure and clicks of every cell, with context columns on request."""
    rng = np.random.default_rng(seed)
    n = n_users * n_items
    exposure = rng.random(n) < 0.5
    columns: dict[str, Any] = {
        "user": np.repeat([f"u{k}" for k in range(n_users)], n_items),
        "item": np.tile([f"i{k}" for k in range(n_items)], n_users),
        "exposure": exposure.astype(int),
        "click": (exposure & (rng.random(n) < 0.3)).astype(int),
        "hour": rng.normal(size=n),
        "device": rng.choice(["phone", "desk"], n),
    }
    names = ["user", "item", "exposure", "click", *more]
    return cl.from_frame(
        pa.table({k: columns[k] for k in names}), outcome="click", exposure="exposure", context=tuple(more)
    )


def frame(**columns: Any) -> pa.Table:
    return pa.table(columns)


def stop_at(step: int) -> Any:
    def progress(done: int, total: int, loss: float) -> None:
        if done == step:
            raise RuntimeError("killed")

    return progress


# reproducible and isolated


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    log = impressions()
    one, again, other = (cl.fit(programs.quick, log, rng=seed, steps=12, batch=100) for seed in (1, 1, 2))
    assert one.hash == again.hash != other.hash
    assert np.array_equal(one.losses, again.losses)
    assert one.steps == 12
    assert one.options["blocks"] == 3


def test_another_process_with_another_hash_seed_gives_the_same_bytes() -> None:
    here = cl.fit(programs.quick, impressions(), rng=1, steps=12, batch=100).hash
    script = (
        "import counterlog as cl; from tests.inference import programs, test_fit; impressions = test_fit.impressions; "
        "print(cl.fit(programs.quick, impressions(), rng=1, steps=12, batch=100).hash)"
    )
    env = {**os.environ, "PYTHONHASHSEED": "77", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    there = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=env, capture_output=True, text=True, check=True
    )
    assert there.stdout.strip() == here


def test_fits_do_not_touch_each_other_nor_any_global_state() -> None:
    log = impressions()
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002  (the global state is what is tested)
    state, legacy = torch.random.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    first = cl.fit(programs.quick, log, steps=6)
    kept = {name: (first.loc[name].clone(), first.log_scale[name].clone()) for name in first.loc}
    cl.fit(programs.quick.with_parameters(width=0.5), log, steps=6, rng=3)
    cl.fit(programs.no_latents, log, steps=6)
    assert all(
        torch.equal(first.loc[name], loc) and torch.equal(first.log_scale[name], scale)
        for name, (loc, scale) in kept.items()
    )
    assert torch.equal(state, torch.random.get_rng_state())
    assert np.array_equal(legacy, np.random.get_state()[1])  # noqa: NPY002
    assert not dict(pyro.get_param_store())


def test_restarts_keep_the_lowest_loss() -> None:
    log = impressions()
    alone = [cl.fit(programs.quick, log, steps=8, rng=seed).loss for seed in _seeds(3)]
    best = cl.fit(programs.quick, log, steps=8, restarts=3)
    assert best.loss == pytest.approx(min(alone), abs=1e-6)
    assert best.options["restarts"] == 3


def _seeds(number: int) -> list[int]:
    from counterlog import rng

    return [0 if k == 0 else rng.derive(0, "restart", k) for k in range(number)]


def test_draws_depend_on_their_seed_and_number_alone() -> None:
    fit = cl.fit(programs.quick, impressions(), steps=5)
    ahead = [draw.values()["taste"] for draw in fit.draws(3, rng=4)]
    torch.testing.assert_close(fit.draw(4, 2).values()["taste"], ahead[2], rtol=0, atol=0)
    some = fit.draw(4, 2).values(users=torch.tensor([3, 1]))
    torch.testing.assert_close(some["taste"], ahead[2][[3, 1]], rtol=0, atol=0)
    assert some["charm"].shape == (12,)
    assert some["base"].shape == ()


# learning


def test_a_posterior_in_closed_form_is_found() -> None:
    log = impressions(60, 20)
    fit = cl.fit(programs.no_latents, log, steps=400)
    shown, clicked = log.exposure.mean(), log.outcome[log.exposure == 1].mean()
    drawn = [draw.values() for draw in fit.draws(200, rng=0)]
    for site, share, n in (("base", shown, log.rows), ("appeal", clicked, log.exposure.sum())):
        logits = np.array([float(values[site]) for values in drawn])
        spread = 1 / (n * share * (1 - share)) ** 0.5  # Bernstein-von Mises: the prior of scale 1.5 hardly matters
        assert logits.mean() == pytest.approx(np.log(share / (1 - share)), abs=0.6 * spread)
        assert logits.std() == pytest.approx(spread, rel=0.35)


def test_a_probability_vector_can_be_learnt() -> None:
    log = impressions(60, 20)
    fit = cl.fit(programs.shares, log, steps=300)
    mix = torch.stack([draw.values()["mix"] for draw in fit.draws(100, rng=0)])
    assert mix.shape == (100, 3)
    torch.testing.assert_close(mix.sum(1), torch.ones(100))
    assert float(mix[:, 0].mean()) == pytest.approx(log.exposure.mean(), abs=0.04)


def test_an_unseen_discrete_site_of_an_opportunity_is_summed_out() -> None:
    fit = cl.fit(programs.attentive, impressions(), steps=5)
    assert fit.treatment.others == ("attention",)
    answer = cl.effect(fit, "click", cl.fix(exposure=1), draws=10)
    assert 0 < answer.estimate < 1
    assert 0.1 < answer.card.overlap["min_propensity"] < 0.9
    assert np.isfinite(fit.losses).all()


@pytest.mark.parametrize(
    ("program", "log"),
    [
        (
            programs.counting,
            frame(user=list("aabbc"), item=list("xyxyx"), exposure=[1, 1, 0, 1, 1], count=[0, 3, 0, 1, 2]),
        ),
        (
            programs.dwelling,
            frame(user=list("aabbc"), item=list("xyxyx"), exposure=[1, 1, 0, 1, 1], dwell=[1.5, 3, None, 1, 2]),
        ),
        (programs.rated, frame(user=list("aabbc"), item=list("xyxyx"), rating=[1, 2.5, 1, 4, 2.5])),
    ],
)
def test_other_kinds_of_outcome(program: Any, log: pa.Table) -> None:
    roles = {"exposure": "exposure"} if "exposure" in log.column_names else {}
    fit = cl.fit(program, cl.from_frame(log, outcome=log.column_names[-1], **roles), steps=20)
    assert np.isfinite(fit.losses).all()
    assert fit.losses[-5:].mean() < fit.losses[:5].mean()


def test_users_and_items_of_the_feature_tables_alone_do_no_harm() -> None:
    users = frame(user=[f"u{k}" for k in range(400)], age=[float(k % 7) for k in range(400)])
    events = frame(user=["u0", "u1", "u2"], item=["a", "b", "a"], exposure=[1, 1, 0], click=[1, 0, 0])
    log = cl.from_frame(events, outcome="click", exposure="exposure", users=users)
    fit = cl.fit(programs.quick, log, steps=20, batch=2)
    assert fit.options["blocks"] == 3
    assert np.isfinite(fit.losses).all()
    assert fit.loc["users"].shape[0] == 400


# convergence


def test_a_short_fit_says_that_it_has_not_converged_and_a_long_one_that_it_has() -> None:
    log = impressions()
    short = cl.fit(programs.quick, log, steps=100)
    assert not short.converged
    assert "give more steps" in short.convergence.message
    tiny = cl.fit(programs.quick, log, steps=7)
    assert not tiny.converged
    assert "7 steps are too few" in tiny.convergence.message
    long = cl.fit(programs.quick, log, steps=1200)
    assert long.converged, long.convergence.message
    assert "NOT converged" in repr(short)


def test_convergence_sees_a_fall_through_noise_and_through_differing_blocks() -> None:
    rng = np.random.default_rng(0)
    flat = 1.0 + 0.02 * rng.normal(size=2000)
    assert convergence(list(flat), 1).converged
    assert not convergence(list(flat + np.linspace(0.5, 0, 2000)), 1).converged
    assert not convergence(list(1.0 + 1.0 * rng.normal(size=2000)), 1).converged  # anything could hide in that
    blocks = np.tile([0.2, 1.8, 1.0, 1.0], 500)  # four blocks that differ, no change from epoch to epoch
    assert convergence(list(blocks), 4).converged
    assert not convergence(list(blocks[:400] - np.linspace(0, 0.5, 400)), 4).converged
    assert not convergence([1.0] * 99, 1).converged
    assert not convergence([1.0] * 200, 100).converged


# checkpoints


def test_an_interrupted_fit_goes_on_bit_for_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, whole = impressions(), {"steps": 24, "batch": 60, "rng": 5}
    straight = cl.fit(programs.quick, log, **whole)
    clock = iter(range(0, 10**6, 100))
    monkeypatch.setattr(svi, "time", SimpleNamespace(monotonic=lambda: float(next(clock))))  # a checkpoint every step
    with pytest.raises(RuntimeError, match="killed"):
        cl.fit(programs.quick, log, **whole, checkpoint=tmp_path / "fit", progress=stop_at(13))
    assert checkpoint.done(tmp_path / "fit") == 12
    steps: list[int] = []
    resumed = cl.fit(
        programs.quick, log, **whole, checkpoint=tmp_path / "fit", progress=lambda step, *_: steps.append(step)
    )
    assert steps[0] == 13
    assert resumed.hash == straight.hash
    assert np.array_equal(resumed.losses, straight.losses)
    assert not (tmp_path / "fit").exists()  # nothing is left of the checkpoints


@pytest.mark.parametrize(
    "change", [{"rng": 6}, {"steps": 25}, {"batch": 70}, {"lr": 0.02}, {"width": 0.5}, {"log": 1}, {"program": 1}]
)
def test_a_checkpoint_of_another_fit_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(RuntimeError, match="killed"):
        cl.fit(programs.quick, impressions(), steps=24, batch=60, checkpoint=tmp_path / "fit", progress=stop_at(3))
    program = programs.quick.with_parameters(width=change.pop("width", 1.0))
    program = programs.no_latents if change.pop("program", 0) else program
    log = impressions(seed=change.pop("log", 0))
    with pytest.raises(FitError, match=r"unfinished fit that differs in|belongs to another fit"):
        cl.fit(program, log, **{"steps": 24, "batch": 60, **change}, checkpoint=tmp_path / "fit")


def test_a_damaged_checkpoint_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="killed"):
        cl.fit(programs.quick, impressions(), steps=24, checkpoint=tmp_path / "fit", progress=stop_at(3))
    file = tmp_path / "fit" / "restart-0" / "checkpoint.safetensors"
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(cl_errors(), match="damaged"):
        cl.fit(programs.quick, impressions(), steps=24, checkpoint=tmp_path / "fit")


def cl_errors() -> type[Exception]:
    from counterlog.errors import CounterlogError

    return CounterlogError


# not a number


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (programs.scale_to_nan, r"not finite at step \d+, in site 'drift'"),
        (programs.likelihood_to_nan, r"not finite at step \d+, in site 'click'"),
        (programs.gradient_to_nan, r"gradient is not finite at step 1, in site 'width'"),
    ],
)
def test_nan_stops_the_fit_and_names_the_site(program: Any, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(svi.Table, "start", _far(svi.Table.start))
    with pytest.raises(FitError, match=said):
        cl.fit(program, impressions(), steps=5)


def _far(start: Any) -> Any:
    """Tables that begin beyond the place where the planted programs break."""
    return lambda loc, log_scale: start(loc + 6.0, log_scale)


def test_nan_later_keeps_what_was_finite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import counterlog.inference.svi as module

    good, seen = module.negative_elbo, []

    def breaks(*args: Any) -> Any:
        loss = good(*args)
        seen.append(len(seen))
        return loss if len(seen) < 4 else type(loss)(loss.total * torch.nan, loss.parts, loss.seen)

    monkeypatch.setattr(module, "negative_elbo", breaks)
    with pytest.raises(FitError, match="not finite at step 4"):
        cl.fit(programs.quick, impressions(), steps=9)


# what does not fit


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"steps": 0}, "must be positive; given steps=0"),
        ({"batch": 0}, "must be positive"),
        ({"restarts": 0}, "must be positive"),
        ({"lr": -1.0}, "must be positive"),
        ({"lr": float("nan")}, "must be positive"),
        ({"unexposed": "all"}, "here every opportunity is a row"),
    ],
)
def test_options_out_of_range(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        cl.fit(programs.quick, impressions(), **options)


def test_devices_that_do_not_exist() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'cuda'"):
        cl.fit(programs.quick, impressions(), device="cudda")
    if not torch.cuda.is_available():
        with pytest.raises(RefusedError, match="torch sees no GPU"):
            cl.fit(programs.quick, impressions(), device="cuda")


@pytest.mark.parametrize("unexposed", ["some", 0.0, -1.0])
def test_unexposed_is_all_or_a_positive_number(unexposed: Any) -> None:
    with pytest.raises(InputError, match="'all' or a positive number"):
        cl.fit(small(cl.zoo.latent_exposure), zoo_log("latent_exposure"), unexposed=unexposed)


def test_clicks_alone_cannot_teach_about_exposure() -> None:
    with pytest.raises(RefusedError, match=r"Use latent_exposure, or give the impressions \(--exposure\)"):
        cl.fit(small(cl.zoo.popularity_exposure), zoo_log("latent_exposure"))


def test_a_missing_position() -> None:
    with pytest.raises(UnknownNameError, match=r"no column for the site 'position'.*name the column with --position"):
        cl.fit(small(cl.zoo.position_examination), impressions())
    table = frame(user=list("aab"), item=list("xyx"), position=[1, None, 2], click=[0, 1, 0])
    log = cl.from_frame(table, outcome="click", position="position")
    with pytest.raises(InputError, match="1 of 3 rows have no 'position'"):
        cl.fit(small(cl.zoo.position_examination), log)


@pytest.mark.parametrize(
    ("name", "log", "said"),
    [
        ("self_selection", "popularity_exposure", "models a rating .*is of kind click"),
        ("latent_exposure", "self_selection", "models a click .*is of kind rating"),
    ],
)
def test_an_outcome_of_another_kind(name: str, log: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        cl.fit(cl.zoo.load(name), zoo_log(log))


def test_values_that_the_site_cannot_take() -> None:
    table = frame(user=list("aab"), item=list("xyx"), exposure=[1, 1, 1], bought=[0, 5, 1])
    log = cl.from_frame(table, outcome="bought", outcome_kind="count", exposure="exposure")
    with pytest.raises(
        InputError, match=r"the log's 'bought' goes from 0 to 5, but site 'bought' of bought \(Bernoulli\)"
    ):
        cl.fit(programs.bought, log)
    positive = cl.from_frame(table, outcome="bought", outcome_kind="count", exposure="exposure")
    with pytest.raises(InputError, match="is continuous, but the log's outcome 'bought' is a count"):
        cl.fit(programs.dwelling, positive)


def test_ratings_of_one_level() -> None:
    log = cl.from_frame(frame(user=list("ab"), item=list("xy"), rating=[3, 3]), outcome="rating")
    with pytest.raises(InputError, match="single level"):
        cl.fit(programs.rated, log)


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (programs.moody, "continuous latent site 'mood' for every opportunity"),
        (
            programs.counted_mood,
            "'mood' .Poisson. was not seen and must be summed out, but its values cannot be listed",
        ),
        (programs.kinds, "discrete latent site 'kind' for every user, which a fit by gradients cannot learn"),
    ],
)
def test_latents_that_cannot_be_learnt(program: Any, said: str) -> None:
    with pytest.raises(RefusedError, match=said):
        cl.fit(program, impressions(), steps=5)


def test_an_unseen_outcome_without_a_largest_value_cannot_be_summed_out() -> None:
    log = cl.from_frame(frame(user=list("ab"), item=list("xy"), count=[1, 2]), outcome="count")
    with pytest.raises(RefusedError, match=r"'count' .Poisson. was not seen and must be summed out"):
        cl.fit(programs.count_chooses, log, steps=5)


def test_python_may_not_read_what_is_summed_out() -> None:
    with pytest.raises(RefusedError, match=r"exposure was not seen .* glances reads it with python .* torch\.where"):
        cl.fit(programs.glances, zoo_log("latent_exposure"), steps=3)


def test_two_unseen_sites_are_summed_out_together() -> None:
    clicks = np.array([1, 0, 0, 1, 0])
    table = frame(user=list("aabbc"), item=list("xyxyx"), click=clicks)
    fit = cl.fit(programs.two_unseen, cl.from_frame(table, outcome="click"), steps=3)
    lean = fit.draw(0, 0).values()["lean"].item()
    levels, share = np.arange(3), np.array([0.2, 0.3, 0.5])
    chance = (share * (0.2 + 0.3 * levels) / (1 + np.exp(-lean - levels))).sum()
    part = fit.to_arviz(draws=1).log_likelihood["click"].values[0, 0]
    np.testing.assert_allclose(part, np.log(np.where(clicks[fit.cells.order] == 1, chance, 1 - chance)), rtol=1e-4)


def test_context_of_cells_that_nobody_logged() -> None:
    table = frame(user=list("aab"), item=list("xyx"), click=[1, 0, 1], device=["phone", "desk", "phone"])
    log = cl.from_frame(table, outcome="click", context=("device",))
    with pytest.raises(RefusedError, match="cells without an event have no device; by_device needs it"):
        cl.fit(programs.by_device, log)
    assert cl.fit(programs.quick, log, steps=3).cells.columns == {}
    with pytest.raises(UnknownNameError, match="no context 'device'"):
        cl.fit(programs.by_device, impressions(), steps=3)
    assert cl.fit(programs.by_device, impressions(more=("device",)), steps=3).steps == 3


def test_context_without_a_value_is_refused_where_a_site_needs_it_and_has_its_own_code_elsewhere() -> None:
    table = frame(user=list("aab"), item=list("xyx"), exposure=[1, 1, 1], click=[1, 0, 1], hour=[1.0, None, 3.0])
    log = cl.from_frame(table, outcome="click", exposure="exposure", context=("hour",))
    with pytest.raises(InputError, match="1 of 3 rows have no 'hour', which hourly needs"):
        cl.fit(programs.hourly, log)
    text = table.set_column(4, "device", pa.array(["b", None, "a"]))
    log = cl.from_frame(text, outcome="click", exposure="exposure", context=("device",))
    assert cl.fit(programs.by_device, log, steps=3).cells.columns["device"].tolist() == [1, 2, 0]


def test_no_outcome() -> None:
    with pytest.raises(InputError, match="needs an outcome column for its site 'click'"):
        cl.fit(programs.quick, cl.from_frame(frame(user=["a"], item=["x"]), exposure=None))
