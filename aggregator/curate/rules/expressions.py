"""The match language: text → tokens → one function over a `Subject`."""

from __future__ import annotations

import difflib
import importlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from aggregator.errors import RuleError
from aggregator.model import Item, ParsedEntry, Source

__all__ = [
    "FIELDS",
    "MAX_TEXT",
    "Match",
    "Subject",
    "compile_match",
    "compile_pattern",
    "subject_of_entry",
    "subject_of_item",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """An entry or item as the match language sees it; what is unknown is empty."""

    title: str = ""
    #: plain text of the summary or content, without the title
    text: str = ""
    author: str = ""
    category: tuple[str, ...] = ()
    url: str = ""
    #: the source's name
    source: str = ""
    #: the address of the source's feed
    feed: str = ""
    section: str = ""
    #: BCP 47
    language: str = ""


def subject_of_entry(source: Source, entry: ParsedEntry) -> Subject:
    """An entry as it arrives from `source`, with the section of its source."""
    return Subject(
        title=entry.title,
        text=entry.text,
        author=entry.author or "",
        category=entry.categories,
        url=entry.link or "",
        source=source.name,
        feed=source.subscription.url,
        section=source.subscription.section,
        language=entry.language or "",
    )


def subject_of_item(item: Item) -> Subject:
    """An item as readers see it."""
    return Subject(
        title=item.title,
        text=item.text,
        author=item.author or "",
        category=item.categories,
        url=item.url or "",
        source=item.source.name,
        feed=item.source.url,
        section=item.section,
        language=item.language or "",
    )


MAX_EXPRESSION = 10_000
MAX_DEPTH = 40

#: how each field is read from a subject: the values that are tried, one of which has to match
FIELDS: dict[str, Callable[[Subject], tuple[str, ...]]] = {
    "title": lambda subject: (subject.title,),
    "text": lambda subject: (f"{subject.title}\n{subject.text}",),
    "author": lambda subject: (subject.author,),
    "category": lambda subject: subject.category,
    "url": lambda subject: (subject.url,),
    "source": lambda subject: (subject.source,),
    "feed": lambda subject: (subject.feed,),
    "section": lambda subject: (subject.section,),
    "language": lambda subject: (subject.language,),
}

_OPERATORS = ("~", "!~", "=", "!=", "contains")
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<op>!~|!=|~|==?)
      | (?P<paren>[()])
      | (?P<word>[A-Za-z_]+)
    )""",
    re.VERBOSE | re.DOTALL,
)

_Test = Callable[[Subject], bool]


@dataclass(frozen=True, slots=True)
class Match:
    """A compiled expression: call it with a `Subject`."""

    text: str
    _test: _Test = field(repr=False, compare=False)

    def __call__(self, subject: Subject) -> bool:
        """Whether the expression is true of `subject`."""
        return self._test(subject)


def compile_match(text: str) -> Match:
    """The expression `text`, ready to be asked; RuleError with the position at which it stops making sense."""
    if len(text) > MAX_EXPRESSION:
        raise RuleError(f"longer than {MAX_EXPRESSION} characters", position=MAX_EXPRESSION)
    reader = _Reader(text, _tokens(text))
    test = reader.alternatives(0)
    reader.end()
    return Match(text, test)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    position: int


def _tokens(text: str) -> list[_Token]:
    tokens, position, end = [], 0, len(text.rstrip())
    while position < end:
        found = _TOKEN.match(text, position)
        if found is None or found.lastgroup is None:
            raise _unreadable(text, position)
        tokens.append(_Token(found.lastgroup, found[found.lastgroup], found.start(found.lastgroup)))
        position = found.end()
    return tokens


def _unreadable(text: str, position: int) -> RuleError:
    start = position + len(text[position:]) - len(text[position:].lstrip())
    if text[start] in "\"'":
        return RuleError(f"the string that begins with {text[start : start + 12]} is never closed", position=start)
    return RuleError(f"unexpected {text[start]!r}", position=start)


class _Reader:
    """Recursive descent: alternatives of conjunctions of terms."""

    def __init__(self, text: str, tokens: list[_Token]) -> None:
        self._text = text
        self._tokens = tokens
        self._next = 0

    def alternatives(self, depth: int) -> _Test:
        tests = [self._conjunction(depth)]
        while self._take("word", "or"):
            tests.append(self._conjunction(depth))
        return tests[0] if len(tests) == 1 else lambda subject: any(test(subject) for test in tests)

    def _conjunction(self, depth: int) -> _Test:
        tests = [self._term(depth)]
        while self._take("word", "and"):
            tests.append(self._term(depth))
        return tests[0] if len(tests) == 1 else lambda subject: all(test(subject) for test in tests)

    def _term(self, depth: int) -> _Test:
        if depth > MAX_DEPTH:
            raise RuleError(f"nested deeper than {MAX_DEPTH} levels", position=self._position())
        if self._take("word", "not"):
            test = self._term(depth + 1)
            return lambda subject: not test(subject)
        if self._take("paren", "("):
            test = self.alternatives(depth + 1)
            if not self._take("paren", ")"):
                raise RuleError("a ')' is missing", position=self._position())
            return test
        return self._comparison()

    def _comparison(self) -> _Test:
        name = self._field()
        operator = self._operator(name)
        token = self._pop("string", f"a quoted string after {name} {operator}")
        value = token.text[1:-1].replace(f"\\{token.text[0]}", token.text[0])
        try:
            return _comparison(name, operator, value)
        except RuleError as error:
            raise RuleError(str(error), position=token.position + 1 + (error.position or 0)) from error

    def _field(self) -> str:
        token = self._pop("word", f"a field ({', '.join(FIELDS)})")
        name = token.text.lower()
        if name not in FIELDS:
            near = difflib.get_close_matches(name, FIELDS, 1)
            hint = f"did you mean '{near[0]}'?" if near else f"fields are {', '.join(FIELDS)}"
            raise RuleError(f"unknown field '{token.text}': {hint}", position=token.position)
        return name

    def _operator(self, name: str) -> str:
        token = self._peek()
        text = token.text.lower().replace("==", "=") if token else ""
        if token is None or text not in _OPERATORS:
            raise RuleError(f"an operator ({', '.join(_OPERATORS)}) is missing after {name}", position=self._position())
        self._next += 1
        return text

    def end(self) -> None:
        """Raises RuleError unless everything has been read."""
        token = self._peek()
        if token is not None:
            raise RuleError(f"unexpected {token.text}: is an 'and' or 'or' missing?", position=token.position)

    def _peek(self) -> _Token | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def _take(self, kind: str, text: str) -> bool:
        token = self._peek()
        if token is None or token.kind != kind or token.text.lower() != text:
            return False
        self._next += 1
        return True

    def _pop(self, kind: str, wanted: str) -> _Token:
        token = self._peek()
        if token is None or token.kind != kind:
            raise RuleError(f"expected {wanted}", position=self._position())
        self._next += 1
        return token

    def _position(self) -> int:
        token = self._peek()
        return token.position if token else len(self._text)


def _comparison(name: str, operator: str, value: str) -> _Test:
    """One comparison; a negated one is true when no value of the field matches."""
    values = FIELDS[name]
    matches = _matcher(name, operator.lstrip("!"), value)
    if operator.startswith("!"):
        return lambda subject: not any(map(matches, values(subject)))
    return lambda subject: any(map(matches, values(subject)))


def _matcher(name: str, operator: str, value: str) -> Callable[[str], bool]:
    if operator == "~":
        search = compile_pattern(value).search
        return lambda text: search(text[:MAX_TEXT]) is not None
    folded = value.casefold()
    if operator == "contains":
        return lambda text: folded in text.casefold()
    if name == "language":
        return lambda text: text.casefold() == folded or text.casefold().startswith(f"{folded}-")
    return lambda text: text.casefold().strip() == folded.strip()


#: characters of a text that a pattern is tried on
MAX_TEXT = 2_400
MAX_PATTERN = 1_000
#: open repeats of anything at all (``.*``, ``[^x]+``) in one row
MAX_WIDE = 2
#: open repeats of any kind in one row
MAX_OPEN = 8
#: a group of variable length may be repeated so often, no more
_FEW = 4

# CPython keeps its own parser of patterns in a private module since 3.11; it is the only reading of a pattern that is
# sure to be the one that `re` itself uses.
_sre: Any = importlib.import_module("re._parser")
_REPEATS = frozenset({"MAX_REPEAT", "MIN_REPEAT"})
_WIDE = frozenset({"ANY", "NOT_LITERAL", "ANY_ALL"})

#: how many wide and how many open repeats stand in a row
_Cost = tuple[int, int]


def compile_pattern(text: str) -> re.Pattern[str]:
    """`text` as a compiled pattern; RuleError, with the position within `text`, if it is wrong or too costly."""
    if len(text) > MAX_PATTERN:
        raise RuleError(f"the pattern is {len(text)} characters long, {MAX_PATTERN} are allowed", position=MAX_PATTERN)
    try:
        pattern = re.compile(text)
        tokens = list(_sre.parse(text))
        wide, open_repeats = _cost(tokens)
    except re.error as error:
        raise RuleError(f"not a regular expression: {error.msg}", position=error.pos) from error
    except (OverflowError, RecursionError) as error:
        raise RuleError("the pattern is nested or repeated beyond what can be compiled", position=0) from error
    wide += _leads_wide(tokens)
    if wide > MAX_WIDE or open_repeats > MAX_OPEN:
        raise RuleError(
            f"the pattern has too many open repeats in a row ({wide} like '.*', {MAX_WIDE} are allowed;"
            f" {open_repeats} of any kind, {MAX_OPEN} are allowed): leave out a leading '.*', which finds nothing more,"
            " and join several conditions with 'and'",
            position=0,
        )
    return pattern


def _cost(tokens: Iterable[tuple[Any, Any]]) -> _Cost:
    """The cost of a sequence: the sum of its parts; RuleError for a repeat that can explode."""
    costs = [_token_cost(str(op), value) for op, value in tokens]
    return sum(wide for wide, _ in costs), sum(count for _, count in costs)


def _leads_wide(tokens: list[tuple[Any, Any]]) -> bool:
    """Whether it begins with a wide open repeat and no anchor: then the search begins it anew at every character."""
    if not tokens:
        return False
    op, value = str(tokens[0][0]), tokens[0][1]
    if op in _REPEATS:
        return int(value[1]) > _FEW and any(_is_wide(str(inner), inner_value) for inner, inner_value in value[2])
    return any(_leads_wide(list(child)) for child in _children(op, value))


def _token_cost(op: str, value: Any) -> _Cost:
    if op in _REPEATS:
        return _repeat_cost(*value)
    if op == "POSSESSIVE_REPEAT":
        return _repeat_cost(value[0], value[1], value[2], backtracks=False)
    children = _children(op, value)
    costs = [_cost(child) for child in children]
    return max((wide for wide, _ in costs), default=0), max((count for _, count in costs), default=0)


def _repeat_cost(least: int, most: Any, body: Any, *, backtracks: bool = True) -> _Cost:
    most = int(most)
    if backtracks and most > _FEW and _is_variable(body):
        raise RuleError(
            "a repeated group contains repeats or alternatives of its own, which can take forever on unlucky text;"
            " make the inner one possessive ('++', '*+') or write the group without its own repeat",
            position=0,
        )
    wide, count = _cost(body)
    if most <= _FEW:
        return wide * most, count * most
    is_open = least != most and backtracks
    is_wide = is_open and any(_is_wide(str(op), value) for op, value in body)
    return wide + is_wide, count + is_open


def _is_wide(op: str, value: Any) -> bool:
    return op in _WIDE or (op == "IN" and any(str(part[0]) == "NEGATE" for part in value))


def _is_variable(tokens: Iterable[tuple[Any, Any]]) -> bool:
    """Whether a text can be matched by these tokens in several ways."""
    for op, value in tokens:
        name = str(op)
        if name in _REPEATS:
            if value[0] != value[1] or _is_variable(value[2]):
                return True
        elif name == "BRANCH" or (name != "ATOMIC_GROUP" and any(map(_is_variable, _children(name, value)))):
            return True
    return False


def _children(op: str, value: Any) -> list[Any]:
    """The sequences within a token that are tried in its place."""
    match op:
        case "SUBPATTERN":
            return [value[3]]
        case "BRANCH":
            return list(value[1])
        case "ATOMIC_GROUP":
            return [value]
        case "ASSERT" | "ASSERT_NOT":
            return [value[1]]
        case "GROUPREF_EXISTS":
            return [branch for branch in value[1:] if branch]
        case _:
            return []
