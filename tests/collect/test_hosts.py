"""Host names by IDNA 2008."""

from __future__ import annotations

import pytest

from aggregator.collect.hosts import ascii_host


@pytest.mark.parametrize(
    ("host", "mapped"),
    [
        ("Example.ORG", "example.org"),
        ("gruß.example", "gruß.example"),
        ("GRÜẞE.example", "grüße.example"),
        ("λόγος.example", "λόγος.example"),
        ("می\u200cخواهم.example", "می\u200cخواهم.example"),
        ("日本語。jp", "日本語.jp"),
        ("ｆｅｅｄｓ．example", "feeds.example"),
        ("☕.example", "☕.example"),
        ("under_score.example.", "under_score.example."),
        ("xn--gru-7ka.example", "xn--gru-7ka.example"),
    ],
)
def test_a_host_becomes_ascii_as_in_browsers(host: str, mapped: str) -> None:
    labels = (
        label if label.isascii() else "xn--" + label.encode("punycode").decode("ascii") for label in mapped.split(".")
    )
    assert ascii_host(host) == ".".join(labels)


def test_the_sharp_s_and_the_final_sigma_are_letters_of_their_own() -> None:
    assert ascii_host("gruß.example") != ascii_host("gruss.example")
    assert ascii_host("λόγος.example") != ascii_host("λόγοσ.example")


@pytest.mark.parametrize(
    "host", ["a\u202eb.example", "\u200d.example", "x" * 64 + ".example", "ü" * 70, "a." * 130 + "b"]
)
def test_what_cannot_be_a_name_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match="not a host name"):
        ascii_host(host)
