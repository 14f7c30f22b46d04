"""``aggregator init``: a configuration to start with."""

from __future__ import annotations

import grp
import json
import os
import shlex
import socket
import sys
import sysconfig
import tempfile
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from aggregator.cli.context import listen_addresses, program
from aggregator.cli.output import note, printable, say
from aggregator.errors import AggregatorError, CollectError

if TYPE_CHECKING:
    from aggregator.config import NewSource, Settings

#: where the shipped units keep the store (StateDirectory=)
SYSTEM_STATE = Path("/var/lib/aggregator")
#: the group that the Debian package and the shipped sysusers file create
GROUP = "aggregator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where the configuration and the store go."""

    config: Path
    store: Path
    #: as it is written into the configuration
    store_url: str
    scope: str = ""


@click.command()
@click.argument("directory", metavar="[DIR]", required=False, type=click.Path(path_type=Path, file_okay=False))
@click.option("--user", "scope", flag_value="user", help="For this user: ~/.config/aggregator, with a systemd unit.")
@click.option("--system", "scope", flag_value="system", help="For the system: /etc/aggregator and /var/lib/aggregator.")
@click.option("--opml", type=click.File("rb"), metavar="FILE", help='Follow the feeds of an OPML file; "-": stdin.')
@click.option("--url", metavar="URL", help="How readers will reach the site; default: http:// and --listen.")
@click.option("--title", metavar="TEXT", default="The Daily Aggregate", show_default=True, help="Title of the site.")
@click.option("--contact", metavar="TEXT", help="Your address or e-mail address, sent with every request.")
@click.option("--listen", metavar="HOST:PORT", default="127.0.0.1:8080", show_default=True, help="Where to serve.")
@click.option("--empty", is_flag=True, help="Follow no feed yet, instead of three to begin with.")
def init(
    *,
    directory: Path | None,
    scope: str | None,
    opml: BinaryIO | None,
    url: str | None,
    title: str,
    contact: str | None,
    listen: str,
    empty: bool,
) -> int:
    """Write a configuration to start with.

    Into DIR (default: the current folder), with every setting explained. An existing configuration is never
    overwritten. Then checks that the store can be created and the port be used, and says what to do next.
    """
    if directory is not None and scope:
        raise click.UsageError("DIR and --user or --system: give one of them")
    target = _target(directory or Path(), scope)
    if target.config.exists():
        raise AggregatorError(f"{target.config} exists; nothing was changed")
    sources, refused = _sources(opml, empty=empty)
    site = url or f"http://{_reachable(listen)}"
    text = _text(target, {"title": title, "url": site, "contact": contact or "", "listen": listen}, sources)
    settings = _written(target, text)
    say(f"Wrote {target.config}: {len(settings.sources)} sources, store {target.store}.")
    for line in refused:
        note(printable(f"error: {line}"))
    for line in _probe(target, settings):
        note(f"warning: {line}")
    if target.scope == "user":
        _write_unit(target.config)
    say("\n".join(["", "Next:", *_steps(target, settings)]))
    return 1 if refused else 0


def _target(directory: Path, scope: str | None) -> Target:
    from aggregator import config

    if scope == "system":
        return Target(
            config=config.SYSTEM_CONFIG,
            store=SYSTEM_STATE / "aggregator.db",
            store_url=f"sqlite:{SYSTEM_STATE / 'aggregator.db'}",
            scope=scope,
        )
    if scope == "user":
        path, state = config.user_config(), config.user_state()
        if path is None or state is None:
            raise AggregatorError("--user: neither HOME nor XDG_CONFIG_HOME and XDG_STATE_HOME are set")
        store = state / "aggregator.db"
        return Target(config=path, store=store, store_url=f"sqlite:{store}", scope=scope)
    folder = directory.absolute()
    return Target(config=folder / "config.toml", store=folder / "aggregator.db", store_url="sqlite:aggregator.db")


def _sources(opml: BinaryIO | None, *, empty: bool) -> tuple[list[NewSource], list[str]]:
    """The sources to begin with, and a line for each of the OPML file that is refused."""
    from aggregator.cli.sources import sort_outlines
    from aggregator.config import NewSource
    from aggregator.publish import opml as opml_format

    if opml is None:
        begin = [] if empty else _BEGIN
        return [NewSource(url=url, section=section, name=name) for url, section, name in begin], []
    try:
        outlines, dropped = opml_format.parse(opml.read(opml_format.MAX_SIZE_BYTES + 1))
    except CollectError as error:
        raise AggregatorError(f"{opml.name}: {error}") from error
    if not outlines:
        raise AggregatorError(f"{opml.name}: no <outline> has an xmlUrl; nothing was written")
    sources, refused = sort_outlines(outlines, [], None, opml.name)
    return sources, [*refused, *dropped]


