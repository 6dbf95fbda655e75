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
_MENTION = re.compile(rf"(?<!\w){_WORD}\s{{0,3}}[\[(]?(?P<label>[0-9]++|[A-Z](?![A-Za-z0-9]))", re.IGNORECASE)
_CONCLUDES = re.compile(
    rf"\b(?:answer|output|choice|winner|(?:best|(?:most|more)\s{{1,3}}relevant)(?:\s{{1,3}}{_WORD})?"
    r"|(?:I|would|I['’]d|must|to)\s{1,3}(?:choose|prefer|pick|select))\s{0,3}(?:is)?\s{0,3}:?"
    rf"{_MARKS}(?:{_WORD}\s{{0,3}})?[\[\"'`*(]{{0,3}}(?P<label>[0-9]++(?![0-9])|[A-Z](?![A-Za-z0-9]))"
    r"(?!\s{1,3}[a-z]|\s{0,3}/)",
    re.IGNORECASE,
)
_WINS = re.compile(
    rf"(?<!\w)(?:{_WORD}\s{{0,3}}[\[\"'`*(]{{0,3}}(?P<worded>{_LABEL})|\[(?P<marked>{_LABEL})\])[\]\"'`*)]{{0,3}}"
    r"\s{1,3}(?:is|seems|appears\s{1,3}to\s{1,3}be)\s{1,3}"
    r"(?:(?:clearly|slightly|much|therefore|thus|also)\s{1,3})?(?:the\s{1,3})?"
    r"(?:more\s{1,3}relevant|better|most\s{1,3}relevant|best)\b",
    re.IGNORECASE,
)
_CHAIN = re.compile(rf"{_MARKS}(?:{_WORD}\s{{0,3}})?{_MARKS}(?P<label>{_LABEL}){_MARKS}>{{1,2}}[^<]*+", re.IGNORECASE)
_TIE = re.compile(r"\b(?:tie|tied|equally|equal|both|neither)\b", re.IGNORECASE)
_VERDICT = r"(?P<word>yes|no|true|false)(?!-?[A-Za-z]|\s{0,2}(?:/|or\b|and\b)\s{0,2}(?:yes|no|true|false))"
_YES_NO = re.compile(rf"{_MARKS}{_VERDICT}", re.IGNORECASE)
_ASIDE = r"[\"'*]{0,4}\s{0,3}(?:\([^()\n]{0,24}\)\s{0,3})?"
_YES_NO_END = re.compile(
    rf"\b(?:answer|judg(?:e)?ment|output|relevan(?:t|ce)|verdict)\b{_ASIDE}(?:is)?\s{{0,3}}[:=]{_MARKS}{_VERDICT}",
    re.IGNORECASE,
)
_RELEVANT = re.compile(
    r"\b(?:passage|document|text|it|this)\s{1,3}(?:is|seems)\s{1,3}(?P<no>not\s{1,3}|ir)?"
    r"(?:(?:directly|highly|clearly|at\s{1,3}all)\s{1,3})?relevant\b"
    r"|^\W{0,6}(?P<bare>not\s{1,3}relevant|irrelevant)\b",
    re.IGNORECASE,
)
_NUMBER = r"(?P<grade>[0-9]++)(?:\.0{1,3}(?![0-9]))?(?![0-9]|[.,][0-9]|%|\s{0,2}(?:-|–|to)\s{0,2}[0-9])"
_OUT_OF = r"(?:(?:/|out\s{1,3}of)\s{0,3}[0-9]{1,3})?"
_GRADE_ALONE = re.compile(rf"{_MARKS}{_NUMBER}{_MARKS}{_OUT_OF}{_MARKS}[.]?\s{{0,8}}")
_GRADE_FIRST = re.compile(rf"{_MARKS}{_NUMBER}{_MARKS}{_OUT_OF}\s{{0,3}}(?:[-–—:]\s|\(|\n)")
_GRADE_NAMED = re.compile(
    r"\b(?:(?:score|grade|rating|relevance|label|answer|judg(?:e)?ment|output|overall)\b"
    rf"{_ASIDE}(?:is|of)?\s{{0,3}}[:=]?|(?:deserves|gets|earns|give|assign|rate)\s{{1,3}}"
    r"(?:(?:it|this|the|passage|document|text|as|an?|score|grade|rating|of)\s{1,3}){0,5})"
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
        said = list(_RELEVANT.finditer(answer))
        return Choice(int(not (said[-1]["no"] or said[-1]["bare"])), "repaired") if said else _nothing(answer)
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
    match = alone or (named[-1] if named else _GRADE_FIRST.match(answer))
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
    if chain := _CHAIN.match(answer):
        return _place(chain["label"], labels), "repaired"
    ends = sorted([*_CONCLUDES.finditer(answer), *_WINS.finditer(answer)], key=re.Match.start)
    if ends:
        named = ends[-1].groupdict()
        return _place(named.get("label") or named.get("worded") or named["marked"], labels), "repaired"
    opening = _OPENS.match(answer)
    if opening and len({match["label"].upper() for match in _MENTION.finditer(answer)}) <= 1:
        return _place(opening["worded"] or opening["marked"], labels), "repaired"
    return None, "error"


def _place(label: str, labels: Labels) -> int | None:
    if label.isdigit() == (labels == "letters"):
        return None
    if labels == "letters":
        return ord(label.upper()) - ord("A")
    return int(label) - 1 if len(label) <= 9 and int(label) > 0 else None
