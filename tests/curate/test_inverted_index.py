from __future__ import annotations

from datetime import timedelta

from curating import NOON, text, word
from hypothesis import given
from hypothesis import strategies as st

from aggregator.curate.inverted_index import InvertedIndex
from aggregator.model import ItemText

#: few words, so that many items share some
SOME = st.lists(st.integers(0, 25), min_size=3, max_size=6, unique=True)


def item(number: int, words: list[int], *, days: int = 0) -> ItemText:
    return text(f"i{number}", " ".join(map(word, words)), published=NOON + timedelta(days=days))


def index_of(items: list[ItemText]) -> InvertedIndex:
    index = InvertedIndex()
    for document in [index.read(one) for one in items]:
        index.add(document)
    return index


def answers(index: InvertedIndex) -> dict[str, list[tuple[str, int, float]]]:
    """For each item, what is found by its words."""
    return {
        document.item_id: [
            (hit.document.item_id, hit.shared, hit.weight)
            for hit in index.ask(document, since=NOON - timedelta(days=60))
        ]
        for document in index
    }


@given(texts=st.lists(SOME, min_size=2, max_size=30), data=st.data())
def test_what_was_removed_is_as_if_it_had_never_been(texts: list[list[int]], data: st.DataObject) -> None:
    items = [item(number, words) for number, words in enumerate(texts)]
    gone = data.draw(st.sets(st.sampled_from([one.item_id for one in items]), max_size=len(items) - 1))
    index = InvertedIndex()
    documents = [index.read(one) for one in items]
    # counted as they will be in the end, so that both are found by the same words
    for document in documents:
        if document.item_id in gone:
            index.vocabulary.uncount(document.language, document.terms)
    for document in documents:
        index.add(document)
    for document in documents:
        if document.item_id in gone:
            index.vocabulary.count(document.language, document.terms, at=document.published)
            index.remove(document)
    assert answers(index) == answers(index_of([one for one in items if one.item_id not in gone]))


@given(texts=st.lists(st.tuples(SOME, st.integers(0, 40)), min_size=2, max_size=30), bound=st.integers(0, 41))
def test_what_is_too_old_is_found_no_more_in_whatever_order_it_came(
    texts: list[tuple[list[int], int]], bound: int
) -> None:
    index = index_of([item(number, words, days=days) for number, (words, days) in enumerate(texts)])
    before = NOON + timedelta(days=bound)
    old = {document.item_id for document in index if document.published < before}
    found = {
        item_id: [hit for hit in hits if hit[0] not in old]
        for item_id, hits in answers(index).items()
        if item_id not in old
    }
    assert {document.item_id for document in index.evict(before)} == old
    assert answers(index) == found
    assert len(index) == len(texts) - len(old)
    newest = sorted((document.published for document in index), reverse=True)
    assert all(index.since(number) == newest[number - 1] for number in range(1, len(newest) + 1))
