"""The code of each kind of finding: its grades, what it says, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Grade = Literal["error", "warning", "note"]
GRADES: tuple[Grade, ...] = ("error", "warning", "note")


@dataclass(frozen=True)
class Code:
    """A kind of finding.

    Attributes
    ----------
    name
        Its name, which never changes.
    part
        What it is about, as a heading.
    grades
        Those it can have, the gravest first.
    meaning, remedy
        What was found, and what to do.
    """

    name: str
    part: str
    grades: tuple[Grade, ...]
    meaning: str
    remedy: str


_DESIGN, _PERSONS, _LABELS = "Design", "Persons and rows", "Labels"
_VALUES, _LEAKS, _TIME = "Values", "Covariates from after randomization", "Time"

_ALL = (
    Code(
        "few-persons", _DESIGN, ("warning",),
        "fewer than 100 persons, counted as in arms of equal size",
        "read intervals, not estimates",
    ),
    Code(
        "few-clusters", _DESIGN, ("warning",),
        "fewer than 40 clusters, or 10 in an arm",
        "read [few clusters](few-clusters.md)",
    ),
    Code(
        "design-over-periods", _DESIGN, ("note",),
        "clusters changed their arm over the periods: which design it is",
        "check the kind, the order of the periods and the sequences",
    ),
    Code(
        "baseline-period", _DESIGN, ("warning", "note"),
        "parallel arms with a baseline period, whose means by cluster are a covariate or whose "
        "rows are modelled",
        "check which periods came before the treatment",
    ),
    Code(
        "clusters-in-one-arm", _DESIGN, ("note",),
        "the cluster column is empty in one arm: persons were randomized, and clustered in the "
        "other arm only",
        "see that nobody in that arm was treated in a group",
    ),
    Code(
        "baseline-cohort", _DESIGN, ("warning",),
        "participants have rows in the baseline period and later",
        "give the baseline outcome of each as a covariate, without `period`",
    ),
    Code(
        "too-few-clusters", _DESIGN, ("warning",),
        "too few clusters to learn how effects depend on a cluster-level covariate",
        "leave the covariate out, or know that it is only adjusted for",
    ),
    Code(
        "cluster-size-by-arm", _DESIGN, ("warning",),
        "clusters differ in size between the arms",
        "ask who was enrolled after the clusters were randomized",
    ),
    Code(
        "cluster-size-jump", _DESIGN, ("warning",),
        "one or a few clusters are many times larger or smaller than all others",
        "look for clusters under one label, or for a label that is spelt in two ways",
    ),
    Code(
        "clusters-lost", _DESIGN, ("warning",),
        "clusters without any outcome: lost units, not outcomes missing at random",
        "say why in the report of the trial",
    ),
    Code(
        "one-arm-blocks", _DESIGN, ("error", "warning", "note"),
        "blocks that hold one arm only; an error above a quarter of the persons",
        "see that `block` names what units were randomized within",
    ),
    Code(
        "allocation", _DESIGN, ("note",),
        "the probability of treatment differs between blocks",
        "nothing: the analysis takes it into account",
    ),
    Code(
        "propensity", _DESIGN, ("warning",),
        "the share treated contradicts `propensity`",
        "correct `propensity`, or leave it out",
    ),
    Code(
        "uneven-weights", _DESIGN, ("warning", "note"),
        "sample weights, and what they leave of the sample; a warning below half",
        "see whether single weights are right",
    ),
    Code(
        "missing-outcome", _DESIGN, ("warning", "note"),
        "persons without an outcome; a warning if many, or unevenly by arm",
        "find out why they were lost",
    ),
    Code(
        "missing-by-cluster", _DESIGN, ("warning",),
        "a cluster lost many more persons, or fewer, than the others of its arm",
        "ask what happened there",
    ),
    Code(
        "missing-by-block", _DESIGN, ("note",),
        "blocks lost different shares of their persons",
        "nothing",
    ),
    Code(
        "missing-by-covariate", _DESIGN, ("warning", "note"),
        "who has no outcome goes with a covariate; a warning where complete cases were asked for "
        "and it does so differently in the arms",
        "leave `missing` as it is, which takes it into account",
    ),
    Code(
        "rarely-observed", _DESIGN, ("warning",),
        "one person in a hundred or more was very unlikely to have an outcome",
        "see whom nobody could have followed, and whether they belong to the question",
    ),
    Code(
        "outcome-type", _DESIGN, ("note",),
        "what kind of outcome it was taken for",
        "name another kind with `endpoint`",
    ),
    Code(
        "rare-events", _DESIGN, ("warning",),
        "fewer than 30 persons with the rarer of two outcomes, or fewer than five in an arm, "
        "of counts too",
        "read the average effect, hardly how it varies",
    ),
    Code(
        "rows-of-events", _DESIGN, ("note",),
        "rows with numbers of events were read as persons, by `exposure`",
        "nothing",
    ),
    Code(
        "many-zeros", _DESIGN, ("note",),
        "of an outcome that counts events, more than 60% are zero",
        "look at having any event too",
    ),
    Code(
        "late-treatment", _DESIGN, ("warning",),
        "the first rows are all of one arm, and only then do both arms come in turn",
        "see whether the arms were open at the same time",
    ),
    Code(
        "unnamed-clusters", _DESIGN, ("warning",),
        "each value of a column without a role, or of a covariate, has one arm only",
        "name it in `cluster` if whole groups were randomized, or persons treated in groups",
    ),
    Code(
        "persons-on-several-rows", _PERSONS, ("error", "warning"),
        "a column that looks like an identifier of persons repeats (visits, two arms or clusters)",
        "keep one row per person (`where`), or name the `participant`",
    ),
    Code(
        "repeated-measurements", _PERSONS, ("note",),
        "identifiers on several rows that the design explains",
        "nothing",
    ),
    Code(
        "repeated-rows", _PERSONS, ("error", "warning"),
        "rows that repeat another one in all columns; an error from one in a hundred on",
        "leave copies out",
    ),
    Code(
        "rows-dropped", _PERSONS, ("note",),
        "rows that did not fulfil the condition of `where`",
        "nothing",
    ),
    Code(
        "short-rows", _PERSONS, ("warning",),
        "rows of a text file with fewer cells than its first line has names",
        "see whether a separator is lost, so that values stand in wrong columns",
    ),
    Code(
        "reading", _PERSONS, ("note",),
        "what else was done in reading a file",
        "nothing",
    ),
    Code(
        "similar-labels", _LABELS, ("warning",),
        "labels that differ by case, blanks, accents, punctuation or one letter",
        "write them alike, or `--normalise-labels`",
    ),
    Code(
        "merged-labels", _LABELS, ("note",),
        "labels that `--normalise-labels` took for the same",
        "see that they are the same",
    ),
    Code(
        "blanks-in-labels", _LABELS, ("note",),
        "labels with needless blanks, or of several types, read as one",
        "nothing",
    ),
    Code(
        "inexact-labels", _LABELS, ("warning",),
        "numbers as labels with more digits than their type keeps",
        "read the column as text",
    ),
    Code(
        "numbers-as-text", _LABELS, ("warning",),
        "numbers written so that they count as categories",
        "write them as plain numbers",
    ),
    Code(
        "other-arms", _LABELS, ("note",),
        "rows of arms that were not chosen, by label",
        "nothing",
    ),
    Code(
        "other-arm-spelling", _LABELS, ("warning",),
        "an arm that was left out is spelt nearly as one that is compared",
        "write it alike, or `--normalise-labels`",
    ),
    Code(
        "missing-code", _VALUES, ("warning", "note"),
        "a usual code for a missing value (-9, 99, 999 ...) apart from the other values, as a "
        "heap among them, or as a rare third value beside two",
        "leave the cells empty",
    ),
    Code(
        "far-value", _VALUES, ("warning", "note"),
        "values far outside their column, or a rare third value beside two",
        "put slips right; give the logarithm of what is measured so",
    ),
    Code(
        "impossible-value", _VALUES, ("warning",),
        "values that a column of this name cannot have: negative ages, percentages beyond 100, "
        "blood pressures of 0",
        "put them right, or leave the cells empty",
    ),
    Code(
        "heap", _VALUES, ("warning", "note"),
        "one value far more often than any near it, as where missing values were filled in; a "
        "warning for the outcome",
        "leave filled-in cells empty",
    ),
    Code(
        "detection-limit", _VALUES, ("warning", "note"),
        "many outcomes equal to the smallest or the largest; a note if that is 0 or a scale's end",
        "mean effects are of censored values: choose an outcome that is not",
    ),
    Code(
        "words-as-missing", _VALUES, ("note",),
        "words such as NA that were read as missing",
        "write a category of that name otherwise",
    ),
    Code(
        "missing-by-rule", _VALUES, ("note",),
        "values of a file that are missing by its own rules, or by yours, counted by rule",
        "nothing",
    ),
    Code(
        "left-as-numbers", _VALUES, ("note",),
        "a column of a file that stayed numbers although it seems to hold dates or codes",
        "convert it, or leave it out",
    ),
    Code(
        "covariates-not-named", _LEAKS, ("note",),
        "all columns without another role are covariates",
        "name those measured before randomization",
    ),
    Code(
        "outcome-copy", _LEAKS, ("error",),
        "a covariate is the outcome in other units",
        "remove it",
    ),
    Code(
        "outcome-determined", _LEAKS, ("warning",),
        "a covariate, or two together, tell the outcome nearly without error, or the outcome tells "
        "the covariate, in units that were left out",
        "remove what was measured with the outcome or computed from it",
    ),
    Code(
        "treatment-copy", _LEAKS, ("error", "warning"),
        "a covariate tells the arm of everyone; a warning where that may be chance",
        "remove it",
    ),
    Code(
        "differs-by-arm", _LEAKS, ("warning",),
        "a covariate differs between the arms beyond chance",
        "remove it if it was measured after randomization",
    ),
    Code(
        "imbalance", _LEAKS, ("note",),
        "a covariate differs between the arms more than usual",
        "nothing: it is adjusted for",
    ),
    Code(
        "missing-by-arm", _LEAKS, ("warning",),
        "what is missing depends on the arm",
        "remove it if it was measured after randomization",
    ),
    Code(
        "missing-with-outcome", _LEAKS, ("warning",),
        "a covariate is missing for the persons whose outcome is missing",
        "remove it if it was measured at follow-up",
    ),
    Code(
        "follow-up-name", _LEAKS, ("warning",),
        "names or labels of what comes after randomization: outcome, visit, week 12, follow-up, "
        "Apgar, adverse event, status, date of death",
        "remove it if it was measured after randomization",
    ),
    Code(
        "identifier", _LEAKS, ("warning",),
        "a covariate with a different whole number in nearly every row, in the order of the rows, "
        "without the repeats of measured values, or with the name of an identifier",
        "give it as `id`",
    ),
    Code(
        "same-covariate", _LEAKS, ("note",),
        "two covariates carry the same information",
        "one is enough",
    ),
    Code(
        "encoding", _LEAKS, ("note",),
        "columns that were left out or whose levels were pooled",
        "nothing",
    ),
    Code(
        "missing-covariates", _LEAKS, ("note",),
        "covariates with missing values, which were filled in and marked",
        "nothing",
    ),
    Code(
        "time-with-status", _TIME, ("warning",),
        "the outcome is a duration beside a status column, or the status beside a duration",
        "give the time as outcome, the status as event, and a horizon",
    ),
    Code(
        "few-events", _TIME, ("warning",),
        "an arm has few events by the horizon",
        "read the average effect, hardly how it varies",
    ),
    Code(
        "censoring", _TIME, ("warning", "note"),
        "persons were censored before the horizon; a warning where the arms differ in that",
        "ask why they were lost",
    ),
    Code(
        "follow-up", _TIME, ("error", "warning"),
        "few were followed up to the horizon",
        "choose an earlier horizon",
    ),
    Code(
        "censoring-by-covariates", _TIME, ("warning",),
        "who was censored depends on a covariate",
        "see what `censoring=\"covariates\"` changes",
    ),
    Code(
        "times-of-zero", _TIME, ("warning",),
        "times to an event that are zero",
        "see whether these persons were followed at all",
    ),
    Code(
        "tied-times", _TIME, ("note",),
        "few different times, such as those of visits",
        "nothing, if events were seen at visits",
    ),
    Code(
        "event-codes", _TIME, ("warning", "note"),
        "what was read as the event, or as censored, may be meant otherwise",
        "say what the event is by `event_value`",
    ),
    Code(
        "ambiguous-dates", _TIME, ("warning",),
        "dates such as 03/04/2020 that may be read in two ways, so that they were not compared",
        "write them as 2020-04-03",
    ),
    Code(
        "time-before-randomization", _TIME, ("warning",),
        "negative durations, or dates of follow-up before the date of randomization",
        "put the dates right",
    ),
)  # fmt: skip

#: Every code by its name.
CODES: dict[str, Code] = {code.name: code for code in _ALL}


def codes_table() -> str:
    """All codes as a table for the documentation.

    Examples
    --------
    >>> codes_table().splitlines()[0]
    '| code | grade | what was found | what to do |'
    """
    lines = ["| code | grade | what was found | what to do |", "| --- | --- | --- | --- |"]
    part = ""
    for code in _ALL:
        if code.part != part:
            part = code.part
            lines.append(f"| **{part}** | | | |")
        grades = ", ".join(code.grades)
        lines.append(f"| `{code.name}` | {grades} | {code.meaning} | {code.remedy} |")
    return "\n".join(lines)
