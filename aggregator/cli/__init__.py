"""The commands. This module knows their names only; a command's module is imported when it is asked for."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import click

from aggregator import __version__
from aggregator.cli.context import Context
from aggregator.errors import AggregatorError, ConfigError, StoreUnusable

#: sysexits.h EX_CONFIG: systemd does not restart a service that ends with it (RestartPreventExitStatus)
EXIT_CONFIG = 78
#: what a shell reports of a process that was interrupted: 128 + SIGINT
EXIT_INTERRUPTED = 130

#: command → (where it lives as module:attribute, what it does), in the order of the help
COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("run:run", "Run the daemon in the foreground."),
    "poll": ("poll:poll", "Poll once what is due, then exit."),
    "check": ("check:check", "Check the configuration; change nothing."),
    "status": ("status:status", "Show the health of each source."),
    "list": ("lists:show_list", "Show a list as the feeds hold it."),
    "related": ("lists:related", "Show what is about the same subject as an item."),
    "stories": ("lists:stories", "Show stories that several sources carry."),
    "search": ("lists:search", "Show the items that contain all the words."),
    "explain": ("explain:explain", "Explain why an item is merged, ranked, recommended, related."),
    "add": ("sources:add", "Follow a feed, or the feed of a web page."),
    "remove": ("sources:remove", "Follow a feed no longer."),
    "import": ("sources:import_opml", "Follow the feeds of an OPML file."),
    "export": ("sources:export", "Write the sources as OPML to standard output."),
    "readers": ("maintenance:readers", "Manage private feeds that learn from their reader."),
    "count": ("maintenance:count", "Count views from a web server's access log."),
    "publish": ("maintenance:publish", "Write the whole site as static files."),
    "backup": ("maintenance:backup", "Write a verified copy of the store."),
    "restore": ("maintenance:restore", "Replace the store by a backup."),
    "demo": ("run:demo", "Show the whole thing offline, with readers who click."),
}


class LazyGroup(click.Group):
    """A group that imports a command when it is called, so that ``--help`` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The names, in the order of `COMMANDS`."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command of that name, imported now."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(f"aggregator.cli.{module}"), attribute)
        _accept_config(command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Writes the list of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


def _accept_config(command: click.Command) -> None:
    """Lets ``--config`` stand behind the command's name as well as before it."""
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            _accept_config(inner)
    elif not any(parameter.name == "config" for parameter in command.params):
        command.params.append(_config_option())


def _config_option() -> click.Option:
    return click.Option(
        ["--config"],
        metavar="PATH",
        type=click.Path(path_type=Path),
        expose_value=False,
        callback=_remember_config,
        help="Configuration; default ./config.toml, then /etc/aggregator/config.toml.",
    )


def _remember_config(ctx: click.Context, _: click.Parameter, value: Path | None) -> None:
    if value is not None:
        ctx.ensure_object(Context).config = value


@click.group(cls=LazyGroup, params=[_config_option()], context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="aggregator")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Follow feeds politely, know which articles are the same, publish what is worth reading.

    Exit codes: 0 fine; 1 something failed and is named; 2 usage; 78 configuration.
    """
    ctx.ensure_object(Context)


def main(arguments: Sequence[str] | None = None) -> None:
    """The console command: runs, then exits with a code that means something."""
    sys.exit(run_command(arguments))


def run_command(arguments: Sequence[str] | None = None) -> int:
    """Runs one command line and gives its exit code; everything that went wrong is on standard error."""
    try:
        result = cli.main(arguments, prog_name="aggregator", standalone_mode=False)
    except BrokenPipeError:
        _silence_stdout()
        return 1
    except (click.Abort, click.ClickException, AggregatorError) as error:
        return _report(error)
    return result if isinstance(result, int) else 0


def _report(error: click.Abort | click.ClickException | AggregatorError) -> int:
    """Says what went wrong and gives the exit code for it."""
    if isinstance(error, click.Abort):
        return EXIT_INTERRUPTED
    if isinstance(error, click.ClickException):
        error.show()
        return error.exit_code
    click.echo(str(error) if isinstance(error, ConfigError) else f"error: {error}", err=True)
    return EXIT_CONFIG if isinstance(error, ConfigError | StoreUnusable) else 1


def _silence_stdout() -> None:
    """``aggregator list | head``: nobody reads on, and the interpreter's last flush must not complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
