"""BM25 as Lucene scores it, over bm25s: eager sparse scores, memory-mapped from disk.

Robertson & Zaragoza, 2009; Lucene's variant as in Kamphuis et al., 2020. k1 = 0.9 and b = 0.4 are Anserini's BEIR
settings, title and text are one field. Deviates: document lengths are exact where Lucene rounds them to one byte.
"""

import math
from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from whyrank.errors import BadInput, Corrupt, DuplicateId, unknown
from whyrank.retrieve import index_folder as folders
from whyrank.retrieve import stored
from whyrank.text import LANGUAGES, analyze
from whyrank.types import Document, Hit, Progress, Query, Ranking

KIND, FORMAT = "whyrank BM25 index", 1
WEIGHTS, POSITIONS, COLUMNS = "weights.f32", "positions.i32", "columns.i64"
_ARRAYS = {WEIGHTS: ("data", "<f4"), POSITIONS: ("indices", "<i4"), COLUMNS: ("indptr", "<i8")}
"""File → the name that bm25s gives to its array, and its type."""
_FILES = (
    *(WEIGHTS, POSITIONS, COLUMNS),
    *(stored.DOCUMENTS, stored.DOCUMENT_STARTS),
    *(stored.TERMS, stored.TERM_STARTS, stored.TERM_COLUMNS),
)
_PROGRESS_EVERY = 256


class _Documents(Protocol):
    def __len__(self) -> int: ...
    def __getitem__(self, position: int, /) -> Document: ...


class _Vocabulary(Protocol):
    def get(self, term: str, /) -> int | None: ...


class BM25:
    """A collection that can be searched. Make one with `BM25.build` or `BM25.load`.

    A search reads and never changes the index, so threads may share one. Hits are documents that share a term with
    the query; equal scores stand in the order in which the documents were given.
    """

    def __init__(
        self,
        documents: _Documents,
        vocabulary: _Vocabulary,
        weights: "dict[str, npt.NDArray[Any]]",
        *,
        language: str,
        k1: float,
        b: float,
        folder: Path | None = None,
    ) -> None:
        self.language, self.k1, self.b = language, k1, b
        self.name = f"bm25 (lucene, k1={k1:g}, b={b:g}, {language})"
        self._documents, self._vocabulary, self._weights, self._folder = documents, vocabulary, weights, folder
        self._scorer = _scorer(k1, b)
        self._scorer.scores = {**weights, "num_docs": len(documents)}
        self._scorer.nonoccurrence_array = None

    @classmethod
    def build(
        cls,
        documents: Iterable[Document],
        *,
        language: str = "en",
        k1: float = 0.9,
        b: float = 0.4,
        progress: Progress | None = None,
    ) -> "BM25":
        """Index a collection in memory.

        Args:
            documents: the collection; it is held in memory.
            language: how words become terms, one of `whyrank.text.LANGUAGES`.
            k1: how soon repetition stops counting, at least 0.
            b: how much length is discounted, from 0 to 1.
            progress: called with (documents analysed, documents) now and then, and at the end.

        Raises:
            BadInput: k1 or b out of range, or something that is no Document.
            DuplicateId: two documents share an id.
            UnknownName: no such language.
        """
        _check_settings(language, k1, b)
        held = _distinct(documents)
        vocabulary: dict[str, int] = {}
        columns = []
        for done, document in enumerate(held, 1):
            terms = analyze(document.full_text, language)
            columns.append(array("i", [vocabulary.setdefault(term, len(vocabulary)) for term in terms]))
            if progress and (done % _PROGRESS_EVERY == 0 or done == len(held)):
                progress(done, len(held))
        return cls(held, vocabulary, _weights(columns, vocabulary, k1, b), language=language, k1=k1, b=b)

    @classmethod
    def load(cls, folder: str | Path) -> "BM25":
        """Open a saved index. Nothing is read but the manifest and headers; the rest is mapped into memory.

        Raises:
            MissingFile: there is no such folder.
            Corrupt: it is no index, is incomplete, or has another format. `verify` finds changed bytes too.
        """
        path = Path(folder)
        manifest = folders.read_manifest(path, KIND, FORMAT, _FILES)
        postings, terms, documents = manifest["postings"], manifest["terms"], manifest["documents"]
        lengths = {WEIGHTS: postings, POSITIONS: postings, COLUMNS: terms + 1}
        weights = {key: folders.open_array(path / name, dtype, lengths[name]) for name, (key, dtype) in _ARRAYS.items()}
        if weights["indptr"][0] != 0 or weights["indptr"][-1] != postings:
            raise Corrupt(f"{path / COLUMNS}: does not cover the {postings} postings; {folders.REBUILD}")
        return cls(
            stored.StoredDocuments(path, documents),
            stored.StoredTerms(path, terms),
            weights,
            language=manifest["language"],
            k1=manifest["k1"],
            b=manifest["b"],
            folder=path,
        )

    def save(self, folder: str | Path, *, overwrite: bool = False) -> None:
        """Write the index into a new folder, whole or not at all.

        Raises:
            Unwritable: an index stands there and `overwrite` is False; something else stands there; it cannot be
                written. What stood there is untouched.
            BadInput: a document's metadata would not come back as it is.
            Corrupt: this index was loaded from files that have been damaged.
        """
        self.verify()
        with folders.creating(Path(folder), overwrite=overwrite) as path:
            if self._folder is not None:
                folders.copy_files(self._folder, path)
                return
            stored.write_documents(path, (self._documents[i] for i in range(len(self))))
            assert isinstance(self._vocabulary, dict)
            stored.write_terms(path, self._vocabulary)
            for name, (key, dtype) in _ARRAYS.items():
                folders.write_array(path / name, self._weights[key], dtype)
            folders.write_manifest(path, KIND, FORMAT, self._facts())

    def verify(self) -> None:
        """Read every file of a loaded index and compare its sha256; an index built in memory has nothing to compare.

        Raises:
            Corrupt: a file differs from what was saved; the message names it.
        """
        if self._folder is not None:
            folders.verify_files(self._folder, folders.read_manifest(self._folder, KIND, FORMAT, _FILES))

    def __len__(self) -> int:
        return len(self._documents)

    def search(self, query: str | Query, k: int = 100) -> Ranking:
        """The best `k` documents for one query, best first, with first-stage scores.

        Fewer where fewer share a term with the query; none for an empty query or one of stop words only.

        Raises:
            BadInput: `k` is less than 1.
            Corrupt: the index is damaged.
        """
        if k < 1:
            raise BadInput(f"k is {k}; ask for 1 document or more")
        asked = Query(id="1", text=query) if isinstance(query, str) else query
        terms = (self._vocabulary.get(term) for term in analyze(asked.text, self.language))
        columns = [column for column in terms if column is not None]
        if not columns:
            return Ranking(asked, (), ranker=self.name)
        try:
            scores = self._scorer.get_scores_from_ids(columns)
        except (IndexError, ValueError) as error:
            raise Corrupt(f"{self._folder}: the postings are damaged ({error}); {folders.REBUILD}") from error
        best = _best(scores, k)
        hits = tuple(
            Hit(self._documents[position], first_score=score, first_rank=rank)
            for rank, (position, score) in enumerate(zip(best.tolist(), scores[best].tolist(), strict=True), 1)
        )
        return Ranking(asked, hits, ranker=self.name)

    def search_many(self, queries: Sequence[Query], *, k: int = 100) -> list[Ranking]:
        """`search` for each query, in their order."""
        return [self.search(query, k) for query in queries]

    def _facts(self) -> dict[str, Any]:
        return {
            "documents": len(self),
            "terms": len(self._weights["indptr"]) - 1,
            "postings": len(self._weights["data"]),
            "language": self.language,
            "k1": self.k1,
            "b": self.b,
        }


