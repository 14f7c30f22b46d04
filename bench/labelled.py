"""Labelled news as items: each text with the name of the event (or subject) it is about. See data/SOURCES.md."""

from __future__ import annotations

import csv
import json
import random
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from aggregator.model import ItemText

#: parts of the pairs of tests/curate: dev: the rules were chosen by them; held, third, fourth: looked at later on
OWN_PAIRS = ("dev", "held", "third", "fourth")
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
#: a pair of texts of which one holds half of the other's word pairs is a near-duplicate
SAME_TEXT = 0.5
_ARTICLE = re.compile(r"\s*TITLE=>\s*(.*?)\.?\s*ARTICLE=>\s*(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """Items in the order in which they arrive, and what each is about."""

    name: str
    items: list[ItemText]
    label: dict[str, str]


def _item(number: int, title: str, text: str, *, at: datetime = MOMENT, language: str = "en") -> ItemText:
    return ItemText(
        item_id=f"i{number:06d}",
        source_id=number,
        source_name="",
        title=title,
        text=text[:2000],
        language=language,
        published=at,
        canonical_url=None,
    )


def in_language(item: ItemText, language: str) -> ItemText:
    """The same item, said to be in this language."""
    return replace(item, language=language)


def _labelled(name: str, rows: list[tuple[str, str, str, datetime]]) -> Labelled:
    items = [_item(n, title, text, at=at) for n, (title, text, _, at) in enumerate(rows)]
    return Labelled(name=name, items=items, label={item.item_id: row[2] for item, row in zip(items, rows, strict=True)})


def ecb_plus(data: Path, part: str = "*") -> Labelled:
    """974 documents about 86 events, in pairs that look alike; shuffled, all at one moment (they bear no dates)."""
    sentences: dict[str, dict[int, list[str]]] = {}
    for path in sorted((data / "labelled/ecbplus").glob(f"ECB_{part}_corpus.txt")):
        for line in path.read_text(encoding="utf-8").splitlines():
            fields = line.split("\t")
            if len(fields) > 3:
                sentences.setdefault(fields[0], {}).setdefault(int(fields[1]), []).append(fields[3])
    rows = []
    for name, document in sentences.items():
        first, *others = (" ".join(words) for _, words in sorted(document.items()))
        topic, _, kind = name.partition("_")
        rows.append((first, " ".join(others), topic + ("+" if "plus" in kind else ""), MOMENT))
    random.Random(1).shuffle(rows)
    return _labelled("ECB+", rows)


def neus(data: Path, *, stories: int = 307, folds: int = 8) -> Iterator[Labelled]:
    """The training part of NeuS in folds as large as its validation part: three outlets a story, at one moment."""
    lines = (data / "labelled/allsides/train.source").read_text(encoding="utf-8").splitlines()
    numbers = list(range(len(lines)))
    random.Random(1).shuffle(numbers)
    for fold in range(folds):
        rows = [
            (found[1], found[2], str(number), MOMENT)
            for number in numbers[fold * stories : (fold + 1) * stories]
            for part in lines[number].split("[SEP]")
            if (found := _ARTICLE.match(part))
        ]
        random.Random(fold).shuffle(rows)
        yield _labelled("NeuS", rows)


def neus_validation(data: Path) -> Labelled:
    """The validation part of NeuS, at one moment."""
    lines = (data / "labelled/allsides/val.source").read_text(encoding="utf-8").splitlines()
    rows = [
        (found[1], found[2], str(number), MOMENT)
        for number, line in enumerate(lines)
        for part in line.split("[SEP]")
        if (found := _ARTICLE.match(part))
    ]
    random.Random(1).shuffle(rows)
    return _labelled("NeuS, validation", rows)


def headlines(data: Path) -> Labelled:
    """506 dated stories of 2021, an article each from the left, the centre and the right, in order of time."""
    path = next((data / "labelled/allsides").glob("headline_11*.jsonl"))
    rows = [
        (article["newsTitle"], " ".join(article.get("newBody") or ()), str(story["id"]), _when(story))
        for story in map(json.loads, path.read_text(encoding="utf-8").splitlines())
        for article in story["news"].values()
        if article and article.get("newsTitle")
    ]
    return _labelled("H11", sorted(rows, key=lambda row: row[3]))


def _when(story: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(story["date"]).astimezone(UTC)


def bbc(data: Path) -> tuple[list[ItemText], set[frozenset[str]]]:
    """2,225 articles, and the pairs of them whose full texts are near-duplicates."""
    texts = list(_bbc_texts(data))
    items = [_item(n, title, body) for n, (title, body) in enumerate(texts)]
    return items, _near_duplicates([body for _, body in texts])


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two texts of two sources, and whether they are one item."""

    kind: str
    items: tuple[ItemText, ItemText]
    is_same: bool


def pairs(data: Path) -> Iterator[tuple[str, list[Pair]]]:
    """Look-alikes and copies by set: those of the data, and those of the tests."""
    for name, rows in _pair_rows(data):
        yield name, [_pair(row) for row in rows if row["same_item"] is not None]


def story_pairs(data: Path) -> Iterator[Pair]:
    """Pairs of which is known whether they tell of one event: of the data, and of the tests."""
    for _, rows in _pair_rows(data):
        for row in rows:
            if row.get("same_story") is not None:
                yield replace(_pair({**row, "hours_apart": row.get("hours_apart") or 1}), is_same=row["same_story"])


def _pair_rows(data: Path) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    own = Path(__file__).parents[1] / "tests/curate"
    paths = {"data": data / "labelled/look-alikes/pairs.jsonl"}
    for name, path in {**paths, **{part: own / f"pairs_{part}.jsonl" for part in OWN_PAIRS}}.items():
        if path.exists():
            yield name, [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _pair(row: dict[str, Any]) -> Pair:
    sides = [row[side] for side in "ab"]
    times = (MOMENT, MOMENT + timedelta(hours=row.get("hours_apart", 1)))
    one, other = (
        _item(n, side["title"], side["text"], at=at, language=side.get("language", row.get("language")))
        for n, (side, at) in enumerate(zip(sides, times, strict=True))
    )
    return Pair(kind=row["kind"], items=(one, other), is_same=row["same_item"])


def bbc_subjects(data: Path, *, count: int = 600) -> Labelled:
    """So many articles of BBC with leads as feeds have them, and the section of each."""
    with zipfile.ZipFile(data / "labelled/bbc/bbc-fulltext.zip") as archive:
        names = sorted(name for name in archive.namelist() if re.fullmatch(r"bbc/\w+/\d+\.txt", name))
        chosen = random.Random(1).sample(names, count)
        texts = [archive.read(name).decode("latin-1").partition("\n") for name in chosen]
    rows = [
        (title.strip(), " ".join(body.split())[:450], name.split("/")[1], MOMENT)
        for name, (title, _, body) in zip(chosen, texts, strict=True)
    ]
    return _labelled("BBC", rows)


def _bbc_texts(data: Path) -> Iterator[tuple[str, str]]:
    with zipfile.ZipFile(data / "labelled/bbc/bbc-fulltext.zip") as archive:
        for name in sorted(archive.namelist()):
            if re.fullmatch(r"bbc/\w+/\d+\.txt", name):
                title, _, body = archive.read(name).decode("latin-1").partition("\n")
                yield title.strip(), " ".join(body.split())


def _near_duplicates(bodies: list[str]) -> set[frozenset[str]]:
    pairs = [_word_pairs(body) for body in bodies]
    holders: dict[tuple[str, str], list[int]] = {}
    found = set()
    for number, mine in enumerate(pairs):
        shared = Counter(other for pair in mine for other in holders.get(pair, ())[:50])
        for other, count in shared.items():
            least = min(len(mine), len(pairs[other]))
            if count > 0.3 * least and len(mine & pairs[other]) >= SAME_TEXT * least:
                found.add(frozenset({f"i{number:06d}", f"i{other:06d}"}))
        for pair in mine:
            holders.setdefault(pair, []).append(number)
    return found


def _word_pairs(text: str) -> set[tuple[str, str]]:
    words = re.findall(r"\w+", text.lower())
    return set(pairwise(words))


def subjects(data: Path) -> Iterator[Labelled]:
    """1,004 sentences on seven subjects, in each of 15 languages."""
    for path in sorted((data / "labelled/sib200").glob("*.tsv")):
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
        language = path.stem.partition("_")[0]
        items = [_item(n, row["text"], "", language=language) for n, row in enumerate(rows)]
        label = {item.item_id: row["category"] for item, row in zip(items, rows, strict=True)}
        yield Labelled(name=path.stem, items=items, label=label)
