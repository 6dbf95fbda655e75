r"""From a language model's answer to a ranking: a total function, for model output is hostile data.

`ranking` never raises for any text, takes time linear in its length, and says what it had to do. Identifiers
count only in the forms that a ranking takes (`whyrank.rankers.ranking_forms`); a year, a count, the text of an
error or a refusal ranks nothing.

Where it looks, in this order; the first place that holds a ranking decides:

    1. ``<answer>…</answer>``, the last that is not empty; what it says is final, even if it ranks nothing
    2. ``\boxed{…}``, the last
    3. what follows ``### Final Reranking:``, which is final even if it ranks nothing, or else what follows words that
       call it final, revised or corrected
    4. ``[Start] … [End]``
    5. the whole answer

Reasoning (``<think>…</think>`` and its kin) is never looked at, nor a turn of the user that the model made up.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeAlias

from whyrank.errors import BadInput
from whyrank.rankers.ranking_chains import asked_for, chains
from whyrank.rankers.ranking_forms import REST, Labels, Place, Stated, plain
from whyrank.rankers.ranking_json import is_error, json_lists
from whyrank.rankers.ranking_lists import announced_lists, comma_list, is_numbered, line_lists
from whyrank.rankers.ranking_prose import FORMS
from whyrank.rankers.ranking_tables import tables

ParseStatus: TypeAlias = Literal["ok", "repaired", "refused", "truncated", "error"]


@dataclass(frozen=True, slots=True)
class Parsed:
    """What an answer says about n documents.

    Attributes:
        order: a permutation of range(n), best first; the order as it was where the answer ranks nothing.
        status: "ok", the answer states exactly this order; "repaired", it states an order with faults that
            `repairs` names; "truncated", it broke off, and what it had not named keeps its order below;
            "refused", it declines to rank; "error", it is no ranking for another reason.
        repairs: what was done or found, in words.
        named: how many documents, at the head of `order`, the answer names.
    """

    order: tuple[int, ...]
    status: ParseStatus
    repairs: tuple[str, ...] = ()
    named: int = 0


_ANSWER_TAG = re.compile(
    r"<(/?)(?:final[_ -]?)?(?:answer|(?:re-?)?ranking|ranked_list|result|output)(?:\s[^<>]{0,40})?>", re.IGNORECASE
)
_START_TAG = re.compile(r"\[(start|end)\]", re.IGNORECASE)
_BOXED = re.compile(r"\\boxed\s{0,3}\{(?P<body>(?:[^{}]|\{[^{}]{0,200}\})*+)\}")
_FINAL_HEADER = re.compile(
    r"#{1,6}\s{0,3}\**final\s{1,3}re-?ranking\s{0,3}\**:?"
    r"|(?:^|\n)[\s#*_>-]{0,8}(?:(?:so|thus|therefore|my|the|here\s{1,3}is|here's|is)[\s,]{1,3}){0,3}"
    r"(?:final|corrected|revised|updated)\s{1,3}(?:re-?)?(?:rank(?:ing|ed list)|order|answer|list|result)s?\b"
    r"[^\n:]{0,120}:[*_]{0,2}",
    re.IGNORECASE,
)
_THOUGHT = r"(?:think|thinking|thoughts?|reasoning|seed:think)"
_THOUGHT_OPENS = re.compile(
    rf"<{_THOUGHT}>|\[THINK\]|◁think▷|<\|begin_of_thought\|>|<\|channel\|>analysis", re.IGNORECASE
)
_THOUGHT_CLOSES = re.compile(
    rf"</{_THOUGHT}>|\[/THINK\]|◁/think▷|<\|end_of_thought\|>"
    r"|<\|channel\|>final<\|message\|>|assistantfinal(?![a-z])"
)
_TURN_ENDS = re.compile(
    r"<\|(?:im_end|eot_id|endoftext|end_of_text|end|return)\|>|<end_of_turn>|</s>|<eos>|<｜end▁of▁sentence｜>"
    r"|\n\s{0,3}(?:#{1,4}\s{1,3})?(?:user|human|instruction)\s{0,3}:",
    re.IGNORECASE,
)
_PAGE = re.compile(r"\s{0,8}(?:<!doctype\b|<html\b|HTTP/[0-9])", re.IGNORECASE)
_EDGE = 300
_REFUSAL = re.compile(
    r"\b(?:cannot|can['’]?t|can not|could not|unable to|not able to|won['’]?t|sorry|apologi[sz]e|as an ai|decline to"
    r"|no relevant|none of (?:the|these|them)|not possible|tut mir leid|lo siento|désolé|mi dispiace|desculpe)\b"
    r"|抱歉|对不起|无法|申し訳|できません|죄송|извините",
    re.IGNORECASE,
)


def ranking(text: str, n: int, *, labels: Labels = "numbers") -> Parsed:
    """Read an answer that should rank n documents.

    Args:
        text: the answer, whatever it is.
        n: number of documents that were shown.
        labels: "numbers", shown as [1] to [n]; or "letters", shown as [A], [B] … (Gangi Reddy et al., 2024,
            "FIRST"), at most 26.

    Raises:
        BadInput: n is negative, or above 26 with letters. No text raises.
    """
    if n < 0 or (labels == "letters" and n > 26):
        raise BadInput(f"n is {n}; give 0 or more, and at most 26 documents with letters")
    if asked := asked_for(text, labels):
        return _repair(asked, n) or Parsed(tuple(range(n)), "error", ("no ranking found",))
    answer = _after_thinking(plain(text))
    if answer is None:
        return Parsed(tuple(range(n)), "truncated", ("broke off while thinking",))
    if not answer.strip():
        return Parsed(tuple(range(n)), "error", ("empty answer",))
    if is_error(answer) or _PAGE.match(answer):
        return Parsed(tuple(range(n)), "error", ("no ranking found",))
    for places, is_marked in _tiers(answer):
        if (stated := _find(places, n, labels, is_marked=is_marked)) and (parsed := _repair(stated, n)):
            return parsed
    if declines(answer):
        return Parsed(tuple(range(n)), "refused", ("declines to rank",))
    return Parsed(tuple(range(n)), "error", ("no ranking found",))


def _repair(stated: Stated, n: int) -> Parsed | None:
    """Make a permutation; None where no identifier names a document."""
    given = tuple(i for i in stated.identifiers if i != REST)
    repairs = [stated.note] if stated.note else []
    if n > 1 and sorted(given) == list(range(n)):
        given = tuple(i + 1 for i in given)
        repairs.append("numbered from 0")
    valid = [i - 1 for i in given if 1 <= i <= n]
    order = list(dict.fromkeys(valid))
    if not order:
        return None
    missing = sorted(set(range(n)).difference(order))
    if len(valid) < len(given):
        repairs.append(f"out of range, dropped: {len(given) - len(valid)}")
    if len(order) < len(valid):
        repairs.append(f"named again, dropped: {len(valid) - len(order)}")
    if missing and REST in stated.identifiers:
        above = {i - 1 for i in stated.identifiers[: stated.identifiers.index(REST)]}
        split = sum(i in above for i in order)
        repairs.append(f"not named, put where the answer has the rest: {len(missing)}")
        return Parsed((*order[:split], *missing, *order[split:]), "repaired", tuple(repairs), n)
    if missing:
        repairs.append(f"not named, kept in order below: {len(missing)}")
    status: ParseStatus = "truncated" if stated.is_cut and missing else "repaired" if repairs else "ok"
    return Parsed((*order, *missing), status, tuple(repairs), len(order))


def declines(text: str) -> bool:
    """Whether an answer refuses: only its edges count, for passages quoted in between may hold such words too."""
    return bool(_REFUSAL.search(text[:_EDGE]) or _REFUSAL.search(text[-_EDGE:]))


def final_answer(text: str) -> str | None:
    """What an answer concludes, without reasoning and tags; None where the reasoning never ended."""
    answer = _after_thinking(plain(text))
    if answer is None:
        return None
    tagged = _answers(answer)
    if tagged:
        return tagged[-1].text
    boxed = list(_BOXED.finditer(answer))
    return boxed[-1]["body"] if boxed else answer


# Where to look


def _after_thinking(text: str) -> str | None:
    """The answer without its reasoning and without turns after it; None where the reasoning never ended."""
    closes = list(_THOUGHT_CLOSES.finditer(text))
    opens = _THOUGHT_OPENS.search(text)
    if closes:
        answer = text[closes[-1].end() :]
        if not answer.strip() and opens:
            answer = text[: opens.start()]
    elif opens and not _ANSWER_TAG.search(text):
        return None
    else:
        answer = text
    turn = next((match for match in _TURN_ENDS.finditer(answer) if answer[: match.start()].strip()), None)
    return answer[: turn.start()] if turn else answer


def _answers(text: str) -> list[Place]:
    """What stands in answer tags: those that close, or else one that does not."""
    tagged = [place for place in _between(text, _ANSWER_TAG, "/") if place.text.strip()]
    return [place for place in tagged if place.is_closed] or tagged


def _tiers(text: str) -> Iterator[tuple[list[Place], bool]]:
    """Places to look together, and whether [Start] and [End] mark them."""
    if tagged := _answers(text):
        yield tagged[-1:], False
        return
    if boxed := list(_BOXED.finditer(text)):
        yield [Place(boxed[-1]["body"], is_closed=True, is_strict=True)], False
    headers = list(_FINAL_HEADER.finditer(text))
    if headers:
        yield [Place(text[headers[-1].end() :])], False
        if headers[-1][0].lstrip().startswith("#"):
            return
    if marked := _between(text, _START_TAG, "end"):
        yield marked, True
    yield [Place(text)], False


def _between(text: str, tag: re.Pattern[str], closing: str) -> list[Place]:
    """What stands between tags. A first tag that closes was opened in the prompt; a last that opens runs on."""
    tags = list(tag.finditer(text))
    if not tags:
        return []
    places = []
    if tags[0][1].lower() == closing:
        places.append(Place(text[: tags[0].start()], is_closed=True, is_strict=True))
    for this, following in zip(tags, [*tags[1:], None], strict=True):
        if this[1].lower() != closing:
            end = len(text) if following is None else following.start()
            places.append(Place(text[this.end() : end], is_closed=following is not None, is_strict=True))
    return places


# Which ranking counts


def _find(places: Sequence[Place], n: int, labels: Labels, *, is_marked: bool) -> Stated | None:
    stated = [stated for place in places for stated in _signed(place, n, labels, is_marked=is_marked)]
    if chosen := _choose(stated, n):
        return chosen
    for place in reversed(places):
        if chosen := comma_list(place, labels, n):
            return chosen
    # Between [Start] and [End] some models copy passages, and rank them elsewhere: lines count there only last.
    if is_marked:
        return None
    if chosen := _choose([stated for place in places for stated in line_lists(place, labels, n)], n):
        return chosen
    return next((told for form in FORMS for place in places if (told := form(place, labels, n))), None)


def _signed(place: Place, n: int, labels: Labels, *, is_marked: bool) -> list[Stated]:
    """Rankings in signs that are hardly anything else, in order; numbered lines only if none names more."""
    found = json_lists(place, labels, n)
    inside = [(stated.start, stated.end) for stated in found]
    others = [*chains(place, labels, n), *tables(place, labels), *announced_lists(place, labels, n)]
    if inside:
        first, last = min(start for start, _ in inside), max(end for _, end in inside)
        others = [stated for stated in others if stated.end <= first or stated.start >= last]
    found += others
    if found and not is_marked:
        widest = max(len(set(stated.identifiers)) for stated in found)
        lists = [stated for stated in line_lists(place, labels, n) if is_numbered(place.text, stated)]
        found += [stated for stated in lists if len(stated.identifiers) >= widest]
    return _apart(found)


def _apart(found: Sequence[Stated]) -> list[Stated]:
    """In order, and of those that overlap the one that names more."""
    kept: list[Stated] = []
    for stated in sorted(found, key=lambda stated: stated.start):
        if not kept or stated.start >= kept[-1].end:
            kept.append(stated)
        elif len(stated.identifiers) > len(kept[-1].identifiers):
            kept[-1] = stated
    return kept


def _choose(found: Sequence[Stated], n: int) -> Stated | None:
    """Decide between several rankings of one answer.

    Answers draft first and conclude last, so the last one counts that names three documents and half as many as
    the widest; where it repeats part of an earlier one in the same order, the fuller. Rankings that share no
    document and name three quarters of them together are parts of one. Nothing but several pairs is a tale of
    comparisons and no ranking. What an answer calls initial or a draft counts only if there is nothing else.
    """
    own = [stated for stated in found if not stated.is_draft] or list(found)
    named = [_named(stated, n) for stated in own]
    widest = max(map(len, named), default=0)
    if widest == 0:
        return own[-1] if own and sorted(own[-1].identifiers) == list(range(n)) else None
    if widest <= 2 < n and len(set(named)) > 1:
        return None
    total = sum(map(len, named))
    if len(own) > 1 and total == len(set().union(*named)) and 4 * total >= 3 * n:
        joined = tuple(i for stated in own for i in stated.identifiers)
        return own[-1]._replace(identifiers=joined, note=f"joined from {len(own)} parts")
    least = min(widest, max(3, widest / 2))  # a pair after a ranking is a remark on it
    last = max(i for i, names in enumerate(named) if len(names) >= least)
    fullest = max(range(len(own)), key=lambda i: (_holds(named[i], named[last]), len(named[i]), i))
    if fullest != last or own[last].note:
        return own[fullest]
    if not all(_holds(named[last], later) for later in named[last + 1 :]):
        return own[last]._replace(note="a shorter ranking after it was set aside")
    is_disputed = any(
        len(other) >= len(named[last]) and other != named[last] for other in map(partial(_named, n=n), found)
    )
    return own[last]._replace(note="another ranking before it was set aside") if is_disputed else own[last]


def _named(stated: Stated, n: int) -> tuple[int, ...]:
    """The documents that a ranking names, each once."""
    return tuple(dict.fromkeys(i for i in stated.identifiers if 1 <= i <= n))


def _holds(longer: Sequence[int], shorter: Sequence[int]) -> bool:
    """Whether `longer` names all of `shorter` in the same order."""
    rest = iter(longer)
    return all(name in rest for name in shorter)
