"""What every kind of design promises, and a kind that a test adds as CONTRIBUTING says."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

import tauhat as th
from tauhat.data import TrialData, validate_trial
from tauhat.design import Clusters, Design, Persons, design_of

ROOT = Path(__file__).resolve().parent.parent
GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def _guided_class() -> type[Design]:
    """The example of the section "How to add a design", run as it stands."""
    section = GUIDE[GUIDE.index("## How to add a design") :]
    code = re.search(r"```python\n(.*?)```", section, flags=re.DOTALL)
    assert code
    names: dict[str, type[Design]] = {}
    exec(code[1], names)
    return names["Households"]


def _kinds() -> dict[str, Design]:
    clinic = np.repeat(np.arange(12), [3, 1, 2, 5, 4, 2, 3, 3, 1, 2, 6, 4])
    arm = np.tile([0, 1], 6)
    pair = np.repeat(np.arange(6), 2)
    blocks = np.repeat(np.arange(3), 4)
    three = np.tile([0, 1, 2], 8)
    return {
        "persons": Persons.of(np.tile([0, 1], 20)),
        "persons in pairs": Persons.of(np.tile([0, 1], 20), np.repeat(np.arange(20), 2)),
        "unequal blocks": Persons.of(
            np.r_[np.tile([0, 1], 10), np.tile([0, 0, 1], 6)], np.repeat([0, 1], [20, 18])
        ),
        "clusters": Clusters.of(arm[clinic], clinic),
        "clusters in pairs": Clusters.of(arm[clinic], clinic, pair[clinic]),
        "clusters in blocks": Clusters.of(arm[clinic], clinic, blocks[clinic]),
        "three arms": Persons(np.arange(24), three, np.zeros(24, int), np.full((24, 3), 1 / 3)),
        "added": _guided_class().of(arm[clinic], clinic, blocks[clinic]),
    }


def _check_promises(design: Design) -> None:
    """What folds, bootstrap, permutations and errors promise of any kind."""
    n_arms, m = design.n_arms, design.n_units
    assert design.unit[design.first].tolist() == list(range(m)), "units in order of appearance"
    np.testing.assert_allclose(design.probability.sum(axis=1), 1)

    folds = design.folds(3, seed=1)
    of_unit = folds[design.first]
    assert (of_unit[design.unit] == folds).all(), "folds split units"
    for fold in range(3):
        assert set(design.arm[of_unit != fold]) == set(range(n_arms)), "a fold takes a whole arm"
    assert (design.folds(3, seed=1) == folds).all()
    assert (design.folds(3, seed=2) != folds).any()

    rows, sample = design.resample(seed=1)
    assert len(rows) == sample.n
    assert sample.n_units == m, "copies of units are units of their own"
    assert (sample.treatment == design.treatment[rows]).all()
    large = np.setdiff1d(np.arange(design.n_blocks), design.small_blocks)
    assert (sample.block_sizes[large] == design.block_sizes[large]).all()
    assert sample.n_blocks == design.n_blocks

    two = design if n_arms == 2 else design.contrast(0, 1)[1]
    drawn = np.concatenate(list(two.permutations(50, seed=1).batches())).astype(int)
    assert (drawn[0] == two.arm).all()
    for row in drawn:
        sizes = np.bincount(2 * two.strata + row, minlength=2 * int(two.strata.max()) + 2)
        assert (sizes == np.bincount(2 * two.strata + two.arm, minlength=len(sizes))).all()

    deleted = np.random.default_rng(1).normal(size=(two.n_units, 1))
    everyone = np.ones((two.n_units, 1))
    error = two.errors(deleted, everyone)[0]
    assert error == pytest.approx(two.errors(deleted + 5, everyone)[0]), "errors of a level"
    free = two.degrees_of_freedom(everyone)[0]
    assert 1 <= free <= max(two.n_units - two.n_blocks - 1, 1)

    groups, own = design.deletion_groups(most=10, seed=1)
    assert len(groups) == design.n
    assert int(groups.max()) + 1 == own.n_units

    intercepts = design.intercepts()
    if intercepts.nesting is not None:
        assert intercepts.groups is not None
        assert len(intercepts.nesting) == int(intercepts.groups.max()) + 1


@pytest.mark.parametrize("name", _kinds())
def test_every_kind_keeps_the_promises_of_a_design(name: str) -> None:
    _check_promises(_kinds()[name])


def test_an_estimator_takes_a_design_that_it_never_heard_of() -> None:
    """The added kind goes through fits, folds, averages and the test by its methods alone."""
    rng = np.random.default_rng(1)
    home = np.repeat(np.arange(20), 8)
    X, arm = rng.normal(size=(160, 2)), home % 2
    y = arm * (0.5 + X[:, 0]) + 0.3 * rng.normal(size=20)[home] + rng.normal(size=160)
    data = validate_trial(X, y, arm, home)
    own = th.average_effects(_as_kind(data, _guided_class()))
    assert own.individual == th.average_effects(data).individual
    group = th.group_effect(_as_kind(data, _guided_class()), "x1 > 0", "LMM", n_splits=1)
    assert "delete-one-household" in group.method
    assert th.test_heterogeneity(_as_kind(data, _guided_class()), random_state=1).tested


def _as_kind(data: TrialData, kind: type[Design]) -> TrialData:
    design = data.design
    return replace(data, design=kind(design.unit, design.arm, design.block, design.probability))


def test_clusters_refuse_what_varies_within_them() -> None:
    clinic, arm = np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1])
    with pytest.raises(ValueError, match="treatment varies within 1 of 2 clusters"):
        design_of(np.array([0, 1, 1, 1]), clinic)
    with pytest.raises(ValueError, match="blocks vary within clusters"):
        design_of(arm, clinic, np.array([0, 1, 1, 1]))
    with pytest.raises(ValueError, match="propensity varies within clusters"):
        design_of(arm, clinic, None, np.array([0.5, 0.4, 0.5, 0.5]))


def test_a_part_of_a_trial_numbers_units_and_blocks_anew() -> None:
    clinic = np.repeat(np.arange(8), 2)
    whole = Clusters.of(clinic % 2, clinic, np.repeat([0, 1, 2, 3], 4))
    part = whole.take(whole.blocks != 1)
    assert part.unit.tolist() == np.repeat(np.arange(6), 2).tolist()
    assert part.block.tolist() == [0, 0, 1, 1, 2, 2]
    assert part.n_blocks == 3
    # Copies of a person count, copies of a cluster's rows are the same cluster.
    assert Persons.of(np.array([0, 1])).take(np.array([0, 0, 1])).n_units == 3
    assert whole.take(np.array([0, 0, 2])).n_units == 2


def test_the_contrast_of_two_arms_leaves_out_blocks_that_lack_one() -> None:
    arm = np.array([0, 1, 2, 0, 1, 2, 0, 1, 0, 1])
    block = np.array([0, 0, 0, 1, 1, 1, 2, 2, 3, 3])
    chance = np.full((10, 3), [0.25, 0.25, 0.5])
    rows, two = Persons(np.arange(10), arm, block, chance).contrast(1, 2)
    assert rows.tolist() == [1, 2, 4, 5]
    assert two.arm.tolist() == [0, 1, 0, 1]
    assert two.block.tolist() == [0, 0, 1, 1]
    np.testing.assert_allclose(two.propensity, 2 / 3)
    with pytest.raises(ValueError, match="this design has 3"):
        Persons(np.arange(10), arm, block, chance).permutations(9, seed=1)
    # The other way round the same units have the other arm.
    assert Persons(np.arange(10), arm, block, chance).contrast(2, 1)[1].arm.tolist() == [1, 0, 1, 0]


def test_intercepts_are_those_that_can_be_told_apart() -> None:
    clinic = np.repeat(np.arange(8), 2)
    nested = Clusters.of(clinic % 2, clinic, clinic // 4).intercepts()
    assert nested.nesting is not None
    assert nested.nesting.tolist() == [0] * 4 + [1] * 4
    # Clusters of one person each: only those of blocks can be told from the residual.
    alone = Clusters.of(np.tile([0, 1], 4), np.arange(8), np.repeat([0, 1], 4)).intercepts()
    assert alone.groups_are_blocks
    assert Persons.of(np.tile([0, 1], 4)).intercepts().groups is None


def test_one_rule_gives_the_degrees_of_freedom_of_clusters_in_blocks() -> None:
    """24 clusters in 6 blocks of 2 + 2: units less blocks less one, whoever asks."""
    rng = np.random.default_rng(2)
    clinic = np.repeat(np.arange(24), 6)
    arm, block = np.tile([0, 0, 1, 1], 6)[clinic], clinic // 4
    X = np.column_stack([rng.normal(size=144), np.tile([-1.0, 1.0], 72)])
    y = X[:, 0] + arm + rng.normal(size=24)[clinic] + rng.normal(size=144)
    trial = (X, y, arm, clinic, None, block)
    fit = th.cross_fit(trial, "LMM", n_splits=1, n_folds=2)
    found = [
        th.average_effects(trial).individual.degrees_of_freedom,
        th.group_effect(fit, "x2 > 0").inside.degrees_of_freedom,
        th.sorted_group_effects(fit, n_groups=2).groups[0].degrees_of_freedom,
    ]
    assert found == pytest.approx([17] * 3)


@dataclass(frozen=True, eq=False)
class _Careless(Clusters):
    """A kind that forgets that copies of a unit are units of their own."""

    name: ClassVar = "cluster"

    def resample(self, seed: int) -> tuple[np.ndarray, Design]:
        rows, _ = super().resample(seed)
        return rows, self.take(rows)


def test_the_common_check_finds_a_kind_that_breaks_a_promise() -> None:
    clinic = np.repeat(np.arange(12), 3)
    with pytest.raises(AssertionError, match="copies of units"):
        _check_promises(_Careless.of(clinic % 2, clinic))
