"""Plans of simulation studies: what is simulated, what is fitted, how often."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tauhat.errors import TrialError
from tauhat.simulate import scenario
from tauhat.simulate.subgroup_metrics import TWENTY_PERCENT

Settings = Mapping[str, Any]

#: Marks estimators of a study without intervals whose chains are shorter than the usual ones.
FOR_POINTS = "chains for points"


class StudyError(TrialError):
    """The plan or the folder of a study cannot be used (exit code 2)."""


@dataclass(frozen=True)
class Row:
    """One row of a study's tables: a scenario and a number of persons.

    Attributes
    ----------
    scenario
        Name of the scenario, see `tauhat.simulate.scenario_names`.
    settings
        Settings of the scenario that differ from its defaults.
    n
        Persons a trial; None leaves it to the scenario (cluster trials).
    label
        How tables call the scenario.
    higher_is_better
        Whether a positive effect is a benefit (for the policy value).

    Examples
    --------
    >>> Row("pd-l1", {"noise": 0.9}, 100, "PD-L1").key
    'pd-l1 noise=0.9 n=100'
    """

    scenario: str
    settings: Settings = field(default_factory=dict)
    n: int | None = None
    label: str = ""
    higher_is_better: bool = True

    @property
    def key(self) -> str:
        """What the seed and the stored results of the row depend on."""
        words = [f"{name}={json.dumps(self.settings[name])}" for name in sorted(self.settings)]
        persons = [] if self.n is None else [f"n={self.n}"]
        return " ".join([self.scenario, *words, *persons])


@dataclass(frozen=True)
class EstimatorSpec:
    """One estimator of a study.

    Attributes
    ----------
    name
        How tables call it.
    estimator
        Its name in `tauhat.estimator_names`; empty when ``path`` is given.
    path
        ``module:attribute`` of a class or function that makes it, for
        estimators of one's own.
    settings
        Parameters to set.
    """

    name: str
    estimator: str = ""
    path: str = ""
    settings: Settings = field(default_factory=dict)

    def make(self, folder: str = "") -> Any:
        """Return the unfitted estimator.

        Parameters
        ----------
        folder
            Folder where ``path`` is looked up first.

        Raises
        ------
        StudyError
            If there is no such estimator or it does not take the settings.
        """
        try:
            if self.path:
                made = _import(self.path, folder)()
            else:
                # The registry imports every engine: only what fits needs it.
                from tauhat.registry import estimator

                made = estimator(self.estimator)
            if self.settings:
                made.set_params(**self.settings)
        except (ImportError, AttributeError, TypeError, ValueError) as error:
            raise StudyError(f"estimator {self.name!r}: {error}") from error
        return made


def _import(path: str, folder: str) -> Any:
    module, _, attribute = path.partition(":")
    if folder and folder not in sys.path:
        sys.path.insert(0, folder)
    return getattr(importlib.import_module(module), attribute)


def _source_hash(path: str, folder: str) -> str:
    """SHA-256 of the file that an import path names; empty when it has no file."""
    if folder and folder not in sys.path:
        sys.path.insert(0, folder)
    module = path.partition(":")[0]
    try:
        found = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        found = None
    if found is None:
        raise StudyError(f"there is no module {module!r} (looked in {folder or '.'} first)")
    if not found.origin or not Path(found.origin).is_file():
        return ""
    return hashlib.sha256(Path(found.origin).read_bytes()).hexdigest()


@dataclass(frozen=True)
class Plan:
    """What a study simulates and fits.

    Attributes
    ----------
    name, description
        For people.
    note
        Printed wherever results are shown.
    rows
        Scenarios and sizes, in the order of the tables.
    estimators
        What is fitted to every draw, in the order of the tables.
    ensembles
        Names of estimators that are not candidates for the best single one.
    replicates
        Draws a row. A study can be continued with more.
    seed
        Seed of the study.
    test_size
        Test persons a draw.
    intervals
        Also compute pointwise intervals, their coverage and width (this takes
        many refits for estimators without a posterior). Where it is False, a learner
        with chains that has no settings of its own gets shorter ones, for points.
    average_effects
        Also estimate both average effects of each trial by the model-robust
        method, for their bias and coverage.
    subgroup_shares
        Shares of the two cuts of a subgroup.
    reference
        Published values to show beside ours: a name of `reference_names`.
    folder
        Where the import paths of own estimators are looked up first.
    """

    name: str
    rows: tuple[Row, ...]
    estimators: tuple[EstimatorSpec, ...]
    replicates: int
    seed: int = 1
    description: str = ""
    note: str = ""
    ensembles: tuple[str, ...] = ()
    test_size: int = 5000
    intervals: bool = False
    average_effects: bool = False
    subgroup_shares: tuple[float, float] = (TWENTY_PERCENT, TWENTY_PERCENT)
    reference: str = ""
    folder: str = ""

    @property
    def n_tasks(self) -> int:
        """Number of draws in all."""
        return len(self.rows) * self.replicates

    @property
    def names(self) -> list[str]:
        """Names of the estimators."""
        return [spec.name for spec in self.estimators]

    @property
    def singles(self) -> list[str]:
        """Names of the estimators that are no ensembles."""
        return [name for name in self.names if name not in self.ensembles]

    def tasks(self) -> Iterator[tuple[Row, int]]:
        """Every (row, replicate): whole replicates one after the other, large trials first."""
        by_size = sorted(self.rows, key=lambda row: -(row.n or 0))
        for replicate in range(self.replicates):
            for row in by_size:
                yield row, replicate

    def make(self, spec: EstimatorSpec) -> Any:
        """Return the unfitted estimator as the study fits it, without intervals for points only."""
        made = spec.make(self.folder)
        is_free = not self.intervals and not spec.path and not spec.settings
        return made.quick() if is_free else made

    def check(self) -> None:
        """Raise a `StudyError` unless every estimator can be made."""
        for spec in self.estimators:
            spec.make(self.folder)

    def as_dict(self) -> dict[str, Any]:
        """Content of the plan for the store; `tauhat.study.plan_file.plan_from` reads it."""
        return {
            "name": self.name,
            "description": self.description,
            "note": self.note,
            "replicates": self.replicates,
            "seed": self.seed,
            "test_size": self.test_size,
            "intervals": self.intervals,
            "average_effects": self.average_effects,
            "subgroup_shares": list(self.subgroup_shares),
            "reference": self.reference,
            "ensembles": list(self.ensembles),
            "estimators": [
                {
                    "name": spec.name,
                    **({"import": spec.path} if spec.path else {"estimator": spec.estimator}),
                    "settings": dict(spec.settings),
                }
                for spec in self.estimators
            ],
            "rows": [
                {
                    "scenario": row.scenario,
                    "settings": dict(row.settings),
                    **({} if row.n is None else {"n": row.n}),
                    "label": row.label,
                    "higher_is_better": row.higher_is_better,
                }
                for row in self.rows
            ],
        }

    def identity(self, *, with_code: bool = True) -> dict[str, str]:
        """What every stored result depends on, in words: two runs must agree on it.

        Parameters
        ----------
        with_code
            Whether to look up the code of own estimators, which may not be there
            where results are only read, and what others have learned
            (`tauhat.CateEstimator.recipe`).
        """
        words = {
            "seed": str(self.seed),
            "test_size": str(self.test_size),
            "intervals": str(self.intervals),
            "average_effects": str(self.average_effects),
            "subgroup_shares": str(list(self.subgroup_shares)),
            "rows": json.dumps([f"{row.key} {row.higher_is_better}" for row in self.rows]),
        }
        designs = self._designs() if with_code else []
        for spec in self.estimators:
            code = self._code(spec, designs) if with_code else ""
            described = [spec.estimator, spec.path, dict(spec.settings), code]
            words[f"estimator {spec.name}"] = json.dumps(described, sort_keys=True)
        return words

    def _designs(self) -> list[str]:
        """What is randomized in the rows, "cluster" or "individual"."""
        sources = (scenario(row.scenario, **row.settings) for row in self.rows)
        return sorted({"cluster" if one.randomizes_clusters else "individual" for one in sources})

    def _code(self, spec: EstimatorSpec, designs: Sequence[str]) -> str:
        """What the numbers of an estimator depend on beside its settings."""
        if spec.path:
            return _source_hash(spec.path, self.folder)
        made = self.make(spec)
        marks = [mark for design in designs if (mark := made.recipe(design))]
        # A study that was begun with the chains that serve intervals is not continued.
        from tauhat.ensembles.fits import identity_of

        if identity_of(made) != identity_of(spec.make(self.folder)):
            marks.append(FOR_POINTS)
        return ", ".join(marks)
