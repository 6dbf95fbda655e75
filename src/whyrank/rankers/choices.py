"""From a language model's answer to one choice: which of two, which of a set, yes or no, a grade.

Like `whyrank.rankers.parsing` these are total: no text raises, all take linear time, and an answer that chooses
nothing is never taken for a choice. Its `value` is None, and the caller decides what that means: a tie for a
pair, the first of a set, no score at all, but never "relevant".
"""

import re
from dataclasses import dataclass

from whyrank.errors import BadInput
from whyrank.rankers.parsing import ParseStatus, declines, final_answer
from whyrank.rankers.ranking_forms import Labels


@dataclass(frozen=True, slots=True)
class Choice:
    """What an answer chooses.

    Attributes:
        value: the choice, or None where the answer makes none.
        status: "ok"; "repaired", chosen but not in the form asked for; "refused", "truncated" (broke off while
            thinking) or "error", with `value` None.
    """

    value: int | None
    status: ParseStatus


_MARKS = r"[\s\[\]\"'`*_#():<>]{0,8}"
_WORD = r"(?:passage|document|doc|candidate|option|response)s?"
_LABEL = r"(?:[0-9]++|[A-Za-z])(?![A-Za-z0-9])"
_ALONE = re.compile(rf"{_MARKS}(?:{_WORD}\s{{0,3}})?{_MARKS}(?P<label>{_LABEL}){_MARKS}[.,]?\s{{0,8}}", re.IGNORECASE)
# "A." and "[A]" open a sentence about a choice; "A passage …" opens one about anything.
_OPENS = re.compile(
    rf"{_MARKS}(?:{_WORD}\s{{0,3}}[\[\"'`*(]{{0,3}}(?P<worded>{_LABEL})[\]\"'`*)]{{0,3}}"
    rf"\s{{1,3}}(?:is|seems|appears|provides|directly|more|best)\b(?!\s{{1,3}}(?:not|less|ir))"
    rf"|(?P<marked>{_LABEL})\s{{0,3}}(?:[\])*]|[.:,](?=\s)|\n))",
    re.IGNORECASE,
)
_CONCLUDES = re.compile(
    rf"\b(?:answer|output|choice|winner|most\s{{1,3}}relevant(?:\s{{1,3}}{_WORD})?)\s{{0,3}}(?:is)?\s{{0,3}}:?"
    rf"{_MARKS}(?:{_WORD}\s{{0,3}})?[\[\"'`*(]{{0,3}}(?P<label>[0-9]++(?![0-9])|[A-Z](?![A-Za-z0-9]))(?!\s{{1,3}}[a-z])",
    re.IGNORECASE,
)
_TIE = re.compile(r"\b(?:tie|tied|equally|equal|both|neither)\b", re.IGNORECASE)
_YES_NO = re.compile(rf"{_MARKS}(?P<word>yes|no|true|false)(?![A-Za-z])", re.IGNORECASE)
_YES_NO_END = re.compile(
    rf"\b(?:answer|judg(?:e)?ment|output|relevant)\s{{0,3}}(?:is)?\s{{0,3}}[:=]{_MARKS}(?P<word>yes|no|true|false)(?![A-Za-z])",
    re.IGNORECASE,
)
_NUMBER = r"(?P<grade>[0-9]++)(?![0-9]|[.,][0-9]|%)"
_GRADE_ALONE = re.compile(rf"{_MARKS}{_NUMBER}{_MARKS}(?:/\s{{0,3}}[0-9]{{1,3}})?{_MARKS}[.]?\s{{0,8}}")
_GRADE_NAMED = re.compile(
    rf"\b(?:score|grade|rating|relevance|label|answer|judg(?:e)?ment|output)\b[\"'*]{{0,4}}\s{{0,3}}(?:is|of)?\s{{0,3}}[:=]?"
    rf"{_MARKS}{_NUMBER}",
    re.IGNORECASE,
)


def pairwise(text: str) -> Choice:
    """Read which of two passages, A or B, is the better: +1 for A, -1 for B, 0 for a tie."""
    answer = final_answer(text)
    if answer is None:
        return Choice(None, "truncated")
    value, status = _label(answer)
    if value is not None and value < 2:
        return Choice(1 - 2 * value, status)
    if len(answer) <= 200 and _TIE.search(answer) and not declines(answer):
        return Choice(0, "ok" if len(answer.split()) == 1 else "repaired")
    return _nothing(answer)


def setwise(text: str, n: int, *, labels: Labels = "letters") -> Choice:
    """Read which of n passages is the best: its place, from 0 on.

    Args:
        text: the answer, whatever it is.
        n: number of passages that were shown.
        labels: "letters", shown as A, B …, at most 26; or "numbers", shown as 1 to n.

    Raises:
        BadInput: n is below 1, or above 26 with letters. No text raises.
    """
    if n < 1 or (labels == "letters" and n > 26):
        raise BadInput(f"n is {n}; give 1 or more, and at most 26 passages with letters")
    answer = final_answer(text)
    if answer is None:
        return Choice(None, "truncated")
    value, status = _label(answer, labels)
    return Choice(value, status) if value is not None and value < n else _nothing(answer)


def yes_no(text: str) -> Choice:
    """Read a judgement of relevance: 1 for yes or true, 0 for no or false."""
    answer = final_answer(text)
    if answer is None:
        return Choice(None, "truncated")
    ends = list(_YES_NO_END.finditer(answer))
    match = _YES_NO.match(answer) or (ends[-1] if ends else None)
    if match is None:
        return _nothing(answer)
    is_bare = len(answer.strip(" \t\r\n.\"'`*")) == len(match["word"])
    return Choice(int(match["word"].lower() in ("yes", "true")), "ok" if is_bare else "repaired")


def grade(text: str, *, lowest: int = 0, highest: int = 4) -> Choice:
    """Read a grade from `lowest` to `highest`: alone, or the last that is named a score, grade or rating.

    Raises:
        BadInput: `lowest` is negative or not below `highest`. No text raises.
    """
    if not 0 <= lowest < highest:
        raise BadInput(f"grades from {lowest} to {highest} are no scale; give 0 <= lowest < highest")
    answer = final_answer(text)
    if answer is None:
        return Choice(None, "truncated")
    alone = _GRADE_ALONE.fullmatch(answer)
    named = list(_GRADE_NAMED.finditer(answer))
    match = alone or (named[-1] if named else None)
    if match is None or len(match["grade"]) > 9 or not lowest <= int(match["grade"]) <= highest:
        return _nothing(answer)
    return Choice(int(match["grade"]), "ok" if alone else "repaired")


def _nothing(answer: str) -> Choice:
    return Choice(None, "refused" if declines(answer) else "error")


def _label(answer: str, labels: Labels = "letters") -> tuple[int | None, ParseStatus]:
    """0-based place of the label that an answer gives: alone, in conclusion, or in opening; else None."""
    alone = _ALONE.fullmatch(answer)
    if alone:
        return _place(alone["label"], labels), "ok"
    ends = list(_CONCLUDES.finditer(answer))
    if ends:
        return _place(ends[-1]["label"], labels), "repaired"
    opening = _OPENS.match(answer)
    if opening:
        return _place(opening["worded"] or opening["marked"], labels), "repaired"
    return None, "error"


def _place(label: str, labels: Labels) -> int | None:
    if label.isdigit() == (labels == "letters"):
        return None
    if labels == "letters":
        return ord(label.upper()) - ord("A")
    return int(label) - 1 if len(label) <= 9 and int(label) > 0 else None
