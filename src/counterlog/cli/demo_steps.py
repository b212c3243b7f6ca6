"""The steps of `counterlog demo`: a world whose truth is known, then a log; each step is told in a line."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from counterlog.cli.output import progress
from counterlog.errors import RefusedError

if TYPE_CHECKING:
    from counterlog.cli.demo_score import Score
    from counterlog.inference import Fit
    from counterlog.logs import InteractionLog
    from counterlog.model import SCM
    from counterlog.query import Effect

#: The known world: large enough for the correction to show, small enough for a quarter of a minute.
WORLD = {"n_users": 200, "n_items": 120}
WORLD_MODEL = {"dim": 4}
WORLD_STEPS = 500


@dataclass(frozen=True)
class Teller:
    """Tells each step as its name and a sentence, wrapped to the terminal, by ``line``."""

    line: Callable[[str], None]

    def title(self, text: str) -> None:
        """A heading."""
        self.line(f"\n{text}")

    def step(self, name: str, text: str) -> None:
        """One step."""
        width = min(shutil.get_terminal_size((110, 24)).columns, 130)
        self.line(textwrap.fill(text, width, initial_indent=f"  {name:<10} ", subsequent_indent=" " * 13))


def model_for(log: InteractionLog) -> str:
    """The zoo's model for a log, by what the log has.

    Raises
    ------
    RefusedError
        The zoo has none for such an outcome.
    """
    kind = log.roles.outcome_kind
    if kind == "rating":
        return "self_selection"
    if kind != "click":
        has = "no outcome" if log.roles.outcome is None else f"an outcome of kind {kind!r}"
        raise RefusedError(f"{log.name} has {has}, for which the zoo has no model; give your own with --model FILE.py")
    if log.position is not None:
        return "position_examination"
    return "latent_exposure" if log.clicks_only else "popularity_exposure"


def known_world(
    tell: Teller, seed: int, sizes: dict[str, int] | None = None, steps: int = WORLD_STEPS
) -> dict[str, Any]:
    """Correct the log of a drawn world and compare with what is true in it."""
    from counterlog import zoo
    from counterlog.inference import fit
    from counterlog.query import effect, fix

    scm = zoo.self_selection.with_parameters(**WORLD_MODEL)
    world = scm.world(**(sizes or WORLD), rng=seed)
    log, asked = world.log, fix(exposure=1)
    cells = world.view.n_users * world.view.n_items
    tell.title(f"A known world, drawn from {scm.name}: people rate what they like, and the truth can be looked up")
    tell.step("log", f"{log.rows:,} ratings, which {len(log.users):,} users chose to give, of {cells:,} possible ones")
    fitted = fit(scm, log, rng=seed, steps=steps, progress=True)
    with progress("effect", 100) as update:
        found = effect(fitted, scm.outcome, asked, rng=seed, progress=lambda done, total: update(done, total=total))
    truth, naive = world.mean(scm.outcome, asked), float(found.naive or 0.0)
    low, high = found.interval
    off, naive_off, covers = abs(found.estimate - truth), abs(naive - truth), low <= truth <= high
    tell.step("truth", f"E[rating | do(exposure=1)] = {truth:.3f}, the mean rating if everybody rated everything")
    tell.step("naive", f"the log's own mean is {naive:.3f}: off by {naive - truth:+.3f}")
    tell.step(
        "corrected", f"{found.estimate:.3f}, 90% interval [{low:.3f}, {high:.3f}]: off by {found.estimate - truth:+.3f}"
    )
    tell.step("verdict", world_verdict(off, naive_off, covers))
    return {
        "model": scm.name,
        "truth": truth,
        "naive": naive,
        "estimate": found.estimate,
        "interval": list(found.interval),
        "level": found.level,
        "nearer": off < naive_off,
        "covers": covers,
        "users": world.view.n_users,
        "items": world.view.n_items,
        "rows": log.rows,
        "steps": fitted.steps,
        "seconds": fitted.seconds,
    }


def world_verdict(off: float, naive_off: float, covers: bool) -> str:
    """Whether the correction helped where the truth is known, in a sentence."""
    if off < naive_off:
        said = f"the correction removes {1 - off / naive_off:.0%} of the error"
    else:
        said = f"the correction is FARTHER from the truth than the naive mean, by {off - naive_off:.3f}"
    return f"{said}; its interval {'covers' if covers else 'does NOT cover'} the truth"


def fit_log(tell: Teller, scm: SCM, log: InteractionLog, seed: int, options: dict[str, Any]) -> Fit:
    """Check, describe and fit a log."""
    from counterlog.inference import fit

    checked, found = log.check(), log.describe()
    tell.title(f"Your question on a real log: {log.name}")
    if log.licence:
        tell.step("licence", log.licence)
    kind = (
        "clicks without impressions" if log.clicks_only else "opportunities" if log.roles.exposure else "interactions"
    )
    remarks = len(checked.warnings)
    tell.step("check", f"{log.rows:,} {kind}; nothing must be mended, {remarks} remark{'' if remarks == 1 else 's'}")
    for remark in checked.warnings[:3]:
        tell.step("", f"remark: {remark.message}")
    tell.step(
        "describe",
        f"{found.users:,} users x {found.items:,} items, {found.density:.2%} of the cells; the top 1% of items have "
        f"{found.exposure.top_1pct_share:.0%} of the events (Gini {found.exposure.gini:.2f})",
    )
    fitted = fit(scm, log, rng=seed, progress=True, **options)
    state = "converged" if fitted.converged else f"NOT converged: {fitted.convergence.message}"
    tell.step("fit", f"{scm.name}, {fitted.steps:,} steps in {fitted.seconds:.0f} s, {state}")
    return fitted


def ask(tell: Teller, fitted: Fit, seed: int) -> Effect:
    """E[outcome | do(exposure=1)], with the card in words."""
    from counterlog.query import effect, fix

    outcome, exposure = fitted.scm.outcome, fitted.scm.exposure
    with progress("effect", 100) as update:
        found = effect(
            fitted, outcome, fix(**{exposure: 1}), rng=seed, progress=lambda done, total: update(done, total=total)
        )
    low, high = found.interval
    naive = "the log alone cannot say" if found.naive is None else f"the log read as it is says {found.naive:.4g}"
    card = found.card
    tell.step("effect", f"{card.estimand}: {found.estimate:.4g}, 90% interval [{low:.4g}, {high:.4g}]; {naive}")
    said = "yes, given the graph" if card.identified else f"NOT without the model: {card.because}"
    tell.step("identified", f"{said}" + (f"; adjusts for {', '.join(card.adjust_for)}" if card.adjust_for else ""))
    tell.step("rests on", card.rests_on)
    if card.overlap:
        tell.step("overlap", f"{card.overlap['status']}: {card.overlap['message']}")
    return found


def judge(tell: Teller, fitted: Fit, random: InteractionLog, seed: int) -> Score:
    """Compare with exposures that were drawn at random, and say what that can show."""
    from counterlog.cli.demo_score import score

    found = score(fitted, random, seed)
    low, high = found.difference_interval
    within = f"{found.within_user_model:.3f} of the model against {found.within_user_popularity:.3f} of popularity"
    over_all = f"over all pairs {found.auc_model:.3f} against {found.auc_popularity:.3f}"
    gain = f"difference {found.difference:+.3f} [{low:+.3f}, {high:+.3f}]"
    tell.step("random", f"{found.pairs:,} exposures drawn at random ({random.name}); liked: {found.liked}")
    tell.step("ranking", f"AUC within a user {within}, {gain}; {over_all}: {ranking_verdict(low, high)}")
    tell.step("level", f"mean over these pairs: model {found.model_mean:.3f}, random exposures {found.random_mean:.3f}")
    return found


def ranking_verdict(low: float, high: float) -> str:
    """Who ranks better, in a few words, from the interval of model less popularity."""
    if low > 0:
        return "the model ranks better"
    return "popularity ranks better" if high < 0 else "no difference that these data could show"


def limits(fitted: Fit, found: Effect, scored: Score | None, embedded: bool) -> list[str]:
    """What was corrected and what could not be, in plain sentences."""
    asked, form, said = f"E[{found.on} | {found.do}]", fitted.scm.name, []
    if scored is not None:
        better = scored.difference_interval[0] > 0
        verb = "was brought nearer to the truth" if better else "was NOT improved"
        said.append(f"The order of items {verb}: on random exposures {ranking_verdict(*scored.difference_interval)}.")
    if fitted.treatment.sum_exposure and fitted.log.clicks_only:
        said.append(
            "The level was NOT corrected by the data. Clicks without impressions fit a world in which little is shown "
            "and most of it liked as well as one in which much is shown and little of it liked: "
            f"{asked} is not identified, and {found.estimate:.3g} rests on the form of {form} and on its priors. The "
            "interval does not cover that doubt: another fit of the same clicks may give half or twice as much."
        )
    elif not found.card.identified:
        said.append(
            f"The level is not identified without the model ({found.card.because}): it holds as far as the form of "
            f"{form} does, and the interval does not cover a wrong form."
        )
    if embedded:
        said.append(
            "The click rate of the random half is not the truth of the level either: its users were kept for having "
            "at least one random click, so it is above the population's. If it agrees with the model's, that shows "
            "nothing."
        )
    return said


def synthesise(tell: Teller, fitted: Fit, out: Path, seed: int) -> tuple[str, int]:
    """A synthetic log under uniform exposure into ``out/store``: the batch's name and its number of rows."""
    from counterlog.query import policies, replace
    from counterlog.synth import open_store, simulate

    batch = simulate(fitted, replace(**{fitted.scm.exposure: policies.uniform()}), rng=seed)
    with progress("simulate", batch.where.n_users) as update:
        batch.store(out / "store", lambda done, total: update(done, total=total))
    rows = int(open_store(out / "store").card(batch.batch)["rows"])
    tell.step(
        "simulate", f"{rows:,} synthetic rows under {batch.do.describe()} in {out / 'store'} (batch {batch.batch})"
    )
    return batch.batch, rows


def report(tell: Teller, fitted: Fit, out: Path, seed: int) -> dict[str, Any]:
    """The audit as a page and as data."""
    from counterlog.auditing import audit

    found = audit(fitted.log, fit=fitted, synthetic=out / "store", rng=seed)
    found.to_html(out / "report.html")
    worrying = [f.name for f in found.findings if f.status != "PASS"]
    told = f"{len(found.findings)} checks, verdict {found.verdict}" + (
        f"; look at {', '.join(worrying)}" if worrying else ""
    )
    tell.step("audit", told)
    return {"verdict": found.verdict, "findings": [f.to_json() for f in found.findings]}


def draw(tell: Teller, scm: SCM, out: Path) -> None:
    """The graph, read from the program."""
    from counterlog.model.draw import without_parameters, write_graph

    graph = scm.graph()
    shown = without_parameters(graph)
    write_graph(shown, out / "graph.svg")
    tell.step("graph", f"{', '.join(f'{a} -> {b}' for a, b in shown.edges)} ({out / 'graph.svg'})")


def as_json(scored: Score | None) -> dict[str, Any] | None:
    """The score as data."""
    return None if scored is None else asdict(scored) | {"difference_interval": list(scored.difference_interval)}
