"""The match language: text → tokens → one function over a `Subject`."""

from __future__ import annotations

import difflib
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field

import regex

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
    #: further sections
    more_sections: tuple[str, ...] = ()
    #: BCP 47
    language: str = ""


def subject_of_entry(source: Source, entry: ParsedEntry) -> Subject:
    """An entry as it arrives from `source`, with the sections of its source."""
    return Subject(
        title=entry.title,
        text=entry.text,
        author=entry.author or "",
        category=entry.categories,
        url=entry.link or "",
        source=source.name,
        feed=source.subscription.url,
        section=source.subscription.section,
        more_sections=source.subscription.more_sections,
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
        more_sections=item.more_sections,
        language=item.language or "",
    )


MAX_EXPRESSION = 10_000
#: characters of a text that a pattern is tried on, and of a pattern
MAX_TEXT, MAX_PATTERN = 2_400, 1_000
#: CPU seconds that a pattern may take on one text, a thousand times the usual; and how often it may reach that
TIMEOUT_S, MAX_TIMEOUTS = 0.1, 3
MAX_DEPTH = 40

_log = logging.getLogger(__name__)

#: how each field is read from a subject: the values that are tried, one of which has to match
FIELDS: dict[str, Callable[[Subject], tuple[str, ...]]] = {
    "title": lambda subject: (subject.title,),
    "text": lambda subject: (f"{subject.title}\n{subject.text}",),
    "author": lambda subject: (subject.author,),
    "category": lambda subject: subject.category,
    "url": lambda subject: (subject.url,),
    "source": lambda subject: (subject.source,),
    "feed": lambda subject: (subject.feed,),
    "section": lambda subject: (subject.section, *subject.more_sections),
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
    #: what fields are said to equal: (field, value, position)
    equals: tuple[tuple[str, str, int], ...] = field(default=(), repr=False, compare=False)
    patterns: tuple[Pattern, ...] = field(default=(), repr=False, compare=False)

    def __call__(self, subject: Subject) -> bool:
        """Whether the expression is true of `subject`; not where one of its patterns takes too long."""
        try:
            return self._test(subject)
        except PatternTimeout:
            return False


def compile_match(text: str) -> Match:
    """The expression `text`, ready to be asked; RuleError with the position at which it stops making sense."""
    if len(text) > MAX_EXPRESSION:
        raise RuleError(f"longer than {MAX_EXPRESSION} characters", position=MAX_EXPRESSION)
    reader = _Reader(text, _tokens(text))
    test = reader.alternatives(0)
    reader.end()
    return Match(text, test, tuple(reader.equals), tuple(reader.patterns))


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
        self.equals: list[tuple[str, str, int]] = []
        self.patterns: list[Pattern] = []

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
        if operator.endswith("="):
            self.equals.append((name, value, token.position))
        return _comparison(name, operator, self._matcher(name, operator.lstrip("!"), value, token.position + 1))

    def _matcher(self, name: str, operator: str, value: str, position: int) -> Callable[[str], bool]:
        if operator != "~":
            return _matcher(name, operator, value)
        try:
            pattern = compile_pattern(value)
        except RuleError as error:
            raise RuleError(str(error), position=position + (error.position or 0)) from error
        self.patterns.append(pattern)
        return pattern.found_in

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


def _comparison(name: str, operator: str, matches: Callable[[str], bool]) -> _Test:
    """One comparison; a negated one is true when no value of the field matches."""
    values = FIELDS[name]
    if operator.startswith("!"):
        return lambda subject: not any(map(matches, values(subject)))
    return lambda subject: any(map(matches, values(subject)))


def _matcher(name: str, operator: str, value: str) -> Callable[[str], bool]:
    folded = value.casefold()
    if operator == "contains":
        return lambda text: folded in text.casefold()
    if name == "language":
        return lambda text: text.casefold() == folded or text.casefold().startswith(f"{folded}-")
    return lambda text: text.casefold().strip() == folded.strip()


class PatternTimeout(Exception):
    """A pattern took too long on a text."""


class Pattern:
    """A regular expression with a limit of time (CPU) for each text; after a few texts that took too long it is off."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._search = regex.compile(text, regex.VERSION0).search
        self._timeouts = 0

    def found_in(self, text: str) -> bool:
        """Whether it is found in the first `MAX_TEXT` characters. Raises PatternTimeout."""
        if self._timeouts >= MAX_TIMEOUTS:
            raise PatternTimeout(self.text)
        try:
            return self._search(text[:MAX_TEXT], timeout=TIMEOUT_S) is not None
        except TimeoutError as error:
            self._timeouts += 1
            _log.warning(
                "pattern took too long on a text; its rule does not match it",
                extra={"pattern": self.text, "limit": f"{TIMEOUT_S:g}s", "off": self._timeouts >= MAX_TIMEOUTS},
            )
            raise PatternTimeout(self.text) from error

    def is_slow(self) -> bool:
        """Whether it takes too long on a text made to be unlucky for it: its own characters, repeated."""
        letters = sorted({letter for letter in self.text if letter.isalnum() or letter == " "} | {"a"})[:8]
        for unlucky in ("".join(letters) * MAX_TEXT, *(letter * MAX_TEXT for letter in letters)):
            try:
                self._search(f"{unlucky[: MAX_TEXT - 1]}!", timeout=TIMEOUT_S)
            except TimeoutError:
                return True
        return False


def compile_pattern(text: str) -> Pattern:
    """`text` as a pattern; RuleError, with the position within `text`, if it is none, or longer than is allowed."""
    if len(text) > MAX_PATTERN:
        raise RuleError(f"the pattern is {len(text)} characters long, {MAX_PATTERN} are allowed", position=MAX_PATTERN)
    try:
        return Pattern(text)
    except regex.error as error:
        raise RuleError(f"not a regular expression: {error.msg}", position=error.pos) from error
    except (OverflowError, RecursionError, MemoryError) as error:
        raise RuleError("the pattern is nested or repeated beyond what can be compiled", position=0) from error
