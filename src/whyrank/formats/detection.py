"""The table of formats, and which of them a file is in: seen by its content first, by its name where that is open."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from whyrank.errors import BadInput, unknown
from whyrank.formats import documents, dpr, json_values, rankings, rankllm, trec
from whyrank.formats.files import Source, opening
from whyrank.formats.problems import Complain, Wrong, fail

Kind: TypeAlias = Literal["documents", "rankings", "run", "qrels", "folder"]
Scan: TypeAlias = Callable[[Source, Complain], Iterator[tuple[int, Any]]]

_SAMPLE = 1 << 16
_LARGEST_RECORD = 1 << 26
_MAGIC = {
    b"PK\x03\x04": "a zip archive",
    b"%PDF": "a PDF",
    b"PAR1": "a Parquet file",
    b"BZh": "bzip2 data",
    b"\xfd7zXZ": "xz data",
    b"\x28\xb5\x2f\xfd": "zstd data",
}
_STRUCTURED = (".csv", ".tsv", ".json", ".jsonl", ".trec", ".run", ".qrels")


@dataclass(frozen=True)
class Head:
    """The start of a file: its name in lower case without .gz, its first lines, its first JSON value if it is JSON."""

    name: str
    lines: tuple[str, ...]
    value: Any = None

    @property
    def keys(self) -> set[str]:
        """The keys of the first record; none where it is no JSON object."""
        return set(self.value) if isinstance(self.value, dict) else set()


@dataclass(frozen=True)
class Format:
    """One way to write something down.

    Attributes:
        kind: what it holds.
        description: one line for `--help`.
        sniff: whether a file that starts like this is in this format.
        scan: yields (line, object) of a source; objects are those of `whyrank.types`, or lines of `trec`.
    """

    kind: Kind
    description: str
    sniff: Callable[[Head], bool]
    scan: Scan | None


def detect(path: str | Path) -> str:
    """The name of the format that a file or folder is in.

    Raises:
        MissingFile: no such file.
        BadInput: it cannot be told; the message lists what comes into question.
    """
    if str(path) != "-" and Path(path).is_dir():
        return "folder"
    with opening(path) as source:
        return detect_source(source)


def detect_source(source: Source) -> str:
    """The same for an open source, which can be read afterwards.

    Raises:
        BadInput: it cannot be told.
    """
    head = _head(source)
    found = [name for name, form in FORMATS.items() if form.sniff(head)]
    if len(found) > 1:
        found = [name for name in found if name.removesuffix("s") in head.name] or found
    if len(found) == 1:
        return found[0]
    if found:
        raise BadInput(f"{source.name}: may be {' or '.join(found)}; name the format")
    if head.value is None and not head.name.endswith(_STRUCTURED):
        return "text"
    seen = f"the first record has the keys {', '.join(sorted(head.keys))}" if head.keys else f"it starts {_start(head)}"
    raise BadInput(f"{source.name}: format not recognised ({seen}); name one of {', '.join(FORMATS)}")


def look_up(name: str) -> Format:
    """The format of that name.

    Raises:
        UnknownName: there is none.
    """
    if name not in FORMATS:
        raise unknown("format", name, FORMATS)
    return FORMATS[name]


def _head(source: Source) -> Head:
    data = source.peek(_SAMPLE)
    if magic := next((what for magic, what in _MAGIC.items() if data.startswith(magic)), None):
        raise BadInput(f"{source.name}: is {magic}; unpack or convert it (gzip is read as it is)")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        next(source.lines(fail), None)  # raises, with line and remedy
    if b"\0" in data:
        raise BadInput(f"{source.name}: holds NUL bytes, so it is no text; name the format if it is meant")
    text = data.decode(errors="replace").removeprefix("\ufeff").lstrip()
    if not text or text.replace(" ", "") in {"[]", "[]\n"}:
        raise BadInput(f"{source.name}: is empty; no format can be seen, name it")
    name = Path(source.name).name.lower().removesuffix(".gz")
    lines = tuple(line for line in text.split("\n")[:20] if line.strip())[:5]
    return Head(name, lines, _first_value(source) if text[0] in "[{" else None)


def _first_value(source: Source) -> Any:
    """The first record, however long; None if this is no JSON."""
    size = _SAMPLE
    while True:
        data = source.peek(size)
        try:
            value = json_values.first_value(data.decode(errors="replace").removeprefix("\ufeff"))
            return value if isinstance(value, dict | str) else None  # "[1] as shown by …" is prose
        except Wrong:
            if len(data) < size or size > _LARGEST_RECORD:
                return None
            size *= 2


def _start(head: Head) -> str:
    return repr(head.lines[0][:60]) if head.lines else "with nothing"


def _is_ranking(head: Head) -> bool:
    return "whyrank" in head.keys or {"query", "documents"} <= head.keys


def _is_request(head: Head) -> bool:
    return "query" in head.keys and bool({"candidates", "hits"} & head.keys) and "whyrank" not in head.keys


def _is_result(head: Head) -> bool:
    return {"question", "ctxs"} <= head.keys


def _is_documents(head: Head) -> bool:
    if isinstance(head.value, str):
        return True
    return bool(set(documents.TEXT_KEYS) & head.keys) and not _is_ranking(head) and not _is_request(head)


def _is_table(head: Head) -> bool:
    header = documents.header_of(head.lines[0]) if head.value is None and head.lines else None
    if header is None:
        return False
    if head.name.endswith((".csv", ".tsv")):
        return True
    # "text, images and sound" may start an essay; names of columns are words.
    return len(header[1]) > 1 and all(re.fullmatch(r"[\w.-]{1,40}", name) for name in header[1])


def _is_run(head: Head) -> bool:
    return head.value is None and any(map(_is_run_line, head.lines)) and not trec.is_qrels_header(head.lines[0])


def _is_run_line(line: str) -> bool:
    words = line.split()
    if len(words) >= 6:
        return _is_number(words[-3]) and _is_number(words[-2])
    columns = line.rstrip("\r").split("\t")
    return len(columns) == 3 and columns[2].strip().isdecimal()


def _is_qrels(head: Head) -> bool:
    return head.value is None and (
        any(map(_is_grade_line, head.lines)) or (bool(head.lines) and trec.is_qrels_header(head.lines[0]))
    )


def _is_grade_line(line: str) -> bool:
    words = line.split()
    if len(words) >= 4 and words[1] in {"0", "Q0", "q0"} and _is_number(words[-1]):
        return not _is_run_line(line)
    columns = line.rstrip("\r").split("\t")
    return len(columns) == 3 and columns[2].strip().lstrip("-").isdecimal()


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _never(_head: Head) -> bool:
    return False


FORMATS: dict[str, Format] = {
    "jsonl": Format(
        "documents",
        "documents, one JSON object a line or a JSON array: id, text, title; other keys are metadata",
        _is_documents,
        documents.scan_jsonl,
    ),
    "csv": Format(
        "documents",
        "documents in a table with a header that names a text column; comma, semicolon or tab",
        _is_table,
        documents.scan_csv,
    ),
    "text": Format("documents", "documents, one line of plain text each", _never, documents.scan_text),
    "rankings": Format(
        "rankings",
        "rankings as whyrank writes them, one a line, or {query, documents, scores}",
        _is_ranking,
        rankings.scan_rankings,
    ),
    "rankllm": Format("rankings", "RankLLM requests, JSON or JSON Lines", _is_request, rankllm.scan_requests),
    "dpr": Format("rankings", "DPR's results: questions with answers and passages", _is_result, dpr.scan_results),
    "run": Format("run", "TREC run of six columns, or MS MARCO run: query, document, rank", _is_run, trec.scan_run),
    "qrels": Format("qrels", "judgements: TREC's four columns, or BEIR's table", _is_qrels, trec.scan_qrels),
    "folder": Format("folder", "a collection: corpus, queries, qrels and runs in one folder", _never, None),
}
"""Every format by its name."""