#: three feeds, so that a first run shows something
_BEGIN = (
    ("https://feeds.bbci.co.uk/news/world/rss.xml", "World", "BBC World"),
    ("https://www.theguardian.com/world/rss", "World", "The Guardian: World"),
    ("https://www.quantamagazine.org/feed/", "Science", "Quanta Magazine"),
)


def _reachable(listen: str) -> str:
    """Host and port of a site that listens at `listen`, as this machine reaches it."""
    return listen.replace("0.0.0.0", "127.0.0.1").replace("[::]", "[::1]")  # noqa: S104


def _text(target: Target, values: dict[str, str], sources: list[NewSource]) -> str:
    """The configuration, from the template of the package."""
    template = resources.files("aggregator.cli").joinpath("init.toml").read_text("utf-8")
    given = {**values, "store": target.store_url}
    for name, value in given.items():
        # a JSON string is a basic string of TOML, which only wants U+007F escaped as well
        quoted = json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        template = template.replace(f"@{name}@", quoted)
    if not values["contact"]:
        template = template.replace('\ncontact = ""', '\n# contact = "https://…"')
    return template + "".join(map(_table, sources))


def _table(source: NewSource) -> str:
    from aggregator.config import written_source

    return f"\n{written_source(source)}"


def _written(target: Target, text: str) -> Settings:
    """Checks the configuration and writes it. Raises ConfigError for a wrong value, AggregatorError for the rest."""
    from aggregator import config

    settings = config.parse(text, path=target.config)
    try:
        target.config.parent.mkdir(mode=0o755 if target.scope == "system" else 0o700, parents=True, exist_ok=True)
        descriptor = os.open(target.config, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise AggregatorError(f"{target.config} cannot be written: {error.strerror}") from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    if target.scope == "system":
        _share_with_service(target.config)
    return settings


def _share_with_service(path: Path) -> None:
    """Lets the service read the file: its group if there is one, else everybody."""
    try:
        os.chown(path, -1, grp.getgrnam(GROUP).gr_gid)
        path.chmod(0o640)
    except (KeyError, PermissionError):
        path.chmod(0o644)


def _probe(target: Target, settings: Settings) -> list[str]:
    """What would stop the daemon: a store that cannot be written, an address that cannot be listened on."""
    from aggregator import config

    found = []
    try:
        target.store.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=target.store.parent):
            pass
    except OSError as error:
        found.append(f"{target.store.parent} cannot be written: {error.strerror}")
    for listen in listen_addresses(settings):
        if not listen.startswith("unix:"):
            found += _probe_port(*config.listen_address(listen))
    return found


def _probe_port(host: str, port: int) -> list[str]:
    try:
        with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET):
            return []
    except OSError as error:
        return [f"{host}:{port} cannot be listened on ({error.strerror or error}): choose another [server] listen"]


def _write_unit(config: Path) -> None:
    """Writes the unit of ``systemctl --user``, if there is none yet."""
    folder = config.parent.parent / "systemd" / "user"
    unit = folder / "aggregator.service"
    text = resources.files("aggregator.cli").joinpath("user.service").read_text("utf-8")
    words = (sys.executable, "-m", "aggregator", "--config", str(config))
    command = " ".join(json.dumps(word, ensure_ascii=False) if " " in word else word for word in words)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with unit.open("x", encoding="utf-8") as file:
            file.write(text.replace("@command@", command.replace("%", "%%")))
    except FileExistsError:
        note(f"{unit} exists; it was not changed")
    except OSError as error:
        note(f"warning: {unit} cannot be written: {error.strerror}")
    else:
        say(f"Wrote {unit}.")


def _steps(target: Target, settings: Settings) -> list[str]:
    """What to do next, a line each."""
    command = program()
    if not target.scope and target.config.parent != Path.cwd():
        command += f" --config {shlex.quote(str(target.config))}"
    steps = [
        (f"{command} check", "see whether anything is wrong with it"),
        (f"{command} add URL", "follow a feed, or the feed of a web page"),
    ]
    if target.scope == "user":
        steps += [
            ("systemctl --user enable --now aggregator", "start it, now and at each login"),
            ("loginctl enable-linger", "let it run while you are logged out"),
        ]
    elif target.scope == "system":
        units = Path(sysconfig.get_path("data")) / "share" / "aggregator" / "systemd"
        if units.is_dir():
            files = f"{shlex.quote(str(units / 'aggregator.service'))} {shlex.quote(str(units / 'aggregator.socket'))}"
            steps.append((f"install -m 644 {files} /etc/systemd/system/", "install the units, once"))
        steps.append(("systemctl enable --now aggregator.socket aggregator.service", "start it, now and at each boot"))
    else:
        steps.append((f"{command} run", "start it"))
    lines = [f"  {step}\n      {why}" for step, why in steps]
    return [*lines, f"  Then open {settings.site.url}"]
