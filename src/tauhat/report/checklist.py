"""Items of reporting guidelines that the report covers, each with where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tauhat.report.randomized_units import in_clusters, of_participants_alone
from tauhat.report.text import Run, in_one_arm
from tauhat.report.view import Section, TableView


@dataclass(frozen=True)
class Item:
    """What a guideline asks for, and the sections that hold it."""

    guideline: str
    asks: str
    anchors: tuple[str, ...]


#: Sechidis and others (2024), Pharmaceutical Statistics: a workflow to assess heterogeneity.
WATCH = (
    Item("WATCH, data", "Look at the data before the effects", ("design",)),
    Item("WATCH, exploration", "A global test of heterogeneity", ("test",)),
    Item("WATCH, exploration", "Effect modifiers ranked", ("modifiers",)),
    Item(
        "WATCH, exploration",
        "How the effect varies with them",
        ("modifiers", "covariates", "distribution"),
    ),
    Item("WATCH, exploration", "Subgroups, as description", ("groups", "subgroups")),
    Item("WATCH, assessment", "What the findings depend on", ("sensitivity",)),
    Item("WATCH, assessment", "Limits for those who judge the findings", ("limits", "reading")),
)
#: Kent and others (2020), Annals of Internal Medicine 172:35-45.
PATH = (
    Item("PATH", "The overall result first", ("average",)),
    Item("PATH", "Absolute effects across groups of predicted benefit", ("groups",)),
    Item("PATH", "Models of the effect that shrink, and how they agree", ("models",)),
    Item("PATH", "Calibration and discrimination for benefit", ("calibration",)),
    Item("PATH", "Credibility of each effect modifier", ("subgroups",)),
)
#: Campbell, Piaggio, Elbourne and Altman (2012), BMJ 345:e5661; item numbers of CONSORT 2010.
CONSORT = (
    Item("{consort} 12a", "Methods for the primary outcome{clustering}", ("average", "made")),
    Item(
        "{consort} 12b",
        "Methods of additional analyses",
        ("test", "covariates", "groups", "models"),
    ),
    Item("{consort} 13a", "Numbers of {units} by arm", ("compared",)),
    Item("{consort} 15", "Baseline by arm{levels}", ("compared", "design")),
    Item("{consort} 16", "Numbers analysed", ("compared",)),
    Item("{consort} 17a", "Effect with its precision{icc}", ("average", "design")),
    Item(
        "{consort} 13b",
        "Losses after randomization by arm",
        ("compared", "missing", "sensitivity"),
    ),
    Item("{consort} 18", "Ancillary analyses, marked as exploratory", ("modifiers", "subgroups")),
    Item("{consort} 20", "Limitations, multiplicity", ("limits",)),
)


def checklist_section(run: Run, sections: Sequence[Section]) -> Section:
    """Items of WATCH, PATH and CONSORT that are covered, with the sections that cover them.

    Parameters
    ----------
    run
        Content of ``run.json``.
    sections
        The sections of the page; an item none of whose sections is there is left out.

    Returns
    -------
    Section
        Collapsed.

    References
    ----------
    Sechidis and others (2024), Pharmaceutical Statistics (WATCH); Kent and
    others (2020), Annals of Internal Medicine 172:35-45 (PATH); Campbell and
    others (2012), BMJ 345:e5661 (CONSORT extension to cluster trials).

    Examples
    --------
    >>> page = [Section("average", "Average effects")]
    >>> run = {"design": {"type": "individual", "clusters": None}}
    >>> checklist_section(run, page).tables[0].rows[0]
    ['PATH', 'The overall result first', 'Average effects']
    """
    # Persons who were randomized, and then treated in clusters, are no cluster trial.
    clustered = in_clusters(run) and not of_participants_alone(run) and not in_one_arm(run)
    words = {
        "consort": "CONSORT-cluster" if clustered else "CONSORT",
        "units": "clusters and persons" if clustered else "persons",
        "clustering": ", with the clustering" if clustered else "",
        "levels": ", of persons and clusters" if clustered else "",
        "icc": ", and the intracluster correlation" if clustered else "",
    }
    # Without held-out effects their section says no more than why there are none.
    empty = set() if run.get("held_out", {}).get("given", True) else {"groups"}
    titles = {one.anchor: one.title for one in sections if one.anchor not in empty}
    rows = []
    for item in (*WATCH, *PATH, *CONSORT):
        where = [titles[anchor] for anchor in item.anchors if anchor in titles]
        if where:
            rows.append(
                [item.guideline.format(**words), item.asks.format(**words), "; ".join(where)]
            )
    return Section(
        "checklist",
        "Reporting guidelines: what is covered where",
        paragraphs=[
            "Only items that this report covers are listed. Those that need the protocol or people "
            "(what was planned in advance, sample size, ethics, the judgement of a team) are for "
            "the authors to add."
        ],
        tables=[TableView("Items covered", ["Item", "Asks for", "Section"], rows, numeric_from=3)],
        collapsed=True,
    )
