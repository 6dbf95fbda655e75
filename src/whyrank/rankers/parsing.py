"""From a language model's answer to a ranking: a total function, for model output is hostile data.

`ranking` never raises for any text, takes time linear in its length, and says what it had to do. Identifiers
count only in the forms that a ranking takes (`whyrank.rankers.ranking_forms`); a year, a count, the text of an
error or a refusal ranks nothing.

Where it looks, in this order; the first place that holds a ranking decides:

    1. ``<answer>…</answer>``, the last that is not empty; what it says is final, even if it ranks nothing
    2. what follows ``### Final Reranking:``
    3. ``[Start] … [End]``
    4. the whole answer, without what stands before ``</think>``
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from whyrank.errors import BadInput
from whyrank.rankers.ranking_forms import Labels, Place, Stated, chains, comma_list, json_list, numbered_lists

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
    """

    order: tuple[int, ...]
    status: ParseStatus
    repairs: tuple[str, ...] = ()


_ANSWER_TAG = re.compile(r"<(/?)answer>", re.IGNORECASE)
_START_TAG = re.compile(r"\[(start|end)\]", re.IGNORECASE)
_FINAL_HEADER = re.compile(r"#{1,6}\s{0,3}\**final\s{1,3}re-?ranking\s{0,3}\**:?", re.IGNORECASE)
_EDGE = 300
_REFUSAL = re.compile(
    r"\b(?:cannot|can['’]?t|can not|could not|unable to|not able to|won['’]?t|sorry|apologi[sz]e|as an ai|decline to"
    r"|no relevant|none of (?:the|these|them)|not possible)\b",
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
    unthought = _after_thinking(text)
    if unthought is None:
        return Parsed(tuple(range(n)), "truncated", ("broke off while thinking",))
    for places, is_marked in _tiers(unthought):
        if (stated := _find(places, n, labels, is_marked=is_marked)) and (parsed := _repair(stated, n)):
            return parsed
    if not unthought.strip():
        return Parsed(tuple(range(n)), "error", ("empty answer",))
    if declines(unthought):
        return Parsed(tuple(range(n)), "refused", ("declines to rank",))
    return Parsed(tuple(range(n)), "error", ("no ranking found",))


def _repair(stated: Stated, n: int) -> Parsed | None:
    """Make a permutation; None where no identifier names a document."""
    given = stated.identifiers
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
    if missing:
        repairs.append(f"not named, kept in order below: {len(missing)}")
    status: ParseStatus = "truncated" if stated.is_cut and missing else "repaired" if repairs else "ok"
    return Parsed((*order, *missing), status, tuple(repairs))


def declines(text: str) -> bool:
    """Whether an answer refuses: only its edges count, for passages quoted in between may hold such words too."""
    return bool(_REFUSAL.search(text[:_EDGE]) or _REFUSAL.search(text[-_EDGE:]))


def final_answer(text: str) -> str | None:
    """What an answer concludes, without reasoning and tags; None where the reasoning never ended."""
    unthought = _after_thinking(text)
    if unthought is None:
        return None
    tagged = [place.text for place in _between(unthought, _ANSWER_TAG, "/") if place.text.strip()]
    return tagged[-1] if tagged else unthought


# Where to look


def _after_thinking(text: str) -> str | None:
    """The answer without its reasoning; None where the reasoning never ended."""
    _, closed, rest = text.rpartition("</think>")
    if closed:
        return rest
    if "<think>" in text and not _ANSWER_TAG.search(text):
        return None
    return text


def _tiers(text: str) -> Iterator[tuple[list[Place], bool]]:
    """Places to look together, and whether [Start] and [End] mark them."""
    tagged = [place for place in _between(text, _ANSWER_TAG, "/") if place.text.strip()]
    if tagged:
        yield tagged[-1:], False
        return
    headers = list(_FINAL_HEADER.finditer(text))
    if headers:
        yield [Place(text[headers[-1].end() :])], False
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
    for place in reversed(places):
        if (stated := json_list(place.text, labels)) and _choose([stated], n):
            return stated
    if stated := _choose([stated for place in places for stated in chains(place, labels)], n):
        return stated
    for place in reversed(places):
        if stated := comma_list(place, labels):
            return stated
    # Between [Start] and [End] some models copy passages, and rank them elsewhere: lines count there only last.
    lists = [] if is_marked else [stated for place in places for stated in numbered_lists(place.text, labels)]
    return _choose(lists, n)


def _choose(found: Sequence[Stated], n: int) -> Stated | None:
    """Decide between several rankings of one answer.

    Answers draft first and conclude last, so the last one counts that names at least half as many documents as
    the widest; where it repeats part of an earlier one in the same order, the fuller. Rankings that share no
    document and name three quarters of them together are parts of one. Nothing but several pairs is a tale of
    comparisons and no ranking.
    """
    named = [tuple(dict.fromkeys(i for i in stated.identifiers if 1 <= i <= n)) for stated in found]
    widest = max(map(len, named), default=0)
    if widest == 0:
        return found[-1] if found and sorted(found[-1].identifiers) == list(range(n)) else None
    if widest <= 2 < n and len(set(named)) > 1:
        return None
    total = sum(map(len, named))
    if len(found) > 1 and total == len(set().union(*named)) and 4 * total >= 3 * n:
        joined = tuple(i for stated in found for i in stated.identifiers)
        return Stated(joined, found[-1].is_cut, f"joined from {len(found)} parts")
    last = max(i for i, names in enumerate(named) if 2 * len(names) >= widest)
    fullest = max(range(len(found)), key=lambda i: (_holds(named[i], named[last]), len(named[i]), i))
    if fullest != last:
        return found[fullest]
    if last < len(found) - 1 and not found[last].note:
        return found[last]._replace(note="a shorter ranking after it was set aside")
    return found[last]


def _holds(longer: Sequence[int], shorter: Sequence[int]) -> bool:
    """Whether `longer` names all of `shorter` in the same order."""
    rest = iter(longer)
    return all(name in rest for name in shorter)
