"""The text of docs/COMMANDS.md, made from the help of the commands; a test holds that the page is up to date.

python -m aggregator.cli.reference > docs/COMMANDS.md
"""

from __future__ import annotations

from collections.abc import Iterator

import click

from aggregator.cli import cli

_HEAD = """\
# Commands

Made from the program's own help by `make docs`.

`aggregator` is `.venv/bin/aggregator`; `python -m aggregator` is the same. Listings print a table for people, or with
`--json` one object a line. The keys of an item are always `id, title, url, page, source, sources, section, author,
published, first_seen, views, likes, score, story, reasons`; times are RFC 3339 in UTC.

Exit codes: 0 fine; 1 something failed and is named; 2 usage; 78 the configuration (or the store) cannot be used.
"""


def commands() -> str:
    """The whole page."""
    root = click.Context(cli, info_name="aggregator", max_content_width=100, **cli.context_settings)
    return "\n".join([_HEAD, *_sections(cli, root)])


def _sections(group: click.Group, context: click.Context) -> Iterator[str]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None:
            continue
        inner = click.Context(command, parent=context, info_name=name, max_content_width=100, terminal_width=100)
        yield f"## {inner.command_path}\n\n```text\n{command.get_help(inner)}\n```\n"
        if isinstance(command, click.Group):
            yield from _sections(command, inner)


if __name__ == "__main__":
    print(commands(), end="")
