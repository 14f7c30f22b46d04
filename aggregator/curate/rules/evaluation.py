"""What the rules do with a subject."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from aggregator.curate.rules.expressions import Match, Subject
from aggregator.errors import RuleError
from aggregator.model import Verdict, duration

__all__ = [
    "Action",
    "Rule",
    "RuleTrial",
    "Trial",
    "deciding",
    "judge",
    "parse_action",
    "try_rules",
    "verdicts_of_items",
]

ActionKind = Literal["keep", "drop", "boost", "pin", "section"]
_EXAMPLES = {"keep": "keep", "drop": "drop", "boost": "boost:2", "pin": "pin:12h", "section": "section:World"}
MAX_BOOST = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What a rule does; the value belongs to its kind."""

    kind: ActionKind
    #: boost: what scores are multiplied by
    factor: float = 1.0
    #: pin: how long after it was first seen
    length: timedelta | None = None
    section: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One ``[[rules]]`` table, compiled."""

    match_text: str
    match: Match
    action: Action
    #: from then on it does nothing; None: it does not end
    until: datetime | None = None

    def holds_at(self, now: datetime) -> bool:
        """Whether it has not ended yet."""
        return self.until is None or now < self.until


def parse_action(text: str) -> Action:
    """The action that ``drop``, ``boost:2``, ``pin:12h`` or ``section:World`` stands for; RuleError otherwise."""
    kind, colon, value = (part.strip() for part in text.partition(":"))
    match kind.lower():
        case "keep" if not colon:
            return Action(kind="keep")
        case "drop" if not colon:
            return Action(kind="drop")
        case "boost" if value:
            return Action(kind="boost", factor=_factor(value))
        case "pin" if value:
            return Action(kind="pin", length=_length(value))
        case "section" if value:
            return Action(kind="section", section=value)
    raise _unknown(text, kind.lower())


def judge(rules: Iterable[Rule], subject: Subject, *, now: datetime) -> Verdict:
    """What the rules say: for each kind of action the first rule that matches decides; keep and drop are one kind.

    Rules that have ended by `now` say nothing.
    """
    verdict = Verdict()
    for rule in deciding((rule for rule in rules if rule.holds_at(now)), subject):
        verdict = _applied(rule, verdict)
    return verdict


def deciding(rules: Iterable[Rule], subject: Subject) -> list[Rule]:
    """The rules that decide: the first of each kind that matches."""
    decided: dict[str, Rule] = {}
    for rule in rules:
        kind = "fate" if rule.action.kind in {"keep", "drop"} else rule.action.kind
        if kind not in decided and rule.match(subject):
            decided[kind] = rule
    return list(decided.values())


def _applied(rule: Rule, verdict: Verdict) -> Verdict:
    action = rule.action
    match action.kind:
        case "keep":
            return verdict
        case "drop":
            return replace(verdict, dropped=f"rule: {rule.match_text}")
        case "boost":
            return replace(verdict, boost=action.factor)
        case "pin":
            return replace(verdict, pin=action.length)
        case "section":
            return replace(verdict, section=action.section)


def _factor(text: str) -> float:
    try:
        factor = float(text)
    except ValueError:
        factor = math.nan
    if not 0 < factor <= MAX_BOOST:
        raise RuleError(f"boost:{text}: the factor is a number above 0, at most {MAX_BOOST:g}, e.g. boost:2")
    return factor


def _length(text: str) -> timedelta:
    try:
        length = duration(text)
    except ValueError as error:
        raise RuleError(f"pin: {error}") from error
    if length <= timedelta():
        raise RuleError("pin: the time must be longer than nothing")
    return length


def _unknown(text: str, kind: str) -> RuleError:
    near = difflib.get_close_matches(kind, _EXAMPLES, 1)
    if near:
        return RuleError(f"'{text}' is not an action: did you mean '{_EXAMPLES[near[0]]}'?")
    return RuleError(f"'{text}' is not an action: write {', '.join(_EXAMPLES.values())}")


MAX_EXAMPLES = 3


@dataclass(slots=True, kw_only=True)
class RuleTrial:
    """What one rule would have done."""

    rule: Rule
    #: subjects it is true of
    matched: int = 0
    #: those for which no rule before it had decided
    decided: int = 0
    #: titles of some of those
    examples: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What all rules together would have done."""

    subjects: int
    #: subjects that would be left out
    dropped: int
    rules: tuple[RuleTrial, ...]


def try_rules(rules: Sequence[Rule], subjects: Iterable[Subject]) -> Trial:
    """Asks every rule about every subject."""
    trials = [RuleTrial(rule=rule) for rule in rules]
    seen = dropped = 0
    for subject in subjects:
        seen += 1
        decisive = deciding(rules, subject)
        dropped += any(rule.action.kind == "drop" for rule in decisive)
        for trial in trials:
            _count(trial, subject, decides=any(rule is trial.rule for rule in decisive))
    return Trial(subjects=seen, dropped=dropped, rules=tuple(trials))


def verdicts_of_items(judged: Iterable[tuple[str, Verdict]]) -> dict[str, Verdict]:
    """The verdict of each item from those of its entries (item id, verdict), oldest entry first.

    An item goes by its first entry that is kept, and is dropped when all are.
    """
    found: dict[str, Verdict] = {}
    for item_id, verdict in judged:
        before = found.get(item_id)
        if before is None or (before.dropped is not None and verdict.dropped is None):
            found[item_id] = verdict
    return found


def _count(trial: RuleTrial, subject: Subject, *, decides: bool) -> None:
    if not decides:
        trial.matched += trial.rule.match(subject)
        return
    trial.matched += 1
    trial.decided += 1
    if len(trial.examples) < MAX_EXAMPLES:
        trial.examples.append(subject.title)
