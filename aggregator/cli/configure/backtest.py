"""``aggregator check --backtest``: what today's rules would have done to the items and lists of the last time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import click

from aggregator import assemble
from aggregator.cli.output import local, print_table
from aggregator.cli.progress import Progress
from aggregator.config import Settings
from aggregator.curate.reasons import counted
from aggregator.curate.rules import RuleTrial, Subject, Trial, judge, try_rules, verdicts_of_items
from aggregator.curate.wording import list_name
from aggregator.model import Verdict, duration_text
from aggregator.refresh.backtest import ListTrial, try_lists
from aggregator.store import Store

#: titles that are named of what leaves or comes into a list
NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """A stored entry as the rules would see it today."""

    item_id: str
    subject: Subject
    is_signal: bool


def show_backtest(store: Store, settings: Settings, *, period: timedelta, now: datetime) -> None:
    """Prints what each rule would have done, and which lists would have been others."""
    since = now - period
    rules = settings.rules_compiled()
    with Progress("trying the rules"):
        entries = list(_entries(store, settings, since=since))
        trial = try_rules(rules, (entry.subject for entry in entries))
        verdicts = verdicts_of_items(
            (entry.item_id, _with_section(judge(rules, entry.subject), entry.subject))
            for entry in entries
            if not entry.is_signal
        )
        lists = list(try_lists(store, assemble.curate_options(settings), verdicts, since=since, now=now))
    _show_trial(trial, period)
    _show_lists(lists, store, settings)


def _with_section(verdict: Verdict, subject: Subject) -> Verdict:
    return verdict if verdict.section else replace(verdict, section=subject.section or None)


def _entries(store: Store, settings: Settings, *, since: datetime) -> Iterator[_Entry]:
    """What is stored, with the sections that the sources have today."""
    urls = {health.ref.id: health.subscription.url for health in store.sources(now=since)}
    sources = {source.url: source for source in settings.sources}
    for source_id, _, text, categories, author in store.entries_since(since):
        feed = urls.get(source_id, "")
        source = sources.get(feed)
        subject = Subject(
            title=text.title,
            text=text.text,
            author=author,
            category=categories,
            url=text.canonical_url or "",
            source=text.source_name,
            feed=feed,
            section=source.section if source else "",
            language=text.language or "",
        )
        yield _Entry(item_id=text.item_id, subject=subject, is_signal=source is not None and source.role == "signal")


def _show_trial(trial: Trial, period: timedelta) -> None:
    click.echo(
        f"Of {counted(trial.subjects, 'entry', 'entries')} in the last {duration_text(period)}"
        f" the rules would have dropped {trial.dropped:,}."
    )
    rows = [_trial_row(place, one) for place, one in enumerate(trial.rules, 1)]
    if rows:
        print_table(["rule", "match", "action", "matches", "decides", "for example"], rows)


def _trial_row(place: int, trial: RuleTrial) -> list[object]:
    return [place, trial.rule.match_text, _action(trial), trial.matched, trial.decided, " · ".join(trial.examples)]


def _action(trial: RuleTrial) -> str:
    action = trial.rule.action
    value = action.section or (action.length and duration_text(action.length))
    if action.kind == "boost":
        value = f"{action.factor:g}"
    return f"{action.kind}:{value}" if value else action.kind


def _show_lists(lists: Sequence[ListTrial], store: Store, settings: Settings) -> None:
    """The lists that would have been others; of each feed of the operator's own, what it would hold."""
    changed = [one for one in lists if one.changed]
    click.echo(
        f"Of {counted(len(lists), 'list')}, those of each day among them, {len(changed):,} would have been others."
    )
    if not changed:
        return
    wanted = [item_id for one in changed for item_id in (*one.leave, *one.come)]
    titles = {item.id: item.title for item in store.items(wanted)}
    zone = settings.site.timezone
    rows = [
        [
            list_name(str(one.key)),
            local(one.at, zone),
            one.places,
            _named(one.leave, titles),
            _named(one.come, titles) if one.come or one.leave else "the same items in another order",
        ]
        for one in changed
    ]
    print_table(["list", "at", "places", "would leave", "would come"], rows)


def _named(ids: Sequence[str], titles: Mapping[str, str]) -> str:
    named = " · ".join(titles.get(item_id, item_id) for item_id in ids[:NAMED])
    return f"{named} and {len(ids) - NAMED} more" if len(ids) > NAMED else named
