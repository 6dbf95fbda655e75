"""Rankings in JSON: the whole place, fenced blocks, or objects among prose; with the slips that models make.

Read are a list of identifiers, or of objects that hold one each, under a name such as "ranking"; a rank or score
that every object states decides over their order. JSON that breaks off gives the items that are whole.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from whyrank.rankers.ranking_chains import chains
from whyrank.rankers.ranking_forms import ALONE, Labels, Place, Stated, compiled, identifier

_LISTS = (
    *("final_ranking", "ranked_passages", "ranked_documents", "ranked_list", "ranking", "rankings", "reranking"),
    *("reranked", "reranked_passages", "reranked_documents", "ranked", "ranked_ids", "rank", "sorted", "order"),
    *("ranking_order", "ranked_order", "final_order", "permutation", "answer", "final_answer", "passages", "documents"),
    *("results", "result", "ids", "identifiers", "list", "items", "output"),
)
_WRAPPERS = (
    "result",
    "response",
    "output",
    "data",
    "answer",
    "arguments",
    "parameters",
    "input",
    "ranking",
    "rankings",
)
_NAMES = ("identifier", "id", "passage_id", "document_id", "doc_id", "docid", "passage", "document", "doc", "index")
_RANKS = ("rank", "position", "place", "ranking")
_SCORES = ("score", "relevance_score", "relevance", "rating", "grade")
_DEEPEST = 4
_SHORTEST = len('{"id": 2}')
_FENCE = re.compile(
    r"```[ \t]{0,3}(?:json5?|jsonc|python|javascript|js)?\s*+(?P<body>(?:[^`]|`(?!``))*+)(?P<close>```)?"
)
_SLIPS = re.compile(r"//[^\n\"]*(?=\n)|,(?=\s{0,40}[\]}])")
_CUT_ITEM = compiled(rf'"(?:{"|".join(_NAMES)})"\s{{0,4}}:\s{{0,4}}"?\[?(NAME)\]?"?\s{{0,4}}[,}}\n]')
_CUT_LIST = compiled(
    rf"[\"'](?:{'|'.join(_LISTS)})[\"']\s{{0,4}}:\s{{0,4}}\[(?P<items>(?:\s{{0,8}}[\"']?\[?NAME\]?[\"']?\s{{0,8}},)+)[^\]}}]{{0,16}}\Z"
)
_CUT_NAME = compiled("(NAME)")


def json_lists(place: Place, labels: Labels, n: int) -> list[Stated]:
    """Rankings in JSON, in order."""
    text = place.text
    if "{" not in text and "[" not in text:
        return []
    found: list[Stated] = []
    items: list[Any] = []
    for start, end in _spans(text):
        value = _loaded(text[start:end])
        items += [value] if isinstance(value, dict) else []
        if isinstance(value, (dict, list)) and (names := _names(value, labels, n)):
            found.append(Stated(names, start, end))
    if not found and len(items) > 1 and (names := _names(items, labels, n)):
        found.append(Stated(names, text.index("{"), text.rindex("}") + 1))
    if not found and not place.is_closed and (cut := _broken_off(text, labels)):
        found.append(cut)
    return found


def is_error(text: str) -> bool:
    """Whether an answer is the JSON of an error."""
    start = text.find("{", 0, 64)
    if start < 0 or not re.search(r"[\"']error[\"']\s{0,3}:", text[start : start + 400]):
        return False
    value = _loaded(text[start : text.rfind("}") + 1])
    return isinstance(value, dict) and isinstance(value.get("error"), (dict, str)) and not value.keys() & set(_LISTS)


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Where JSON may stand: the whole, every fenced block, from the first brace to the last, each object alone."""
    whole = len(text) - len(text.lstrip()), len(text.rstrip())
    if text[whole[0] : whole[0] + 1] in ("{", "["):
        yield whole
    fences = [match.span("body") for match in _FENCE.finditer(text)] if "```" in text else []
    yield from fences
    start, end = text.find("{"), text.rfind("}") + 1
    if 0 <= start < end and not fences:
        if (start, end) != whole:
            yield start, end
        yield from (place for place in _objects(text) if place != (start, end))


def _objects(text: str) -> Iterator[tuple[int, int]]:
    """Balanced objects, one after another; braces in strings may mislead it, and then nothing is read."""
    depth = start = 0
    for match in re.finditer(r"[{}]", text):
        if match[0] == "{":
            start = match.start() if depth == 0 else start
            depth += 1
        elif depth:
            depth -= 1
            if depth == 0 and match.end() - start >= _SHORTEST:
                yield start, match.end()


def _loaded(text: str) -> Any:
    """The JSON value of a text, mending commas too many, comments and single quotes; None for anything else."""
    mended = _SLIPS.sub("", text)
    for attempt in (text, mended, mended.replace("'", '"')):
        try:
            return json.loads(attempt)
        except (ValueError, RecursionError):
            continue
    return None


