from __future__ import annotations

import asyncio
import gzip
from collections.abc import Collection
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
from publishing import make_item
from test_web import Client, play

from aggregator.publish.compress import codings, pack
from aggregator.publish.web import response_cache
from aggregator.publish.web.http_response import preferred

BODY = b"<p>Once more, and once more.</p>" * 100


def test_gzip_is_always_there_and_says_nothing_of_the_time() -> None:
    packed = pack(BODY)
    assert gzip.decompress(packed["gzip"]) == BODY
    assert packed == pack(BODY)
    assert list(packed)[-1] == "gzip"


@pytest.mark.parametrize(("coding", "modules"), [("br", ("brotli",)), ("zstd", ("compression.zstd", "backports.zstd"))])
def test_what_is_installed_is_used(coding: str, modules: tuple[str, ...]) -> None:
    installed = [module for module in map(_imported, modules) if module is not None]
    assert (coding in {one.name for one in codings()}) == bool(installed)
    if not installed:
        pytest.skip(f"needs one of the modules {', '.join(modules)}: the extra compression")
    assert installed[0].decompress(pack(BODY)[coding]) == BODY
    assert pack(BODY)[coding] == pack(BODY)[coding], "the same bytes each time"


def _imported(name: str) -> ModuleType | None:
    try:
        return import_module(name)
    except ImportError:
        return None


def test_small_and_dense_bodies_stay_as_they_are() -> None:
    assert pack(b"x" * 100) == {}
    assert pack(gzip.compress(bytes(range(256)) * 99)) == {}


def test_the_clients_order_decides_and_ours_among_equals() -> None:
    ours = tuple(coding.name for coding in codings())
    assert preferred("*") == preferred("gzip, br, zstd") == ours
    assert preferred("gzip, br;q=0, zstd;q=0") == preferred("x-gzip") == ("gzip",)
    assert preferred("gzip;q=1, *;q=0.5")[0] == "gzip"
    assert preferred("") == preferred("identity") == preferred("gzip;q=0") == preferred("gzip;q=x") == ()


def test_an_answer_is_put_into_those_codings_that_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed: list[tuple[str, ...]] = []

    def counting(body: bytes, names: Collection[str] | None = None) -> dict[str, bytes]:
        assert names is not None
        packed.append(tuple(sorted(names)))
        return pack(body, names)

    monkeypatch.setattr(response_cache, "pack", counting)
    best = codings()[0].name

    async def story(client: Client) -> None:
        plain, body = await client.get("/feeds/latest.atom", Accept_Encoding="identity")
        assert "Content-Encoding" not in plain.headers
        asked = [client.get("/feeds/latest.atom", Accept_Encoding="gzip") for _ in range(9)]
        for answer, data in await asyncio.gather(*asked):
            assert (answer.headers["Content-Encoding"], gzip.decompress(data)) == ("gzip", body)
        answer, _ = await client.get("/feeds/latest.atom", Accept_Encoding=best)
        assert answer.headers["Content-Encoding"] == best
        assert packed == [(), ("gzip",), *([(best,)] if best != "gzip" else [])]
        packed.clear()
        client.store.shown["item10"] = make_item(10)
        client.store.number += 1
        for accepted in ("gzip", best, "gzip"):
            answer, _ = await client.get("/feeds/latest.atom", Accept_Encoding=accepted)
            assert answer.headers["Content-Encoding"] == accepted
        assert packed == [tuple(sorted({"gzip", best}))], "what was asked for before is there with the new answer"

    play(tmp_path, story)
