"""The teacher record: one list of candidates, the order a teacher gave it, its reasons, and what it cost.

One JSON object a line; `SCHEMA` names the version, and a file may hold one version only. A record is valid when its
order is a permutation of its documents and every span lies inside the document it points at: what a teacher answered
badly is kept with its status and an empty order, so that it is counted and never trained on.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from whyrank.errors import BadInput
from whyrank.formats import json_values
from whyrank.formats.files import opening, replacing
from whyrank.formats.problems import Wrong, fail, parsed
from whyrank.types import Document, Query, Status, Usage

SCHEMA = "whyrank-teacher/1"
Mode: TypeAlias = Literal["ranking", "direct", "both"]
MODES: tuple[Mode, ...] = get_args(Mode)
STATUSES: tuple[Status, ...] = get_args(Status)
USABLE: tuple[Status, ...] = ("ok", "repaired")
_ACCEPTED = f"give one record of schema {SCHEMA!r} a line, as `whyrank teach export` writes them"


@dataclass(frozen=True, slots=True)
class Reasons:
    """What a teacher said about one document; "" where it said nothing.

    Attributes:
        direct: why it answers the query, or does not.
        comparison: why it stands where it stands among the others.
        answer: the sentence that answers, as the teacher wrote it.
        span: where `answer` stands in the document's text, code points [start, end); None if it does not.
    """

    direct: str = ""
    comparison: str = ""
    answer: str = ""
    span: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class TeacherRecord:
    """One list that a teacher was shown.

    Attributes:
        key: what makes it the same request (`request_key`); one record a key.
        query: what was asked.
        documents: the candidates in the order in which they were shown, as they were shown.
        order: places (0-based) in `documents`, best first: a permutation, or empty where the answer ranked nothing.
        scores: one a document, higher is better; None where the teacher gave none. Empty if it gave none at all.
        reasons: one a document, aligned with `documents`; empty if none were asked for.
        thought: what the teacher wrote before its answer.
        answer: the answer as it came.
        model: who answered.
        prompt: the name of the prompt.
        mode: what was asked for.
        status: what became of the answer.
        usage: calls, tokens and cost.
        source: where an imported record comes from; "" for one that we asked for.
        labels: judged grades by document id, where they are known.
    """

    key: str
    query: Query
    documents: tuple[Document, ...]
    order: tuple[int, ...] = ()
    scores: tuple[float | None, ...] = ()
    reasons: tuple[Reasons, ...] = ()
    thought: str = ""
    answer: str = ""
    model: str = ""
    prompt: str = ""
    mode: Mode = "ranking"
    status: Status = "ok"
    usage: Usage = field(default_factory=Usage)
    source: str = ""
    labels: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        count = len(self.documents)
        if self.order and sorted(self.order) != list(range(count)):
            raise BadInput(f"query {self.query.id!r}: order {list(self.order)} is no permutation of 0 to {count - 1}")
        if not self.order and self.status in USABLE and count:
            raise BadInput(f"query {self.query.id!r}: status {self.status!r} without an order of {count} documents")
        for name, column in (("scores", self.scores), ("reasons", self.reasons)):
            if column and len(column) != count:
                raise BadInput(f"query {self.query.id!r}: {len(column)} {name} for {count} documents; give one each")
        for name, grade in self.labels.items():
            if not math.isfinite(grade):
                raise BadInput(f"query {self.query.id!r}: the label of document {name!r} is {grade}; give a number")
        for document, said in zip(self.documents, self.reasons, strict=False):
            if said.span is not None and not 0 <= said.span[0] < said.span[1] <= len(document.text):
                raise BadInput(
                    f"document {document.id!r}: span {said.span} lies outside its {len(document.text)} characters"
                )

    @property
    def is_usable(self) -> bool:
        """Whether it has an order to learn from."""
        return self.status in USABLE and bool(self.order)


def request_key(query: str, documents: Sequence[Document], *, model: str, prompt: str, variant: str = "") -> str:
    """The sha256 of what a teacher is asked: query, documents as shown and in their order, model, prompt.

    Args:
        query: its text.
        documents: as shown.
        model: who is asked.
        prompt: its name and fingerprint.
        variant: anything else that makes another request of it, such as a seed.
    """
    shown = [(d.id, d.title, d.text) for d in documents]
    made_of = json.dumps([query, shown, model, prompt, variant], ensure_ascii=True)
    return hashlib.sha256(made_of.encode()).hexdigest()


def to_json(record: TeacherRecord) -> dict[str, Any]:
    """A record as JSON values; what is empty is left out, save what every record has."""
    values = {"schema": SCHEMA, **asdict(record)}
    return {name: value for name, value in values.items() if name in _REQUIRED or value not in ("", (), {}, [])}


def from_json(value: Any) -> TeacherRecord:
    """The record that `to_json` made this of.

    Raises:
        Wrong: it is none, of another schema, or not valid.
    """
    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        found = f"a record of schema {value.get('schema')!r}" if isinstance(value, dict) else type(value).__name__
        raise Wrong(found, _ACCEPTED)
    if absent := [name for name in _REQUIRED if value.get(name) in (None, "")]:
        raise Wrong(f"a record without {', '.join(absent)}", _ACCEPTED)
    for name, known in (("mode", MODES), ("status", STATUSES)):
        if value.get(name, known[0]) not in known:
            raise Wrong(f"the {name} {value[name]!r}", f"give one of {', '.join(known)}")
    if strange := value.keys() - _KNOWN:
        raise Wrong(f"unknown fields {', '.join(sorted(strange))}", _ACCEPTED)
    try:
        return TeacherRecord(
            query=Query(**_typed(value["query"], _QUERY, "query")),
            documents=tuple(Document(**_typed(one, _DOCUMENT, "document")) for one in value["documents"]),
            order=tuple(map(_place, value.get("order", ()))),
            scores=tuple(json_values.finite(score, "scores") for score in value.get("scores", ())),
            reasons=tuple(map(_reasons, value.get("reasons", ()))),
            usage=Usage(**_typed(value.get("usage", {}), _USAGE, "usage")),
            **_typed(value, _PLAIN, "record", is_closed=False),
        )
    except (BadInput, KeyError, TypeError, AttributeError) as error:
        what = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise Wrong(f"not a valid record ({what})", _ACCEPTED) from error


_REQUIRED = ("schema", "key", "query", "documents")
_Kinds: TypeAlias = Mapping[str, type | tuple[type, ...]]
_QUERY: _Kinds = {"id": str, "text": str, "metadata": dict}
_DOCUMENT: _Kinds = {"id": str, "text": str, "title": (str, type(None)), "metadata": dict}
_USAGE: _Kinds = {f.name: (int, float, type(None)) if f.name == "cost" else (int, float) for f in fields(Usage)}
_SAID: _Kinds = {"direct": str, "comparison": str, "answer": str, "span": (list, type(None))}
_PLAIN: _Kinds = {
    **dict.fromkeys(("key", "thought", "answer", "model", "prompt", "mode", "status", "source"), str),
    "labels": dict,
}
_KNOWN = {f.name for f in fields(TeacherRecord)} | {"schema"}


def _typed(value: Any, kinds: _Kinds, what: str, *, is_closed: bool = True) -> dict[str, Any]:
    """The named fields of an object, each of its kind; Wrong where one is not, or, if closed, for any other field."""
    if not isinstance(value, dict):
        raise Wrong(f"the {what} is {type(value).__name__}", _ACCEPTED)
    if is_closed and (strange := value.keys() - kinds):
        raise Wrong(f"unknown fields of the {what}: {', '.join(sorted(strange))}", _ACCEPTED)
    for name, kind in kinds.items():
        if name in value and (not isinstance(value[name], kind) or isinstance(value[name], bool)):
            raise Wrong(f"the {name!r} of the {what} is {type(value[name]).__name__}", _ACCEPTED)
    return {name: value[name] for name in kinds if name in value}


def _place(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise Wrong(f"a place in the order is {value!r}, which is no whole number", _ACCEPTED)
    return value


def _reasons(value: Any) -> Reasons:
    said = _typed(value, _SAID, "reasons")
    span = said.pop("span", None)
    if span is None:
        return Reasons(**said)
    if len(span) != 2:
        raise Wrong(f"a span is {span}; it has a start and an end", _ACCEPTED)
    return Reasons(**said, span=(_place(span[0]), _place(span[1])))


def read_records(path: str | Path) -> list[TeacherRecord]:
    """The records of a JSONL file, plain or gzipped.

    Raises:
        BadRecord: a line is no record of this schema, named by path and line.
        MissingFile: there is no such file.
    """
    with opening(path) as source:
        values = json_values.values(source, fail)
        return [record for _, record in parsed(source.name, values, lambda value, _: from_json(value), fail)]


def write_records(path: str | Path, records: Iterable[TeacherRecord]) -> int:
    """Write records as JSONL, whole or not at all; returns how many."""
    count = 0
    with replacing(path) as file:
        for record in records:
            file.write(f"{json_values.dumps(to_json(record))}\n".encode())
            count += 1
    return count