def _names(value: Any, labels: Labels, n: int, depth: int = 0) -> tuple[int, ...]:
    """The identifiers of a list that holds nothing else; () for any other value."""
    if isinstance(value, dict):
        return _of_object(value, labels, n, depth)
    if isinstance(value, str):
        return _of_string(value, labels, n)
    if not isinstance(value, list) or not value:
        return ()
    if len(value) == 1 and isinstance(value[0], (dict, list)) and depth < _DEEPEST:
        inner = _names(value[0], labels, n, depth + 1)
        if inner:
            return inner
    found = [_name(item, labels) for item in value]
    names = tuple(name for name in found if name is not None)
    return _by_statement(value, names) if None not in found else ()


def _of_object(value: dict[str, Any], labels: Labels, n: int, depth: int) -> tuple[int, ...]:
    lowered = {key.strip().lower().replace(" ", "_"): item for key, item in value.items()}
    if "error" in lowered:
        return ()
    for key in _LISTS:
        if isinstance(lowered.get(key), (list, str)) and (names := _names(lowered[key], labels, n, depth + 1)):
            return names
    for key in _WRAPPERS:
        inner = lowered.get(key)
        if isinstance(inner, dict) and depth < _DEEPEST and (names := _names(inner, labels, n, depth + 1)):
            return names
    return _of_ranks(lowered, labels)


def _of_ranks(value: dict[str, Any], labels: Labels) -> tuple[int, ...]:
    """``{"1": "[2]", "2": "[1]"}``: ranks that name documents, which must look like names, not like ranks."""
    keys = [key.removeprefix("rank").strip(" _") for key in value]
    if not keys or not all(key.isdecimal() and len(key) < 5 for key in keys):
        return ()
    if sorted(map(int, keys)) != list(range(1, len(keys) + 1)):
        return ()
    by_rank = [item for _, item in sorted(zip(map(int, keys), value.values(), strict=True), key=lambda pair: pair[0])]
    if not all(isinstance(item, str) and not item.strip().isdecimal() for item in by_rank):
        return ()
    names = [_name(item, labels) for item in by_rank]
    return tuple(name for name in names if name is not None) if None not in names else ()


def _of_string(value: str, labels: Labels, n: int) -> tuple[int, ...]:
    found = chains(Place(value, is_strict=True), labels, n)
    if found:
        return found[-1].identifiers
    if value.lstrip()[:1] == "{":
        inner = _loaded(value)
        return _names(inner, labels, n, _DEEPEST) if isinstance(inner, dict) else ()
    matches = [ALONE[labels].fullmatch(part.strip()) for part in value.split(",")]
    names = tuple(identifier(match[1]) for match in matches if match)
    return names if 1 < len(matches) == len(names) else ()


def _name(item: Any, labels: Labels) -> int | None:
    if isinstance(item, dict):
        lowered = {key.strip().lower().replace(" ", "_"): value for key, value in item.items()}
        item = next((lowered[key] for key in _NAMES if key in lowered), None)
    if isinstance(item, list) and len(item) == 1:
        [item] = item
    if isinstance(item, str) and (match := ALONE[labels].fullmatch(item.partition(":")[0])):
        return identifier(match[1])
    is_number = isinstance(item, int) and not isinstance(item, bool) and item >= 0
    return item if is_number and labels == "numbers" else None


def _by_statement(items: Sequence[Any], names: tuple[int, ...]) -> tuple[int, ...]:
    """The names by the ranks or scores that all items state, if they do."""
    if not all(isinstance(item, dict) for item in items):
        return names
    for keys, sign in ((_RANKS, 1), (_SCORES, -1)):
        values = [next((item[key] for key in keys if key in item), None) for item in items]
        if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
            places = sorted(range(len(names)), key=lambda i: sign * float(str(values[i])))
            return tuple(names[i] for i in places)
    return names


def _broken_off(text: str, labels: Labels) -> Stated | None:
    """The whole items of JSON that does not end."""
    begin = max(text.find("{"), 0) if text.lstrip()[:1] not in ("{", "[", "`") else 0
    if items := _CUT_LIST[labels].search(text, begin):
        names = tuple(identifier(match[1]) for match in _CUT_NAME[labels].finditer(items["items"]))
        return Stated(names, begin, len(text), is_cut=True, note="JSON that is not whole")
    if text.lstrip(" \n`jsonJSON")[:1] not in ("{", "["):
        return None
    names = tuple(identifier(match[1]) for match in _CUT_ITEM[labels].finditer(text))
    return Stated(names, begin, len(text), is_cut=True, note="JSON that is not whole") if names else None
