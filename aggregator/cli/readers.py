"""``aggregator readers``: private feeds."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import click

from aggregator.cli.context import Context, pass_context
from aggregator.cli.output import json_option, limit_option, local, moment, print_json, print_table
from aggregator.errors import NotFound

if TYPE_CHECKING:
    from aggregator.model import Reader


@click.group()
def readers() -> None:
    """Manage private feeds that learn from their reader.

    Such a feed has a secret address. What is opened through it decides what it recommends.
    """


@readers.command()
@click.argument("name")
@pass_context
def add(context: Context, name: str) -> None:
    """Give NAME a private feed and print its address."""
    # 128 bits: the address is the only key
    token = secrets.token_hex(16)
    with context.store(create=True) as store:
        reader = store.add_reader(name, token, now=context.now())
    click.echo(_address(context, reader))


@readers.command()
@click.argument("name")
@pass_context
def remove(context: Context, name: str) -> None:
    """Forget NAME and all that was learnt; the address answers no more."""
    with context.store() as store:
        if not store.remove_reader(name):
            raise NotFound(f"there is no reader {name!r}; `aggregator readers list` shows them")


@readers.command("list")
@json_option
@limit_option(0)
@pass_context
def list_readers(context: Context, as_json: bool, limit: int) -> None:
    """Show all readers with their addresses."""
    with context.store() as store:
        found = store.readers()[: limit or None]
    if as_json:
        print_json(_row(context, reader) for reader in found)
        return
    zone = context.settings.site.timezone
    rows = [[one.name, one.opened, local(one.created, zone), _address(context, one)] for one in found]
    print_table(["reader", "opened", "since", "address"], rows)


def _row(context: Context, reader: Reader) -> dict[str, object]:
    return {
        "name": reader.name,
        "address": _address(context, reader),
        "created": moment(reader.created),
        "opened": reader.opened,
    }


def _address(context: Context, reader: Reader) -> str:
    settings = context.settings
    suffix = settings.publish.formats[0]
    return f"{settings.site.url.rstrip('/')}/r/{reader.token}/recommended.{suffix}"