def _best(scores: "npt.NDArray[Any]", k: int) -> "npt.NDArray[Any]":
    """Positions of the `k` highest positive scores, highest first, the lower position first among equals."""
    positions = np.flatnonzero(scores > 0)
    if len(positions) > k:
        found = scores[positions]
        least = np.partition(found, -k)[-k]
        # Ties at the border may be many; a stable sort keeps the earliest of them.
        positions = positions[found >= least]
    order = np.argsort(-scores[positions], kind="stable")
    return np.asarray(positions[order][:k])


def _weights(
    columns: "list[array[int]]", vocabulary: dict[str, int], k1: float, b: float
) -> "dict[str, npt.NDArray[Any]]":
    """The sparse matrix of scores, a column a term: what each occurrence adds to its document."""
    if not vocabulary:  # bm25s averages over no documents otherwise
        return {key: np.zeros(1 if name == COLUMNS else 0, dtype) for name, (key, dtype) in _ARRAYS.items()}
    scorer = _scorer(k1, b)
    scorer.index((columns, vocabulary), create_empty_token=False, show_progress=False)
    return {key: np.ascontiguousarray(scorer.scores[key], dtype) for key, dtype in _ARRAYS.values()}


def _scorer(k1: float, b: float) -> Any:
    import bm25s  # late: where scipy or numba are installed it imports them, which takes longer than a search

    return bm25s.BM25(k1=k1, b=b, method="lucene", backend="numpy")


def _distinct(documents: Iterable[Document]) -> list[Document]:
    held: list[Document] = []
    places: dict[str, int] = {}
    for place, document in enumerate(documents, 1):
        if not isinstance(document, Document):
            raise BadInput(f"document {place} is {type(document).__name__}; give whyrank.Document objects")
        first = places.setdefault(document.id, place)
        if first != place:
            raise DuplicateId(
                f"document id {document.id!r} is given twice (places {first} and {place}); ids must differ"
            )
        held.append(document)
    return held


def _check_settings(language: str, k1: float, b: float) -> None:
    if language not in LANGUAGES:
        raise unknown("language", language, LANGUAGES)
    if not (math.isfinite(k1) and k1 >= 0):
        raise BadInput(f"k1 is {k1}; give a number of at least 0 (0.9 by default)")
    if not 0 <= b <= 1:
        raise BadInput(f"b is {b}; give a number from 0 to 1 (0.4 by default)")
