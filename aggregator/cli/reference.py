"""What is generated from the help of the commands: docs/COMMANDS.md, the man page and the completion scripts.

``python -m aggregator.cli.reference commands|man|bash|zsh|fish`` writes one of them to standard output; `make docs`
writes all, and a test holds that they are up to date.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial

import click

from aggregator import __version__
from aggregator.cli import cli
from aggregator.cli.completion import SHELLS, script

_HEAD = """\
# Commands

Made from the program's own help by `make docs`.

In a checkout `aggregator` is `.venv/bin/aggregator`; `python -m aggregator` is the same. Listings print a table on a
terminal, tab-separated lines into a pipe, and with `--json` one object a line. The keys of an item are always `id,
title, url, page, source, sources, section, author, published, first_seen, views, likes, score, rank_before, story,
reasons`; times are RFC 3339 in UTC. Errors begin with `error:`, warnings with `warning:`, both on standard error.

Exit codes: 0 success; 1 something failed and is named; 2 usage; 78 the configuration (or the store) cannot be used.

Completion: `aggregator completion bash|zsh|fish` prints the script of a shell; its help says where it goes. Commands,
options, sections and the addresses of sources are completed.
"""

_MAN_HEAD = """\
.TH AGGREGATOR 1 "" "aggregator {version}" "User Commands"
.SH NAME
aggregator \\- follow feeds politely and publish what is worth reading
.SH SYNOPSIS
.B aggregator
[\\fB\\-\\-config\\fR \\fIPATH\\fR] \\fICOMMAND\\fR [\\fIARGS\\fR]
.SH DESCRIPTION
{description}
.SH COMMANDS"""

_MAN_FOOT = """\
.SH EXIT STATUS
0 success; 1 something failed and is named; 2 usage; 78 the configuration or the store cannot be used.
.SH FILES
.TP
.I ./config.toml, ~/.config/aggregator/config.toml, /etc/aggregator/config.toml
The configuration: the first that exists. The one in the current folder counts only if it has [site] or [[sources]].
.TP
.I aggregator.db
The store, where [store] url says; relative to the configuration.
.SH ENVIRONMENT
.TP
.B AGGREGATOR_CONFIG
The configuration, unless \\-\\-config names one.
.TP
.B NO_COLOR
No colours in the log on a terminal.
.SH SEE ALSO
The manual in share/doc/aggregator: CONFIGURATION.md explains every key, OPERATING.md running it as a service."""


def commands() -> str:
    """docs/COMMANDS.md."""
    sections = (
        f"## {context.command_path}\n\n```text\n{context.command.get_help(context)}\n```\n" for context in _contexts()
    )
    return "\n".join([_HEAD, *sections])


def man_page() -> str:
    """aggregator(1), in the man macros."""
    description = _roff(cli.help or "").split("\n\n")[0]
    head = _MAN_HEAD.format(version=__version__, description=description)
    leaves = (context for context in _contexts() if not isinstance(context.command, click.Group))
    return "\n".join([head, *(line for context in leaves for line in _man_section(context)), _MAN_FOOT]) + "\n"


def _man_section(context: click.Context) -> Iterator[str]:
    command = context.command
    pieces = " ".join(command.collect_usage_pieces(context))
    yield f".SS {_roff(f'{context.command_path} {pieces}')}"
    for paragraph in (command.help or "").split("\n\n"):
        if paragraph.startswith("\b"):
            yield f".PP\n.nf\n{_roff(paragraph.removeprefix(chr(8)).strip())}\n.fi"
        else:
            yield f".PP\n{_roff(' '.join(paragraph.split()))}"
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record and record[1] and parameter.name not in {"config", "help"}:
            yield f".TP\n.B {_roff(record[0])}\n{_roff(' '.join(record[1].split()))}"


def _roff(text: str) -> str:
    """`text` without anything that roff would take for a request or an escape."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("…", "...").replace("“", '"').replace("”", '"')
    return "\n".join(f"\\&{line}" if line[:1] in {".", "'"} else line for line in escaped.splitlines())


def _contexts(group: click.Group = cli, parent: click.Context | None = None) -> Iterator[click.Context]:
    """A context for each command, groups before their commands."""
    root = parent or click.Context(cli, info_name="aggregator", max_content_width=100, **cli.context_settings)
    for name in group.list_commands(root):
        command = group.get_command(root, name)
        if command is not None:
            context = click.Context(command, parent=root, info_name=name, max_content_width=100, terminal_width=100)
            yield context
            if isinstance(command, click.Group):
                yield from _contexts(command, context)


#: what can be written, by the word that asks for it
WRITERS: Mapping[str, Callable[[], str]] = {
    "commands": commands,
    "man": man_page,
    **{shell: partial(script, cli, shell) for shell in SHELLS},
}

if __name__ == "__main__":
    print(WRITERS[sys.argv[1]](), end="")
