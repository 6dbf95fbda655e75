"""Whether a passage holds an answer, by the rules of DPR's published evaluation, on which open-domain figures stand.

Karpukhin et al., 2020; facebookresearch/DPR, dpr/data/qa_validation.py and dpr/utils/tokenizers.py (the rules are its,
the code is not). Both texts are decomposed (NFD). "string": they are cut into runs of letters, numbers and marks, and
single characters of any other visible kind; the lower-cased tokens of an answer must follow each other somewhere in the
passage, sentence ends or not. "regex": the answer is a pattern that is searched for, without regard to case.

Deviates: an answer without a token ("" or a blank) matches nothing; there it is in every passage. A pattern that does
not compile is an error; there it matches nothing. Patterns are those of Python's `re`; there, of the package `regex`.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable
from typing import Literal, TypeAlias

from whyrank.errors import BadInput

Mode: TypeAlias = Literal["string", "regex"]
Finder: TypeAlias = Callable[[str], bool]
"""Whether a passage holds any of the answers it was made of."""

_EDGE = "\0"  # a control character, so part of no token
_TOKEN = re.compile("a+|b")


class _Kinds(dict[int, str]):
    """Code point → "a" (letter, number, mark), " " (separator, control), "b" (the rest); filled as characters come."""

    def __missing__(self, code: int) -> str:
        major = unicodedata.category(chr(code))[0]
        kind = self[code] = "a" if major in "LNM" else " " if major in "ZC" else "b"
        return kind


_KINDS = _Kinds()


def tokens(text: str) -> list[str]:
    """The lower-cased tokens of a text, decomposed.

    >>> tokens("In the U.S., 1.5 million")
    ['in', 'the', 'u', '.', 's', '.', ',', '1', '.', '5', 'million']
    """
    decomposed = unicodedata.normalize("NFD", text)
    kinds = decomposed.translate(_KINDS)
    return [decomposed[found.start() : found.end()].lower() for found in _TOKEN.finditer(kinds)]


def finder(answers: Iterable[str], mode: Mode = "string") -> Finder:
    """Look for any of some answers in many passages.

    Raises:
        BadInput: a pattern is no regular expression.
    """
    if mode == "regex":
        patterns = [pattern(answer) for answer in answers]
        return lambda passage: _is_any_found(patterns, passage)
    phrases = [_framed(found) for answer in answers if (found := tokens(answer))]
    return lambda passage: _is_any_inside(phrases, passage)


def has_answer(passage: str, answers: Iterable[str], mode: Mode = "string") -> bool:
    """Whether the passage holds any of the answers.

    >>> has_answer("A party in Rome.", ["art"]), has_answer("Modern art in Rome.", ["Art"])
    (False, True)

    Raises:
        BadInput: a pattern is no regular expression.
    """
    return finder(answers, mode)(passage)


def pattern(answer: str) -> re.Pattern[str]:
    """An answer of the mode "regex", compiled as DPR does: decomposed, any case, ^ and $ at every line.

    Raises:
        BadInput: it is no regular expression.
    """
    try:
        return re.compile(unicodedata.normalize("NFD", answer), re.IGNORECASE | re.MULTILINE)
    except (re.error, OverflowError, RecursionError) as error:
        raise BadInput(
            f"the answer {answer!r} is no regular expression ({error}); mend it, or match texts: Answer@5 instead of "
            "Answer(regex=True)@5"
        ) from error


def _framed(found: list[str]) -> str:
    return f"{_EDGE}{_EDGE.join(found)}{_EDGE}"


def _is_any_inside(phrases: list[str], passage: str) -> bool:
    read = _framed(tokens(passage))
    return any(phrase in read for phrase in phrases)


def _is_any_found(patterns: list[re.Pattern[str]], passage: str) -> bool:
    read = unicodedata.normalize("NFD", passage)
    return any(each.search(read) for each in patterns)
