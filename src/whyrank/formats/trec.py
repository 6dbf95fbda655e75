"""TREC runs and judgements, MS MARCO runs, BEIR judgements.

Document ids may hold spaces (BRIGHT has such): the first two and the last fields are fixed, the rest is the id. A
line with the right number of tabs is split at tabs alone.
"""

import math
import re
import struct
from array import array
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any, NamedTuple

from whyrank.errors import BadInput
from whyrank.formats.files import Source
from whyrank.formats.problems import Complain, Wrong, duplicate, parsed
from whyrank.types import Qrels, Ranking

_BLANKS = re.compile(r"[ \t]+")
_SMALLEST_NORMAL = 0x00800000
"""The bits of 2**-126, the smallest float32 that keeps its precision."""


class RunLine(NamedTuple):
    """One line of a run. `score` is None in MS MARCO's form, which has ranks only."""

    query: str
    document: str
    rank: int
    score: float | None


class Grade(NamedTuple):
    """One judgement."""

    query: str
    document: str
    grade: float


class Entry(NamedTuple):
    """A document's place in a run."""

    score: float | None
    rank: int
    line: int


def scan_run(source: Source, complain: Complain) -> Iterator[tuple[int, RunLine]]:
    """The lines of a run: six columns, or query, document, rank (MS MARCO)."""
    return parsed(source.name, _filled(source, complain), run_line, complain)


def scan_qrels(source: Source, complain: Complain) -> Iterator[tuple[int, Grade]]:
    """The lines of a judgement file: TREC's four columns, or BEIR's three with tabs and a header."""
    return parsed(source.name, _without_header(_filled(source, complain)), grade_line, complain)


def run_line(line: Any, _number: int = 0) -> RunLine:
    """One line of a run.

    Raises:
        Wrong: wrong number of columns, a rank that is no whole number, a score that is no finite number.
    """
    score: str | None = None
    if line.count("\t") == 2:
        query, document, rank = line.split("\t")
    else:
        query, _, document, rank, score, _ = _split(line, before=2, after=3, layout="query Q0 document rank score tag")
    try:
        place = int(rank)
    except ValueError:
        raise Wrong(f"rank {rank!r} is no whole number", "give query, Q0, document, rank, score, tag") from None
    return RunLine(query, document, place, None if score is None else _number_of(score, "score"))


def grade_line(line: Any, _number: int = 0) -> Grade:
    """One judgement; grades may be fractions and may be negative.

    Raises:
        Wrong: wrong number of columns, a grade that is no finite number.
    """
    if line.count("\t") == 2:
        query, document, grade = line.split("\t")
    else:
        query, _, document, grade = _split(line, before=2, after=1, layout="query 0 document grade")
    return Grade(query, document, _number_of(grade, "grade"))


def grouped_run(name: str, lines: Iterable[tuple[int, RunLine]], complain: Complain) -> dict[str, dict[str, Entry]]:
    """A run by query; a document given twice is complained of, and the first kept."""
    run: dict[str, dict[str, Entry]] = {}
    for number, line in lines:
        entries = run.setdefault(line.query, {})
        if (first := entries.get(line.document)) is not None:
            what = f"document {line.document!r} of query {line.query!r}"
            complain(duplicate(name, what, first.line, number))
            continue
        entries[line.document] = Entry(line.score, line.rank, number)
    return run


def grouped_qrels(name: str, lines: Iterable[tuple[int, Grade]], complain: Complain) -> dict[str, dict[str, float]]:
    """Judgements by query; a document judged twice is complained of, and the first kept."""
    qrels: dict[str, dict[str, float]] = {}
    seen: dict[str, dict[str, int]] = {}
    for number, line in lines:
        places = seen.setdefault(line.query, {})
        if line.document in places:
            what = f"the judgement of document {line.document!r} for query {line.query!r}"
            complain(duplicate(name, what, places[line.document], number))
            continue
        places[line.document] = number
        qrels.setdefault(line.query, {})[line.document] = line.grade
    return qrels


def best_first(entries: Mapping[str, Entry]) -> list[str]:
    """Document ids by descending score, then by rank, then as given: scores are trusted over ranks, as by trec_eval."""
    return sorted(entries, key=lambda d: (-_value(entries[d]), entries[d].rank, entries[d].line))


def ranks_disagree(entries: Mapping[str, Entry]) -> bool:
    """Whether a document with a better rank has a lower score than a later one."""
    by_rank = sorted(entries.values(), key=lambda entry: (entry.rank, -_value(entry)))
    return any(_value(a) < _value(b) for a, b in pairwise(by_rank))


def scores_of(entries: Mapping[str, Entry]) -> dict[str, float]:
    """Scores by document, best first; where the run has ranks only, the rank negated."""
    return {document: _value(entries[document]) for document in best_first(entries)}


def decreasing(ranking: Ranking) -> list[float]:
    """Scores for the hits that decrease strictly, read as float64 and as float32 alike (trec_eval reads the latter).

    The ranker's scores, or first-stage scores where there was no ranker, are kept as they are while they decrease.
    A hit that has no score, or whose float32 is not below that of the hit above, gets the next lower float32; so no
    score is lowered by more than it must be. Subnormal numbers are passed over, since some processors read them as
    0. Without any scores: n, n-1, … 1.

    Raises:
        BadInput: a score is not finite, or lies below the range of float32 so that nothing fits under it.
    """
    scores: list[float] = []
    for hit, score in zip(ranking, _given_scores(ranking), strict=True):
        if score is not None and not math.isfinite(score):
            raise BadInput(f"document {hit.document.id!r}: its score is {score}; scores are finite numbers or None")
        if score is None or (scores and _float32(score) >= _float32(scores[-1])):
            score = _below(scores[-1])
        if not math.isfinite(score):
            raise BadInput(f"query {ranking.query.id!r}: scores beyond the range of float32 leave no room; scale them")
        scores.append(float(score))
    return scores


