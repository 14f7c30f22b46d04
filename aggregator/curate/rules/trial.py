"""What rules would have done: the same rules over what has been, for ``check --backtest``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from aggregator.curate.rules.judging import Rule, deciding
from aggregator.curate.rules.subject import Subject
from aggregator.model import Verdict

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
