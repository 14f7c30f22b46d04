r"""Keep, drop, boost, pin: the rules of ``[[rules]]`` and the match language they share with ``[[feeds]]``.

The language, smallest first::

    title ~ "(?i)sponsored|advertorial"             a regular expression is found in the title
    author = "Reuters"                              equal (case does not matter)
    url contains "/opinion/"                        contained (case does not matter)
    !~  !=                                          the opposites
    section = "World" and not (language = "en" or category = "sport")

Fields: ``title``, ``text`` (title and lead), ``author``, ``category`` (any of them), ``url``, ``source`` (its name),
``feed`` (its address), ``section``, ``language`` (``"en"`` matches ``en-gb`` too). ``and`` binds tighter than ``or``.
In a string only ``\"`` is an escape; other backslashes stay, so regular expressions read as they are written.

Everything here is pure: values in, values out.
"""

from __future__ import annotations

from aggregator.curate.rules.evaluation import (
    Action,
    Rule,
    RuleTrial,
    Trial,
    judge,
    parse_action,
    try_rules,
    verdicts_of_items,
)
from aggregator.curate.rules.expressions import (
    FIELDS,
    Match,
    Subject,
    compile_match,
    compile_pattern,
    subject_of_entry,
    subject_of_item,
)

__all__ = [
    "FIELDS",
    "Action",
    "Match",
    "Rule",
    "RuleTrial",
    "Subject",
    "Trial",
    "compile_match",
    "compile_pattern",
    "judge",
    "parse_action",
    "subject_of_entry",
    "subject_of_item",
    "try_rules",
    "verdicts_of_items",
]
