"""How large a trial must be to see that its effect differs between persons."""

from tauhat.power.event_trials import EventInteraction
from tauhat.power.interaction_trials import ClusterInteraction, IndividualInteraction
from tauhat.power.one_arm_power import OneArmPower, power_one_arm
from tauhat.power.planned_times import RmstPower
from tauhat.power.planned_trial import HtePower
from tauhat.power.planning import power_hte, power_table
from tauhat.power.several_arms_power import SeveralArmsPower, power_several_arms
from tauhat.power.simulation import SimulatedPower, interaction_test, power_by_simulation
from tauhat.power.stepped_wedge_power import SteppedWedgePower, power_stepped_wedge
from tauhat.power.times_power import power_rmst

__all__ = [
    "ClusterInteraction",
    "EventInteraction",
    "HtePower",
    "IndividualInteraction",
    "OneArmPower",
    "RmstPower",
    "SeveralArmsPower",
    "SimulatedPower",
    "SteppedWedgePower",
    "interaction_test",
    "power_by_simulation",
    "power_hte",
    "power_one_arm",
    "power_rmst",
    "power_several_arms",
    "power_stepped_wedge",
    "power_table",
]
