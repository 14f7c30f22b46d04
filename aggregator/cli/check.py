"""``aggregator check``: the configuration, and what its rules would have done (``--backtest``)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click

from aggregator.cli.context import Context, has_store, pass_context
from aggregator.cli.output import ProgressBar, local, note, print_table, say
from aggregator.curate.explanations import counted, list_name
from aggregator.curate.rules import RuleTrial, Subject, Trial, judge, try_rules, verdicts_of_items
from aggregator.errors import StoreUnavailable
from aggregator.following import feed_lists, followed, is_followable
from aggregator.model import Verdict, duration, duration_text
from aggregator.model.redact import public_url, redact

if TYPE_CHECKING:
    from aggregator.config import Settings
    from aggregator.refresh.what_if import ListTrial
    from aggregator.store import Store

#: titles that are named of what leaves or comes into a list
NAMED = 3


def _period(_: click.Context, __: click.Parameter, value: str | None) -> timedelta | None:
    """``7d``, ``12h``."""
    try:
        return None if value is None else duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command()
@click.option(
    "--backtest",
    callback=_period,
    metavar="PERIOD",
    help="Also try the rules on the items and lists of the last PERIOD, e.g. 7d.",
)
@pass_context
def check(context: Context, backtest: timedelta | None) -> int:
    """Check the configuration; change nothing.

    Errors are printed with file and line (exit code 78); without errors, warnings, and what a running daemon would
    change if it took the file over.
    """
    settings = context.settings
    for warning in settings.warnings:
        where = f"{warning.file}:{warning.line}" if warning.line else warning.file
        note(f"warning: {where}: {warning.message}")
    say(f"{context.path}: fine. {_contents(settings)}")
    _show_lists_followed(settings)
    if not has_store(settings):
        say("There is no store yet: a daemon would create it and begin with all sources.")
        if backtest is not None:
            raise click.ClickException("there is no store yet, so there are no items to try the rules on")
        return 0
    try:
        with context.store() as store:
            _show_changes(store, settings, context.now())
            if backtest is not None:
                show_backtest(store, settings, period=backtest, now=context.now())
    except StoreUnavailable as error:
        note(f"warning: the store cannot be read, so changes are unknown: {error}")
        return 0 if backtest is None else 1
    return 0


def _contents(settings: Settings) -> str:
    counts = [
        counted(sum(source.enabled for source in settings.sources), "source"),
        *([counted(len(settings.subscriptions), "list")] if settings.subscriptions else []),
        counted(len(settings.sections), "section"),
        counted(len(settings.rules), "rule"),
        counted(len(settings.feeds), "own feed"),
    ]
    return ", ".join(counts) + "."


def _show_lists_followed(settings: Settings) -> None:
    """What each of the ``[[subscriptions]]`` named last."""
    for table, kept in feed_lists(settings):
        where = public_url(table.opml)
        if kept.fetched_at is None:
            state = f"not requested yet{f': {redact(kept.error)}' if kept.error else ''}"
        else:
            failed = f"; since then: {redact(kept.error)}" if kept.error else ""
            refused = len(kept.feeds) - sum(map(is_followable, kept.feeds))
            named = counted(len(kept.feeds), "feed") + (
                f" ({refused:,} without an address of the web)" if refused else ""
            )
            state = f"{named}, as of {kept.fetched_at:%Y-%m-%d %H:%M} UTC{failed}"
        say(f"List {where}: {state}.")


def _show_changes(store: Store, settings: Settings, now: datetime) -> None:
    from aggregator.config import diff_sources

    stored = [health.subscription for health in store.sources(now=now)]
    changes = diff_sources(stored, followed(settings))
    say("\n".join(["Taking it over:", *(f"  {change}" for change in changes)]) if changes else "Nothing would change.")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """A stored entry as the rules would see it today."""

    item_id: str
    subject: Subject
    is_signal: bool


def show_backtest(store: Store, settings: Settings, *, period: timedelta, now: datetime) -> None:
    """Prints what each rule would have done, and which lists would differ."""
    from aggregator import assemble
    from aggregator.refresh.what_if import try_lists

    since = now - period
    rules = settings.rules_compiled()
    with ProgressBar("trying the rules"):
        entries = list(_entries(store, settings, since=since))
        trial = try_rules([rule for rule in rules if rule.holds_at(now)], (entry.subject for entry in entries))
        verdicts = verdicts_of_items(
            (entry.item_id, _with_section(judge(rules, entry.subject, now=now), entry.subject))
            for entry in entries
            if not entry.is_signal
        )
        lists = list(try_lists(store, assemble.curate_options(settings), verdicts, since=since, now=now))
    _show_trial(trial, period)
    _show_lists(lists, store, settings)


def _with_section(verdict: Verdict, subject: Subject) -> Verdict:
    return verdict if verdict.section else replace(verdict, section=subject.section or None)


def _entries(store: Store, settings: Settings, *, since: datetime) -> Iterator[_Entry]:
    """The stored entries, with the sections that their sources have today."""
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
            section=source.all_sections[0] if source else "",
            more_sections=source.all_sections[1:] if source else (),
            language=text.language or "",
        )
        yield _Entry(item_id=text.item_id, subject=subject, is_signal=source is not None and source.role == "signal")


def _show_trial(trial: Trial, period: timedelta) -> None:
    say(
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
    """Prints the lists that would differ."""
    changed = [one for one in lists if one.changed]
    say(f"{len(changed):,} of {counted(len(lists), 'list')} (daily ones included) would differ.")
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
