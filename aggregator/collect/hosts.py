"""Host names in ASCII, for requests and for links alike. The only part that knows the IDNA library."""

from __future__ import annotations

from functools import lru_cache

import idna

__all__ = ["ascii_host"]

_MAX_HOST_CHARS, _MAX_LABEL_CHARS = 253, 63


@lru_cache(maxsize=1024)
def ascii_host(host: str) -> str:
    """`host` in lower case and ASCII, by IDNA 2008 with the mapping of UTS 46 (non-transitional), as browsers have it.

    ß, final sigma and the joiners keep their meaning (``straße.example`` is not ``strasse.example``). What UTS 46 lets
    through and IDNA 2008 does not, emoji above all, becomes punycode as well. ASCII labels are not judged.

    Raises ValueError for what cannot be a host name.
    """
    if host.isascii():
        mapped = host.lower()
    else:
        try:
            mapped = idna.uts46_remap(host, std3_rules=False, transitional=False)
        except idna.IDNAError as error:
            raise ValueError(f"not a host name: {error}") from error
    labels = [label if label.isascii() else _ascii_label(label) for label in mapped.split(".")]
    name = ".".join(labels)
    if len(name.rstrip(".")) > _MAX_HOST_CHARS or any(len(label) > _MAX_LABEL_CHARS for label in labels):
        raise ValueError("not a host name: it is too long")
    return name


def _ascii_label(label: str) -> str:
    try:
        return idna.alabel(label).decode("ascii")
    except idna.InvalidCodepoint:
        return "xn--" + label.encode("punycode").decode("ascii")
    except idna.IDNAError as error:
        raise ValueError(f"not a host name: {error}") from error
