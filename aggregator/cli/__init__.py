"""The commands. This module knows their names only; a command's module is imported when the command is run."""

from __future__ import annotations

import contextlib
import difflib
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aggregator import __version__
from aggregator.cli import streams
from aggregator.cli.context import Context
from aggregator.errors import AggregatorError, ConfigError, StoreUnusable

#: sysexits.h EX_CONFIG: systemd does not restart a service that ends with it (RestartPreventExitStatus)
EXIT_CONFIG = 78
#: what a shell reports of a process that was interrupted: 128 + SIGINT
EXIT_INTERRUPTED = 130

#: command → (module:attribute, what it does), in the order of the help
COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("init:init", "Write a configuration to start with."),
    "run": ("run:run", "Run the daemon in the foreground."),
    "poll": ("poll:poll", "Poll what is due once, then exit."),
    "check": ("check:check", "Check the configuration; change nothing."),
    "status": ("status:status", "Show the health of each source."),
    "health": ("status:health", "Ask the running daemon whether it is healthy."),
    "list": ("lists:show_list", "Show a list as the feeds have it."),
    "related": ("lists:related", "Show items about the same subject as an item."),
    "stories": ("lists:stories", "Show stories that several sources cover."),
    "search": ("lists:search", "Show the items that contain all the words."),
    "explain": ("explain:explain", "Explain why an item is merged, ranked, recommended, related."),
    "add": ("sources:add", "Follow a feed, or the feed of a web page."),
    "remove": ("sources:remove", "Stop following a feed."),
    "import": ("sources:import_opml", "Follow the feeds of an OPML file."),
    "export": ("sources:export", "Write the sources as OPML to standard output."),
    "readers": ("maintenance:readers", "Manage private feeds that learn from their reader."),
    "count": ("maintenance:count", "Count views from a web server's access log."),
    "publish": ("maintenance:publish", "Write the whole site as static files."),
    "backup": ("maintenance:backup", "Write a verified copy of the store."),
    "restore": ("maintenance:restore", "Replace the store by a backup."),
    "completion": ("completion:completion", "Print the completion script of a shell."),
    "apply": ("apply:apply", "Make this configuration the one of all processes."),
    "copy": ("copy:copy", "Copy a store to another engine or place."),
    "demo": ("run:demo", "Run an offline demonstration with invented papers and readers."),
}


class LazyGroup(click.Group):
    """A group that imports a command when it is called, so that ``--help`` is quick."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """As click does it; raises Exit(0) if the reader of ``--help`` goes away, which click calls a failure."""
        with _reader_may_leave():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """As click does it; raises Exit(0) if the reader of standard output goes away (``| head``)."""
        with _reader_may_leave():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The names, in the order of `COMMANDS`."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command of that name, imported now."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(f"aggregator.cli.{module}"), attribute)
        _prepare(command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that `args` name. Raises UsageError, with the nearest name, if there is none."""
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            raise click.UsageError(f"no such command: {args[0]}{did_you_mean(args[0], COMMANDS)}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Writes the list of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


if TYPE_CHECKING:
    TextType = click.ParamType[str]
else:
    TextType = click.ParamType  # generic for type checkers only, in click 8.2


class UnicodeText(TextType):
    """Text in the encoding of the locale; bytes that are not (surrogates, PEP 383) are refused."""

    name = "text"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """`value` as text."""
        try:
            return value if value.isprintable() else streams.decode(value)
        except UnicodeError:
            self.fail("contains bytes that are not text in this locale's encoding", param, ctx)


@contextlib.contextmanager
def _reader_may_leave() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as error:
        streams.silence_stdout()
        raise click.exceptions.Exit(0) from error


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """``; did you mean 'status'?``, or nothing if no known word is near."""
    near = difflib.get_close_matches(word.lower(), list(known), 1, cutoff=0.6)
    return f"; did you mean '{near[0]}'?" if near else ""


def _prepare(command: click.Command) -> None:
    """Lets ``--config`` stand behind the command's name as well as before it, and arguments be text only."""
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            _prepare(inner)
        return
    if not any(parameter.name == "config" for parameter in command.params):
        command.params.append(_config_option())
    for parameter in command.params:
        if parameter.type is click.STRING:
            parameter.type = UnicodeText()


def _config_option() -> click.Option:
    return click.Option(
        ["--config"],
        metavar="PATH",
        type=click.Path(path_type=Path),
        expose_value=False,
        callback=_remember_config,
        help="The configuration; default: the first of $AGGREGATOR_CONFIG, ./config.toml (if it is one of ours), "
        "~/.config/aggregator/config.toml, /etc/aggregator/config.toml.",
    )


def _remember_config(ctx: click.Context, _: click.Parameter, value: Path | None) -> None:
    if value is not None:
        ctx.ensure_object(Context).config = value


@click.group(cls=LazyGroup, params=[_config_option()], context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="aggregator")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Follow feeds politely, recognise copies of the same article, publish what is worth reading.

    Exit codes: 0 success; 1 something failed and is named; 2 usage; 78 the configuration or the store cannot be used.
    """
    ctx.ensure_object(Context)


def main(arguments: Sequence[str] | None = None) -> None:
    """The console command: runs, then exits with the code of `run_command`."""
    try:
        streams.use_utf8()
        streams.prepare()
        sys.exit(run_command(arguments))
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)


def run_command(arguments: Sequence[str] | None = None) -> int:
    """Runs one command line and returns its exit code; every error is written to standard error.

    A reader of standard output that goes away (``| head``) is no error.
    """
    if "run" in (sys.argv if arguments is None else arguments):
        # until the daemon listens to it: a reload that comes early must not end it
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        result = cli.main(arguments, prog_name="aggregator", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        streams.silence_stdout()
        return 0
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except (click.Abort, click.ClickException, AggregatorError) as error:
        return _report(error)
    except OSError as error:
        streams.silence_stdout()  # the error may be that of standard output: a full disk
        return _fail(f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error))
    return result if isinstance(result, int) else 0


def _report(error: click.Abort | click.ClickException | AggregatorError) -> int:
    """Writes what went wrong and returns the exit code for it."""
    if isinstance(error, click.Abort):
        return EXIT_INTERRUPTED
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        _write(error.format_message())
        return error.exit_code
    if isinstance(error, click.ClickException):
        _fail(error.format_message())
        if isinstance(error, click.UsageError) and error.ctx is not None:
            _write(f"{error.ctx.get_usage()}\nTry: {error.ctx.command_path} --help")
        return error.exit_code
    if isinstance(error, ConfigError):
        for problem in error.problems:
            _fail(str(problem))
        return EXIT_CONFIG
    return _fail(str(error), EXIT_CONFIG if isinstance(error, StoreUnusable) else 1)


def _fail(message: str, code: int = 1) -> int:
    _write(f"error: {message}")
    return code


def _write(text: str) -> None:
    """Writes to standard error; where nobody reads that, the exit code has to do."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        return
