"""From a trial to its report: check, average effects, test, models, intervals."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tauhat.analysis.average_record import primary_average
from tauhat.analysis.contrasts import ContrastAnalysis, analyze_contrasts
from tauhat.analysis.held_out import OVER_PERIODS, QUICK, HeldOutEffects, held_out_effects
from tauhat.analysis.models import (
    agreement_table,
    fit_models,
    members_of,
    model_effects,
    model_names,
    models_table,
    variance_table,
)
from tauhat.analysis.named import better_outcome, check_relevance, named_effects, relevance
from tauhat.analysis.parts import effects_table
from tauhat.analysis.relative_effects import RelativeEffects, effects_by_risk
from tauhat.analysis.result import Analysis
from tauhat.analysis.run_words import FILLED_IN_ONCE, interval_method, python_call, reported_text
from tauhat.analysis.sensitivity import sensitivity
from tauhat.analysis.target_groups import target_groups
from tauhat.arguments import check_count, check_jobs, check_level, listed
from tauhat.errors import NothingToTestError, TrialError
from tauhat.inference.average_effects import NO_TARGET_OVER_PERIODS, average_effects
from tauhat.inference.cluster_intercepts import cluster_intercepts
from tauhat.inference.exposure_time import exposure_effects
from tauhat.inference.heterogeneity import test_heterogeneity
from tauhat.inference.heterogeneity_result import HeterogeneityTest
from tauhat.inference.imputations import RUBINS_RULES
from tauhat.inference.inputs import refuse_no_trial
from tauhat.inference.modifiers import effect_modifiers
from tauhat.inference.named_in_target import named_groups_in_target
from tauhat.numerics.ridge_dictionary import MANY_ROWS
from tauhat.numerics.seeds import derive_seed, resolve_seed
from tauhat.runtime.engines import USUAL
from tauhat.runtime.parallel import (
    on_one_thread,
    prepare_workers,
    report_progress,
    taking_part,
)
from tauhat.runtime.progress import check_progress, progress_display
from tauhat.runtime.provenance import PlanFollowed, Provenance, package_versions, utc_now
from tauhat.runtime.workers import release_workers
from tauhat.tables.extremes import frame_within, within_limits
from tauhat.tables.reading import as_pandas, read_table
from tauhat.trial.trial import Trial

Progress = Callable[[str, int, int], None]

SYNTHETIC = (
    "This trial was made up by a computer in the likeness of a published one. "
    "Nothing here is a finding about people."
)


@dataclass(frozen=True)
class Source:
    """Where a trial's data came from and how the analysis was asked for.

    Attributes
    ----------
    file
        Name of the input file, or None for a table in memory.
    sha256
        SHA-256 of the file, or None to take that of the columns used.
    command
        The command as typed, or None.
    plan
        The locked plan that is followed, or None.
    """

    file: str | None = None
    sha256: str | None = None
    command: str | None = None
    plan: PlanFollowed | None = None


class _Clock:
    """Times the steps of a run and tells how far it is; where it is small, all hands are here."""

    def __init__(self, progress: Progress | None, n: int) -> None:
        self.seconds: dict[str, float] = {}
        self._progress = progress
        # A fit to more persons may take memory that is not there: it must end a worker only.
        self._is_small = n <= MANY_ROWS

    @contextmanager
    def step(self, key: str, name: str) -> Iterator[None]:
        """Time a step and report its batches of tasks under its name."""

        def show(done: int, total: int) -> None:
            if self._progress is not None:
                self._progress(name, done, total)

        start = time.perf_counter()
        show(0, 1)
        with report_progress(show), taking_part(takes_part=self._is_small):
            yield
        self.seconds[key] = time.perf_counter() - start


@on_one_thread
def analyze(
    trial: Trial,
    *,
    models: str | Sequence[str] = "default",
    level: float = 0.95,
    random_state: int | np.random.Generator | np.random.RandomState | None = None,
    n_jobs: int = 1,
    progress: Progress | bool | None = None,
    n_permutations: int = 1999,
    higher_is_better: bool | None = None,
    modifiers: str | Sequence[str] = (),
    subgroups: str | Sequence[str] = (),
    adjust: Sequence[str] | None = None,
    mcid: float | None = None,
    n_seeds: int = 0,
    imputations: int | None = None,
    target: Any = None,
    source: Source | None = None,
) -> Analysis | ContrastAnalysis:
    """Analyse how the effect of a trial's treatment differs between persons.

    Checks the design, estimates the average effects, tests whether effects
    differ (or says why that cannot be tested), compares along the modifiers that
    were named, fits the models, and makes intervals. Unless ``models`` is "quick" or
    there are too few units, it then describes groups, subgroups and calibration by the
    held-out effects of a quick mixed model. A design check that fails does not stop the
    analysis: look at ``analysis.check.passed``; the report says so.

    Parameters
    ----------
    trial
        The trial.
    models
        "default" (the ensemble for the design with its members), "quick" (a few
        cheap models), or names of estimators, see `tauhat.estimator_names`. The
        first ensemble among them is reported; without one, the consensus of all
        of them, or the only one. A member that fails is left out and shown as
        failed.
    level
        Coverage of all intervals.
    random_state
        Seed; the same seed gives the same numbers whatever ``n_jobs``. None
        draws one, which ``provenance.seed`` holds.
    n_jobs
        Number of fits at once, each on one thread.
    progress
        True to show how far it is: a bar on a terminal or in a notebook, lines in
        a log. Or a function that is called with (step, tasks done, tasks in all).
    n_permutations
        Random assignments of the test.
    higher_is_better
        Whether a positive effect is a benefit, which decides who is treated first
        where held-out effects rank persons; None shows both readings.
    modifiers
        Covariates named beforehand, along which the effect is compared
        (`tauhat.interaction_effects`).
    subgroups
        Subgroups named beforehand by conditions such as ``'sex == "girl" and age > 65'``
        (`tauhat.tables.where.rows_where`), which are compared with all others likewise.
    adjust
        Covariates that these comparisons are adjusted for; None for all of the trial's.
    mcid
        Smallest benefit that matters (minimal clinically important difference), positive, in
        units of the outcome; needs ``higher_is_better``.
    n_seeds
        Number of other seeds with which all models are fitted again, to see how
        far the effects depend on the seed; each takes as long as the first fit.
    imputations
        How often missing covariates are drawn for the average effects (`tauhat.average_effects`);
        None to fill them in once, as the models, the test, held-out effects and named modifiers
        do in any case.
    target
        Table of another population, or the file that holds it, for which the average effect is
        wanted too (`tauhat.average_effects`).
    source
        Where the data came from, for the record.

    Returns
    -------
    Analysis or ContrastAnalysis
        The latter where the trial has more than two arms: each contrast's analysis, with the
        same seed, one primary test over all of them, and which arm for whom.

    Raises
    ------
    TrialError
        If a model's name is unknown, a modifier or subgroup cannot be analysed
        (`tauhat.interaction_effects`), ``mcid`` is not positive or has no direction, or the
        target lies outside of what the trial saw.
    ValueError
        If ``level`` is not between 0 and 1, or every model fails.

    Examples
    --------
    >>> import pandas as pd
    >>> rng = np.random.default_rng(1)
    >>> df = pd.DataFrame({"clinic": np.repeat(np.arange(12), 20), "age": rng.normal(60, 9, 240)})
    >>> df["arm"] = df.clinic % 2
    >>> df["sbp"] = 150 + df.age * 0.2 - df.arm * 5 + rng.normal(0, 10, 240)
    >>> trial = Trial(df, outcome="sbp", treatment="arm", cluster="clinic")
    >>> analysis = analyze(trial, models=["LMM"], random_state=1, n_permutations=99)
    >>> analysis.effects.columns.tolist(), len(analysis.effects)
    (['row', 'effect', 'lower', 'upper'], 240)
    """
    refuse_no_trial(trial, arrays=False)
    check_level(level)
    check_count(n_seeds, "n_seeds", 0)
    check_count(n_permutations, "n_permutations", 1)
    check_jobs(n_jobs)
    check_progress(progress)
    given: dict[str, Any] = {
        "models": models,
        "level": level,
        "n_jobs": n_jobs,
        "n_permutations": n_permutations,
        "higher_is_better": higher_is_better,
        "modifiers": modifiers,
        "subgroups": subgroups,
        "adjust": adjust,
        "mcid": mcid,
        "n_seeds": n_seeds,
        "imputations": imputations,
        "target": target,
        "source": source,
    }
    if progress is True:
        with progress_display() as display:
            return analyze(trial, random_state=random_state, progress=display, **given)
    check_relevance(mcid, higher_is_better, next(iter(trial.contrasts.values())).endpoint)
    asked = tuple(listed(models, "models"))
    model_names(asked, trial.design)
    seed = resolve_seed(random_state)
    source = source or Source()
    named_arguments: dict[str, Any] = {
        "higher_is_better": higher_is_better,
        "modifiers": listed(modifiers, "modifiers") or None,
        "subgroups": listed(subgroups, "subgroups") or None,
        "adjust": None if adjust is None else listed(adjust, "adjust"),
        "mcid": mcid,
        "n_seeds": n_seeds or None,
        "imputations": imputations,
        "target": target,
    }
    rerun = source.command or python_call(asked, level, seed, n_permutations, **named_arguments)

    def provenance(seconds: dict[str, float]) -> Provenance:
        return Provenance(
            versions=package_versions(),
            seed=seed,
            data_sha256=source.sha256 or trial.data_sha256,
            source=source.file,
            command=source.command,
            finished=utc_now(),
            seconds=seconds,
            plan=source.plan,
        )

    if imputations is not None and target is not None:
        raise TrialError("imputations= and target= cannot be given together")
    if target is None:
        population = None
    else:
        population = read_table(target) if isinstance(target, (str, Path)) else as_pandas(target)
    _refuse_arguments_over_periods(
        trial, modifiers=modifiers, subgroups=subgroups, target=population
    )
    if trial.n_arms > 2:
        return analyze_contrasts(
            trial,
            analyze,
            seed=seed,
            progress=progress or None,
            provenance=provenance,
            rerun=rerun,
            **{**given, "target": population},
        )
    prepare_workers(n_jobs, USUAL)
    clock = _Clock(progress or None, trial.n)
    with clock.step("check", "checking the design"):
        check = trial.check()
        data = trial.data
    names = model_names(asked, trial.design, data.endpoint.link)
    with clock.step("average_effects", "estimating the average effects"):
        average = average_effects(trial, level=level, imputations=imputations, random_state=seed)
        if average.method.endswith(RUBINS_RULES):
            average = replace(average, method=f"{average.method}; {FILLED_IN_ONCE}")
        named = named_effects(trial, modifiers, subgroups, adjust, level)
        for_target = (
            None if target is None else average_effects(trial, level=level, target=population)
        )
        in_target = None
        if for_target is not None and for_target.target is not None and named is not None:
            both = [*listed(modifiers), *listed(subgroups)]
            in_target = named_groups_in_target(trial, both, for_target.target, level=level)
        exposure = exposure_effects(trial, level=level) if trial.period is not None else None
    with clock.step("heterogeneity_test", "testing whether effects differ"):
        heterogeneity = _tested(trial, seed, n_permutations, "difference")
        relative_test = None
        if data.endpoint.codes is not None and trial.period is None:
            relative_test = _tested(trial, seed, n_permutations, "odds ratio")
    with clock.step("models", "fitting the models"):
        fitted = fit_models(data, names, seed=seed, n_jobs=n_jobs)
        X = trial.X.to_numpy(dtype=np.float64)
        within = within_limits(X, data)
        # So many are predicted once, when the members are weighed; and memory is needed here.
        once = len(X) > MANY_ROWS
        if once:
            release_workers()
        raw = model_effects(fitted, within, data.rows if once and data.n == len(X) else None)
        effects = raw.apply(data.endpoint.bounded)
        effect = effects[fitted.name].to_numpy(dtype=np.float64)
        compared = effects[trial.has_counterfactual]
        table, agreement = models_table(fitted, compared), agreement_table(fitted, compared, data.y)
        explain = getattr(fitted.reported, "explain", None)
        explanation = None if explain is None else explain()
    with clock.step("intervals", "making intervals"):
        centre = raw[fitted.name].to_numpy(dtype=np.float64)
        lower, upper = fitted.reported.interval_around(X, centre, level)
    relative = None
    if relative_test is not None:
        by_risk = effects_by_risk(
            fitted.reported, within[trial.has_counterfactual], effect[trial.has_counterfactual]
        )
        relative = RelativeEffects(relative_test, by_risk)
    with clock.step("modifiers", "describing what the effects depend on"):
        along = effect_modifiers(
            effect,
            trial,
            heterogeneity=heterogeneity,
            random_state=derive_seed(seed, "modifiers"),
        )
    held_out: HeldOutEffects | str = QUICK if trial.period is None else OVER_PERIODS
    if asked != ("quick",) and trial.period is None:
        with clock.step("held_out", "describing groups by held-out effects"):
            held_out = held_out_effects(
                trial,
                data,
                heterogeneity,
                level=level,
                seed=derive_seed(seed, "held out"),
                n_jobs=n_jobs,
                higher_is_better=higher_is_better,
                named=listed(modifiers),
            )
    groups = None
    if for_target is not None and for_target.target is not None:
        groups = target_groups(held_out, for_target.target, level)
    with clock.step("sensitivity", "asking what the results depend on"):
        members = list(members_of(fitted))
        hangs_on = sensitivity(
            trial,
            data,
            names=names,
            reported=fitted.reported,
            effect=effect,
            member_effects=raw[members],
            average=average,
            primary=primary_average(average, source.plan),
            heterogeneity=heterogeneity,
            held_out=held_out,
            level=level,
            seed=seed,
            n_seeds=n_seeds,
            n_jobs=n_jobs,
        )
        clusters = None
        if data.design.holds_persons and data.design.can_permute and trial.period is None:
            clusters = cluster_intercepts(trial, level=level)
    table_of_effects = effects_table(trial, {"effect": effect, "lower": lower, "upper": upper})
    return Analysis(
        trial=trial,
        check=check,
        average_effects=average,
        heterogeneity=heterogeneity,
        relative=relative,
        named_modifiers=named,
        better=better_outcome(higher_is_better),
        relevance=relevance(table_of_effects, trial.has_counterfactual, mcid, higher_is_better),
        modifiers=along,
        frame=frame_within(trial.frame, data),
        effects=table_of_effects,
        models=table,
        agreement=agreement,
        variance_components=variance_table(fitted),
        interval=interval_method(fitted.reported, level),
        model=fitted.reported,
        reported_model=fitted.name,
        reported_text=reported_text(fitted),
        explanation=explanation,
        held_out=held_out,
        sensitivity=hangs_on,
        clusters=clusters,
        member_effects=effects[members],
        n_cut=int((raw[fitted.name] != effects[fitted.name])[trial.has_counterfactual].sum()),
        rerun=rerun,
        provenance=provenance(clock.seconds),
        synthetic=SYNTHETIC if trial.frame.attrs.get("synthetic") else None,
        target_effects=for_target,
        target_groups=groups,
        target_named=in_target,
        exposure=exposure,
    )


def _refuse_arguments_over_periods(trial: Trial, **given: Any) -> None:
    """Raise a `TrialError` for what is not supported with periods yet."""
    named = [name for name, value in given.items() if value is not None and len(value)]
    if trial.period is not None and named:
        because = (
            NO_TARGET_OVER_PERIODS
            if named[0] == "target"
            else "comparisons of groups have no levels of the periods"
        )
        raise TrialError(f"{named[0]}= is not supported with period= yet: {because}")


def _tested(trial: Trial, seed: int, n_permutations: int, scale: str) -> HeterogeneityTest:
    """Test of an effect that is the same for everyone on a scale, or why there is none."""
    if scale != "difference" and not trial.randomization.can_permute:
        reason = "That test permutes arms, which clusters in one arm only do not allow."
        return HeterogeneityTest.not_tested(reason, scale=scale)
    try:
        return test_heterogeneity(
            trial,
            random_state=derive_seed(seed, "test"),
            n_permutations=n_permutations,
            scale=scale,
        )
    except NothingToTestError as error:
        # The average effects and the models do not depend on the test.
        return HeterogeneityTest.not_tested(_sentence(str(error)), scale=scale)


def _sentence(message: str) -> str:
    """An error's message as a sentence."""
    return f"{message[:1].upper()}{message[1:].rstrip('. ')}."