def run_lines(rankings: Iterable[Ranking], tag: str | None = None) -> Iterator[str]:
    """Lines of a TREC run, scores strictly decreasing (see `decreasing`).

    Args:
        rankings: what to write.
        tag: the last column; the name of the ranker if None. Blanks in it become "_".

    Raises:
        BadInput: an id cannot stand in a run.
    """
    for ranking in rankings:
        name = _BLANKS.sub("_", (tag or ranking.ranker or "whyrank").strip()) or "whyrank"
        query = _writable(ranking.query.id, "query", blanks=False)
        for rank, (hit, score) in enumerate(zip(ranking, decreasing(ranking), strict=True), 1):
            yield f"{query} Q0 {_writable(hit.document.id, 'document')} {rank} {score!r} {name}"


def qrels_lines(qrels: Qrels, *, is_beir: bool = False) -> Iterator[str]:
    """Lines of judgements in TREC's form or, with header and tabs, in BEIR's. Whole grades are written as such."""
    if is_beir:
        yield "query-id\tcorpus-id\tscore"
    for query, grades in qrels.items():
        for document, grade in grades.items():
            number = int(grade) if float(grade).is_integer() else float(grade)
            names = _writable(query, "query", blanks=False), _writable(document, "document")
            yield "\t".join([*names, str(number)]) if is_beir else f"{names[0]} 0 {names[1]} {number}"


def _filled(source: Source, complain: Complain) -> Iterator[tuple[int, str]]:
    return ((number, line.rstrip("\r\n")) for number, line in source.lines(complain) if not line.isspace())


def _without_header(lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    for number, line in lines:
        if number > 1 or not is_qrels_header(line):
            yield number, line


def is_qrels_header(line: str) -> bool:
    """Whether this is the first line of a BEIR judgement file."""
    columns = line.rstrip("\r\n").lower().split("\t")
    return len(columns) == 3 and columns[2] in {"score", "label", "relevance", "grade"}


def _split(line: str, *, before: int, after: int, layout: str) -> list[str]:
    total = before + 1 + after
    columns = line.split(" ")
    if len(columns) == total and all(columns) and "\t" not in line:
        return columns
    if line.count("\t") == total - 1:
        return [column.strip(" ") for column in line.split("\t")]
    head = _BLANKS.split(line.strip(" \t"), maxsplit=before)
    tail: list[str] = []
    while len(tail) < after and len(head) > before:
        rest, last = _last_word(head[before])
        tail.insert(0, last)
        head[before:] = [rest] if rest else []
    if len(head) + len(tail) != total:
        raise Wrong(f"{len(head) + len(tail)} columns instead of {total}", f"give {layout}")
    return head + tail


def _last_word(text: str) -> tuple[str, str]:
    cut = max(text.rfind(" "), text.rfind("\t"))
    return text[: cut + 1].rstrip(" \t"), text[cut + 1 :]


def _number_of(text: str, name: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise Wrong(f"{name} {text!r} is no number", "give a finite number") from None
    if not math.isfinite(value):
        raise Wrong(f"{name} is {text}", "give a finite number; leave out what has none")
    return value


def _value(entry: Entry) -> float:
    return -float(entry.rank) if entry.score is None else entry.score


def _given_scores(ranking: Ranking) -> list[float | None]:
    """Scores of the ranker, else of the first stage, else by place; the first hit has one."""
    given = [hit.score for hit in ranking]
    if all(score is None for score in given):
        given = [hit.first_score for hit in ranking]
    known = next((place for place, score in enumerate(given) if score is not None), None)
    if known is None:
        return [float(n) for n in range(len(given), 0, -1)]
    lowest = given[known] or 0.0
    return [lowest + float(known - place) for place in range(known)] + given[known:]


def _float32(value: float) -> float:
    return array("f", [value])[0]


def _below(value: float) -> float:
    """The next lower float32 of `value` as float32, passing over subnormal numbers.

    >>> _below(1.0), _below(0.0) == -(2.0**-126)
    (0.9999999403953552, True)
    """
    [bits] = struct.unpack("=I", array("f", [value]).tobytes())
    magnitude = bits & 0x7FFFFFFF
    if value > 0 and magnitude > _SMALLEST_NORMAL:
        bits -= 1
    elif value > 0 and magnitude:
        bits = 0
    elif magnitude < _SMALLEST_NORMAL:
        bits = _SMALLEST_NORMAL | 0x80000000
    else:
        bits += 1
    [below] = struct.unpack("=f", struct.pack("=I", bits))
    return float(below)


def _writable(name: str, kind: str, *, blanks: bool = True) -> str:
    if not name or name != name.strip() or any(c in name for c in "\t\r\n") or (not blanks and " " in name):
        raise BadInput(
            f"{kind} id {name!r} cannot stand in this file; ids are not empty, have no tabs, line ends or outer blanks"
            + ("" if blanks else ", and a query id has no blanks: rename it")
        )
    return name
