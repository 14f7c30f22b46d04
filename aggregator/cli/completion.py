"""``aggregator completion``: the completion scripts of shells, and what they complete."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem, get_completion_class

from aggregator.cli.context import Context
from aggregator.errors import AggregatorError

if TYPE_CHECKING:
    from aggregator.config import Settings

#: the second name of the command (``uvx feed-aggregator``), completed like the first
_ALIAS = {
    "bash": "complete -o nosort -F _aggregator_completion feed-aggregator",
    "zsh": "compdef _aggregator_completion feed-aggregator",
    "fish": 'complete --no-files --command feed-aggregator --arguments "(_aggregator_completion)";',
}


SHELLS = tuple(sorted(_ALIAS))


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    r"""Print the completion script of a shell.

    \b
    bash:  aggregator completion bash > ~/.local/share/bash-completion/completions/aggregator
    zsh:   aggregator completion zsh > ~/.zfunc/_aggregator     (a folder of fpath)
    fish:  aggregator completion fish > ~/.config/fish/completions/aggregator.fish
    """
    print(script(ctx.find_root().command, shell), end="")


def script(command: click.Command, shell: str) -> str:
    """The completion script of `command` for a shell of `SHELLS`."""
    found = get_completion_class(shell)
    if found is None:
        raise ValueError(f"click has no completion for {shell}")
    return f"{found(command, {}, 'aggregator', '_AGGREGATOR_COMPLETE').source().rstrip()}\n{_ALIAS[shell]}\n"


def complete_source(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The addresses of the sources that begin with `incomplete`, without those that have secrets."""
    from aggregator.model.redact import public_url

    settings = _settings(ctx)
    shown = ((one.url, one.name or one.all_sections[0]) for one in settings.sources) if settings else ()
    return [
        CompletionItem(url, help=text) for url, text in shown if url.startswith(incomplete) and url == public_url(url)
    ]


def complete_section(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The sections that begin with `incomplete`."""
    settings = _settings(ctx)
    sections = settings.sections if settings else ()
    return [CompletionItem(name) for name in sections if name.casefold().startswith(incomplete.casefold())]


def _settings(ctx: click.Context) -> Settings | None:
    """The configuration; None where it cannot be read: while completing, a shell shows no errors."""
    try:
        return ctx.ensure_object(Context).settings
    except (AggregatorError, OSError):
        return None
