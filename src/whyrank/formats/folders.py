"""Folders with a collection: BEIR's layout, and the plain one with queries, corpus, judgements and runs side by side.

corpus.jsonl[.gz]  queries.jsonl[.gz]  qrels/<split>.tsv                             BEIR
corpus.jsonl[.gz]  queries.jsonl[.gz]  qrels.trec[.gz]  <run>.trec[.gz]  runs/…      plain; its split is "test"
train-corpus.jsonl train-queries.jsonl train-qrels.trec                              plain, other splits
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from whyrank.errors import BadInput, MissingFile, unknown

_PART = re.compile(r"(?:(?P<split>[a-z0-9]+)-)?(?P<part>corpus|queries|qrels)\.(?:jsonl|trec|tsv|txt)(?:\.gz)?")
_RUN = re.compile(r"(?P<name>.+?)\.(?:trec|run)(?:\.gz)?")


@dataclass(frozen=True, slots=True)
class Folder:
    """Where the parts of a collection lie; None for what is absent.

    Attributes:
        path: the folder.
        split: which queries and judgements were asked for.
        splits: all that it has.
        runs: run files by name.
    """

    path: Path
    split: str
    splits: tuple[str, ...]
    corpus: Path | None
    queries: Path | None
    qrels: Path | None
    runs: Mapping[str, Path]

    def need(self, part: str) -> Path:
        """The file of "corpus", "queries" or "qrels".

        Raises:
            BadInput: the folder has none for this split.
        """
        found: Path | None = getattr(self, part)
        if found is None:
            others = f"; it has the splits {', '.join(self.splits)}, name one" if self.splits else "; give it yourself"
            raise BadInput(f"{self.path}: has no {part} for the split {self.split!r}{others}")
        return found

    def run(self, name: str | None) -> Path:
        """The file of a run: by name, or the only one if `name` is None.

        Raises:
            BadInput: there is none, or several and none was named.
            UnknownName: no run of that name.
        """
        if name is None:
            if len(self.runs) == 1:
                return next(iter(self.runs.values()))
            known = f"name one of {', '.join(sorted(self.runs))}" if self.runs else "put a run (*.trec) into it"
            raise BadInput(f"{self.path}: has {len(self.runs)} runs; {known}")
        if name not in self.runs:
            raise unknown("run", name, self.runs)
        return self.runs[name]


def open_folder(path: str | Path, split: str | None = None) -> Folder:
    """See what a folder holds; nothing is read yet.

    Args:
        path: the folder.
        split: "test", "dev", "train", …; if None, "test", or the only split there is.

    Raises:
        MissingFile: no such folder.
        BadInput: it holds no part of a collection, or not this split.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise MissingFile(f"{path}: no such folder")
    parts = _parts(folder)
    runs = _runs(folder)
    if not parts and not runs:
        raise BadInput(
            f"{path}: no collection in this folder; it may hold corpus.jsonl, queries.jsonl, qrels.trec or "
            "qrels/<split>.tsv, and runs *.trec, each with .gz or without"
        )
    splits = tuple(sorted({name for part, name in parts if part != "corpus" and name}))
    chosen = split or (splits[0] if len(splits) == 1 else "test")
    if split and split not in splits:
        raise BadInput(f"{path}: no split {split!r}; it has {', '.join(splits) or 'none'}")
    corpus = parts.get(("corpus", chosen), parts.get(("corpus", "")))
    queries = parts.get(("queries", chosen), parts.get(("queries", "")))
    return Folder(folder, chosen, splits, corpus, queries, parts.get(("qrels", chosen)), runs)


def _parts(folder: Path) -> dict[tuple[str, str], Path]:
    """Files by (part, split). Queries and corpus without a split serve all: their split is ""."""
    found: dict[tuple[str, str], Path] = {}
    for file in sorted(folder.iterdir()):
        if (match := _PART.fullmatch(file.name)) and file.is_file():
            part = match["part"]
            found.setdefault((part, match["split"] or ("test" if part == "qrels" else "")), file)
    if (judged := folder / "qrels").is_dir():
        for file in sorted(judged.iterdir()):
            if match := re.fullmatch(r"(?P<split>.+?)\.(?:tsv|trec|txt)(?:\.gz)?", file.name):
                found.setdefault(("qrels", match["split"]), file)
    return found


def _runs(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for place in (folder, folder / "runs"):
        for file in sorted(place.iterdir()) if place.is_dir() else ():
            match = _RUN.fullmatch(file.name)
            if match and file.is_file() and not _PART.fullmatch(file.name):
                found.setdefault(match["name"], file)
    return found
