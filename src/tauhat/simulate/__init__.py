"""Scenarios with known effects, and measures of how well they are estimated.

Population values of the registered scenarios with their default settings, from
3 million persons each: average effect over persons and over clusters, SD of the
effect and of the prognosis, and R^2 of arm, covariates and cluster size. A test
holds the table to the code.

=======================  ==========  =======  =========  ============  ====
scenario                 individual  cluster  SD effect  SD prognosis  R^2
=======================  ==========  =======  =========  ============  ====
binary                         0.16     0.16       0.04          0.16  0.15
linear                         1.00     1.00       1.00          1.00  0.45
slightly-nonlinear             0.50     0.50       1.00          0.50  0.52
slightly-nonlinear p=20        0.50     0.50       1.00          0.63  0.56
highly-nonlinear               0.50     0.50       1.00          1.00  0.53
second-order                   0.00     0.00       1.00          1.00  0.71
pd-l1                         -0.43    -0.43       1.00          1.19  0.67
several-arms                   0.55     0.55       0.41          0.69  0.45
survival                       2.63     2.63       2.81          3.89  0.17
crt-binary                     0.16     0.16       0.03          0.16  0.15
crt-survival                   2.36     2.36       2.95          4.11  0.21
crt                            0.50     0.50       0.52          0.69  0.44
crt-null-m20-icc10             0.40     0.40       0.00          0.69  0.34
crt-linear-m20-icc01           0.55     0.55       0.42          0.69  0.45
crt-linear-m50-icc10           0.55     0.55       0.42          0.69  0.45
crt-nonlinear-m20-icc10        0.50     0.50       0.52          0.69  0.44
crt-nonlinear-m50-icc01        0.50     0.50       0.52          0.69  0.44
crt-nonlinear-m50-icc10        0.50     0.50       0.52          0.69  0.44
crt-null-base                  0.40     0.40       0.00          0.69  0.34
crt-null-slopes                0.40     0.40       0.00          0.69  0.30
crt-null-icsize                0.40     0.40       0.00          0.77  0.39
crt-null-weak                  0.40     0.40       0.00          0.69  0.26
crt-null-skew                  0.40     0.40       0.00          0.69  0.34
crt-baseline                   0.55     0.55       0.42          0.69  0.45
crt-several-arms               0.55     0.55       0.42          0.69  0.45
crt-three-levels               0.55     0.55       0.51          0.75  0.46
crt-crossed                    0.55     0.55       0.51          0.75  0.46
one-arm-clusters               0.55     0.55       0.42          0.69  0.46
stepped-wedge                  0.55     0.55       0.42          0.69  0.39
cluster-crossover              0.55     0.55       0.42          0.69  0.44
tassh-like                    -3.60    -3.60       1.90          4.15  0.10
=======================  ==========  =======  =========  ============  ====

"broad" and "crt-broad" are another world with every seed.
The constants of the individual scenarios are calibrated to published tables,
not published themselves. The effects of the scenarios with "binary" in their
name are differences of risks, those with "survival" differences in restricted mean survival time
up to 24, with 30% censored before. Those with "several-arms" are of their first contrast.
"""

from tauhat.simulate.baseline_scenario import BaselinePeriodTrial
from tauhat.simulate.binary_scenario import BinaryTrial
from tauhat.simulate.broad_scenario import BroadTrial
from tauhat.simulate.cluster import CLUSTER_DESIGNS, NULL_DESIGNS, ClusterTrial
from tauhat.simulate.cluster_scenario import ClusterScenario
from tauhat.simulate.crossed_scenario import CrossedTrial
from tauhat.simulate.crossover_scenario import ClusterCrossoverTrial
from tauhat.simulate.individual import HighlyNonlinear, Linear, SlightlyNonlinear
from tauhat.simulate.metrics import (
    bias,
    calibration_slope,
    centred_srmse,
    coverage,
    effect_metrics,
    mean_width,
    rmse,
    rod,
    srmse,
    true_policy_value,
)
from tauhat.simulate.one_arm_scenario import OneArmTrial
from tauhat.simulate.pd_l1 import PDL1
from tauhat.simulate.performance import Performance, performance
from tauhat.simulate.population import PopulationValues
from tauhat.simulate.scenario import (
    Scenario,
    SimulatedPersons,
    SimulatedTrial,
    register_scenario,
    scenario,
    scenario_names,
    unregister_scenario,
)
from tauhat.simulate.second_order import TRANSFORMATIONS, SecondOrder, Term
from tauhat.simulate.semi_synthetic import SemiSynthetic
from tauhat.simulate.several_arms_scenario import SeveralArmsTrial, SimulatedArms
from tauhat.simulate.stepped_wedge_scenario import SteppedWedgeTrial
from tauhat.simulate.subgroup_metrics import SubgroupMeans, subgroup_means, subgroup_metrics
from tauhat.simulate.survival_scenario import SimulatedTimes, SurvivalTrial
from tauhat.simulate.tassh import TasshLike
from tauhat.simulate.three_levels_scenario import ThreeLevelsTrial

__all__ = [
    "CLUSTER_DESIGNS",
    "NULL_DESIGNS",
    "PDL1",
    "TRANSFORMATIONS",
    "BaselinePeriodTrial",
    "BinaryTrial",
    "BroadTrial",
    "ClusterCrossoverTrial",
    "ClusterScenario",
    "ClusterTrial",
    "CrossedTrial",
    "HighlyNonlinear",
    "Linear",
    "OneArmTrial",
    "Performance",
    "PopulationValues",
    "Scenario",
    "SecondOrder",
    "SemiSynthetic",
    "SeveralArmsTrial",
    "SimulatedArms",
    "SimulatedPersons",
    "SimulatedTimes",
    "SimulatedTrial",
    "SlightlyNonlinear",
    "SteppedWedgeTrial",
    "SubgroupMeans",
    "SurvivalTrial",
    "TasshLike",
    "Term",
    "ThreeLevelsTrial",
    "bias",
    "calibration_slope",
    "centred_srmse",
    "coverage",
    "effect_metrics",
    "mean_width",
    "performance",
    "register_scenario",
    "rmse",
    "rod",
    "scenario",
    "scenario_names",
    "srmse",
    "subgroup_means",
    "subgroup_metrics",
    "true_policy_value",
    "unregister_scenario",
]
