"""Addresses with secrets: from a file, a systemd credential or the environment instead of config.toml.

``url_file = "NAME"`` reads the address from a file; a relative NAME is looked for among the credentials of the
service (systemd.exec(5), LoadCredential), then beside config.toml. ``${NAME}`` in ``url`` is an environment variable.
Such an address is marked as private (`model.redact`), and no message holds any part of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from aggregator.config.toml_lines import Path as KeyPath
from aggregator.config.types import MAX_URL, http_url
from aggregator.model.redact import private_url

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
#: where systemd keeps the credentials of the shipped unit: readable by root, who runs the commands
_UNIT_CREDENTIALS = Path("/run/credentials/aggregator.service")
#: stands in the place of an address that could not be read, so that the rest of the table is checked
_UNREADABLE = private_url("http://unreadable.invalid/")


def resolve(raw: Mapping[str, Any], *, base: Path, environ: Mapping[str, str]) -> Iterator[tuple[KeyPath, str]]:
    """Replaces the addresses in the ``[[sources]]`` of `raw`, in place; yields each problem with its key."""
    rows = raw.get("sources")
    for index, row in enumerate(rows if isinstance(rows, list) else []):
        key = "url_file" if isinstance(row, dict) and "url_file" in row else "url"
        if not isinstance(row, dict) or not isinstance(row.get(key), str):
            continue
        try:
            if key == "url_file":
                _refuse_both(row)
                row["url"] = _private(_content(row[key], base, environ), f"the content of {row[key]}")
            elif "${" in row["url"]:
                row["url"] = _private(_expanded(row["url"], environ), "url, with its variables replaced,")
        except ValueError as error:
            row["url"] = _UNREADABLE
            yield ("sources", index, key), f"sources[{index}].{key}: {error}"


def unreadable(raw: Mapping[str, Any], *, base: Path, environ: Mapping[str, str]) -> Iterator[tuple[KeyPath, str]]:
    """The problem of a ``[mail] password_file`` that cannot be read."""
    mail = raw.get("mail")
    name = mail.get("password_file") if isinstance(mail, dict) else None
    if isinstance(name, str) and name:
        try:
            read_secret(name, base, environ)
        except ValueError as error:
            yield ("mail", "password_file"), f"mail.password_file: {error}"


def read_secret(name: str, base: Path, environ: Mapping[str, str]) -> str:
    """The first line of a file: a credential of systemd's, else below `base`. Raises ValueError with the reason."""
    text = _content(name, base, environ)
    if not text:
        raise ValueError(f"{name} is empty")
    return text


def _refuse_both(row: Mapping[str, Any]) -> None:
    if "url" in row:
        raise ValueError("url and url_file: give one of the two")


def _private(url: str, what: str) -> str:
    try:
        return private_url(http_url(url))
    except ValueError:
        raise ValueError(f"{what} is not an http or https address") from None


def _expanded(url: str, environ: Mapping[str, str]) -> str:
    missing = [name for name in _VARIABLE.findall(url) if not environ.get(name)]
    if missing:
        raise ValueError(f"the environment variable {missing[0] or '${}'} is not set")
    return _VARIABLE.sub(lambda found: environ[found[1]], url)


def _content(name: str, base: Path, environ: Mapping[str, str]) -> str:
    """The first line of the file. Raises ValueError with the reason."""
    folders = [Path(environ["CREDENTIALS_DIRECTORY"])] if environ.get("CREDENTIALS_DIRECTORY") else []
    refused: OSError | None = None
    for folder in [base] if Path(name).is_absolute() else [*folders, _UNIT_CREDENTIALS, base]:
        try:
            with (folder / name).open("rb") as file:
                return file.read(4 * MAX_URL).decode("utf-8").strip().partition("\n")[0].strip()
        except UnicodeDecodeError:
            raise ValueError(f"{folder / name} is not UTF-8") from None
        except OSError as error:
            if refused is None or not isinstance(error, FileNotFoundError):
                refused = error
    raise ValueError(f"{name} cannot be read: {(refused and refused.strerror) or 'no such file'}")
