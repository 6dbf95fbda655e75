"""Teachers that others have asked: files in their formats, read as teacher records.

    records = import_records("r2r", "train-msmarco-500.jsonl.gz")

A line that holds no list is a problem, named by path and line. A list whose answer cannot be used is a record with
its status: nothing is dropped.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, TypeAlias

from whyrank.errors import BadInput, unknown
from whyrank.formats.files import Source, opening
from whyrank.formats.problems import Complain, fail
from whyrank.teach import (
    imported_conversations,
    imported_r2r,
    imported_rankgpt,
    imported_runs,
    imported_windows,
)
from whyrank.teach.records import TeacherRecord, request_key

Read: TypeAlias = Callable[[Path, Complain], Iterable[tuple[int, TeacherRecord]]]
Scan: TypeAlias = Callable[[Source, Complain], Iterator[tuple[int, TeacherRecord]]]
Files: TypeAlias = Callable[[Path], Sequence[Path]]


@dataclass(frozen=True, slots=True)
class Importer:
    """One format in which a teacher's lists are published.

    Attributes:
        description: one line for `--help`.
        source: where the format comes from.
        read: yields records with the lines they start on; their keys and sources are filled in afterwards.
        model: who answered, where the file does not say.
        prompt: the name of the prompt that was asked.
        is_named_for_model: whether files are called as who answered, such as "gpt-4.jsonl.gz".
        files: all files that are read where one is named.
        depth: documents of a list that are kept, best first, unless a number is given; None where all are.
    """

    description: str
    source: str
    read: Read
    model: str = ""
    prompt: str = ""
    is_named_for_model: bool = False
    files: Files = lambda path: (path,)
    depth: int | None = None


class Imported(NamedTuple):
    """What a file came to.

    Attributes:
        records: one a list.
        cut: lists that held more documents than are kept.
    """

    records: list[TeacherRecord]
    cut: int


def import_records(kind: str, path: str | Path, *, model: str = "", complain: Complain = fail) -> list[TeacherRecord]:
    """The records of `import_lists`."""
    return import_lists(kind, path, model=model, complain=complain).records


def import_lists(
    kind: str, path: str | Path, *, model: str = "", depth: int | None = None, complain: Complain = fail
) -> Imported:
    """The records of a file in another format.

    A list that stands in it several times is kept each time, under a key of its own.

    Args:
        kind: one of `IMPORTERS`.
        path: the file, plain or gzipped.
        model: who answered; "" takes what the file or its name says.
        depth: documents of a list that are kept, for a format whose lists are cut; None for that format's own number.
        complain: told every line that cannot be read; unless it raises, the others are read all the same.

    Raises:
        UnknownName: no such format.
        BadInput: a depth below 1, or for a format whose lists are kept whole.
        BadRecord: a line is no such list, named by path and line.
        MissingFile: there is no such file.
    """
    importer = _importer(kind)
    kept = _depth(kind, importer, depth)
    otherwise = _stem(Path(path).name) if importer.is_named_for_model else importer.model
    seen: dict[str, int] = {}
    records, cut = [], 0
    for line, record in importer.read(Path(path), complain):
        is_longer = kept is not None and len(record.order) > kept
        cut += is_longer
        signed = replace(
            _best(record, kept) if kept is not None and is_longer else record,
            model=model or record.model or otherwise,
            prompt=record.prompt or importer.prompt,
            source=f"{kind}:{Path(path).name}:{line}",
        )
        key = _key(signed, "")
        seen[key] = seen.get(key, 0) + 1
        records.append(replace(signed, key=key if seen[key] == 1 else _key(signed, str(seen[key]))))
    return Imported(records, cut)


def files_read(kind: str, path: str | Path) -> Sequence[Path]:
    """All files that importing this one reads: lists and answers may lie in two, and a run in its collection.

    Raises:
        UnknownName, BadInput, MissingFile: as `import_lists`.
    """
    return _importer(kind).files(Path(path))


def _importer(kind: str) -> Importer:
    if kind not in IMPORTERS:
        raise unknown("format of teacher data", kind, IMPORTERS)
    return IMPORTERS[kind]


def _depth(kind: str, importer: Importer, depth: int | None) -> int | None:
    if depth is None:
        return importer.depth
    if importer.depth is None:
        known = ", ".join(name for name, other in IMPORTERS.items() if other.depth is not None)
        raise BadInput(f"a depth of {depth} for {kind!r}, whose lists are kept whole; leave it out, it is for {known}")
    if depth < 1:
        raise BadInput(f"a depth of {depth}; keep at least 1 document of a list")
    return depth


def _best(record: TeacherRecord, depth: int) -> TeacherRecord:
    """The best documents of a list that tells no reasons, in the order in which they were shown."""
    kept = sorted(record.order[:depth])
    documents = tuple(record.documents[place] for place in kept)
    ids = {document.id for document in documents}
    return replace(
        record,
        documents=documents,
        order=tuple(kept.index(place) for place in record.order[:depth]),
        scores=tuple(record.scores[place] for place in kept),
        labels={document: grade for document, grade in record.labels.items() if document in ids},
    )


def _key(record: TeacherRecord, variant: str) -> str:
    return request_key(record.query.text, record.documents, model=record.model, prompt=record.prompt, variant=variant)


def _stem(name: str) -> str:
    return name.removesuffix(".gz").removesuffix(".jsonl").removesuffix(".json")


def _lines(scan: Scan) -> Read:
    """A reader of a file that is one stream of JSON values."""

    def read(path: Path, complain: Complain) -> Iterator[tuple[int, TeacherRecord]]:
        with opening(path) as source:
            yield from scan(source, complain)

    return read


IMPORTERS: Mapping[str, Importer] = {
    "r2r": Importer(
        "Reason-to-Rank: an order, direct and comparing reasons, and the sentence that answers (JSONL)",
        "JoyDajunSpaceCraft/Reason-to-Rank, scripts/train/train_data; arXiv 2410.05168",
        _lines(imported_r2r.scan),
        model="gpt-4",
        prompt="r2r",
    ),
    "windows": Importer(
        "an order of a few passages and a free text that says why (JSONL)",
        "JoyDajunSpaceCraft/Distillation-Is-All-You-Need, data/GPT3.5 and data/GPT4, converted",
        _lines(imported_windows.scan),
        is_named_for_model=True,
    ),
    "rankgpt": Importer(
        "RankGPT: lists of passages, and the permutations that a teacher answered (JSON beside JSONL, or one JSONL)",
        "sunnweiwei/RankGPT, specialization.py; arXiv 2304.09542",
        imported_rankgpt.read,
        prompt="rankgpt",
        files=imported_rankgpt.files,
    ),
    "conversations": Importer(
        "training conversations of listwise rankers such as RankZephyr: a prompt with passages, and a ranking (JSONL)",
        "castorini/rank_llm; liuqi6777/llm4ranking, toy_data; arXiv 2312.02724",
        _lines(imported_conversations.scan),
        prompt="rankzephyr",
    ),
    "dear-cot": Importer(
        "DeAR: reasoning that ends in a ranking, in Alpaca's form (JSONL)",
        "abdoelsayed/DeAR-COT; arXiv 2508.16998",
        _lines(imported_conversations.scan_cot),
        model="gpt-4o",
        prompt="dear",
    ),
    "run": Importer(
        "any ranker's TREC run in the folder of its corpus and queries; scores and judged grades are kept",
        "TREC's run format",
        imported_runs.read,
        files=imported_runs.files,
        depth=imported_runs.DEPTH,
    ),
}
"""Name of a format → how it is read."""
