"""The match language: text → tokens → one function over a `Subject`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from aggregator.curate.rules.patterns import MAX_TEXT, compile_pattern
from aggregator.curate.rules.subject import Subject
from aggregator.errors import RuleError

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
