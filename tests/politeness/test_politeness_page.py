from __future__ import annotations

from page import PAGE, load, page
from rows import FRB, HTTP

#: the whole list, as it is published
NUMBERS = {
    *("001", "002", "003", "004", "010", "011", "012", "013", "014", "015", "016"),
    *("020", "021", "022", "023", "024", "030", "031", "032", "033", "034", "035", "036", "037"),
    *("050", "051", "060", "061", "062", "063", "064", "065", "066", "070", "071"),
    *(f"{number:03}" for number in range(80, 91)),
    *(f"{number:03}" for number in range(100, 107)),
    *(f"{number:03}" for number in range(110, 121)),
    *(f"{number:03}" for number in range(130, 138)),
    *("140", "141"),
}


def test_the_page_is_what_the_tests_say() -> None:
    assert PAGE.read_text("utf-8") == page(), "python tests/politeness/page.py"


def test_every_row_of_the_list_has_its_test_once() -> None:
    load()
    assert sorted(row.name for row in FRB) == sorted(NUMBERS)
    assert len({row.name for row in HTTP}) == len(HTTP) >= 27
