"""Who was randomized, and how: one object that splits, tests, errors and mixed models ask."""

from tauhat.design.clusters import Clusters
from tauhat.design.design import Design
from tauhat.design.intercepts import Intercepts
from tauhat.design.kinds import design_of
from tauhat.design.persons import Persons

__all__ = ["Clusters", "Design", "Intercepts", "Persons", "design_of"]
