"""A run as a teacher: any ranker whose TREC run lies beside the queries and documents it is for.

    teacher/
      corpus.jsonl  queries.jsonl  qrels.trec (optional)  rankzephyr.trec  or  runs/rankzephyr.trec

Its scores are kept. A run does not say in which order its documents were shown, so they stand in the order of their
ids, which tells a student nothing about the order to learn. The model is the name of the run.
"""

from collections.abc import Iterator
from pathlib import Path

from whyrank.errors import BadInput
from whyrank.formats.folders import Folder, open_folder
from whyrank.formats.problems import Complain
from whyrank.formats.reading import read_qrels, read_rankings
from whyrank.teach.answers import UNKNOWN_COST
from whyrank.teach.records import TeacherRecord
from whyrank.types import Ranking

DEPTH = 100
"""Documents of a list that an import keeps unless another number is given, best first: a teacher's tail teaches little,
and every text is stored."""


def read(path: Path, complain: Complain) -> Iterator[tuple[int, TeacherRecord]]:  # noqa: ARG001 every fault of a run stops
    """Records of a run, one a query with all its documents, numbered in its order.

    Args:
        path: the run, in a folder with its corpus and queries or in its ``runs``; or the folder, if it has one run.
        complain: is told nothing: half a run is no teacher, so its first fault raises.

    Raises:
        BadInput: no such folder around it, or what the run names is not in it.
        BadRecord: a line of the run, the corpus or the queries is wrong.
    """
    folder = _around(path)
    run = folder.run(None) if path.is_dir() else path
    labels = read_qrels(folder.qrels) if folder.qrels else {}
    rankings = read_rankings(run, corpus=folder.need("corpus"), queries=folder.need("queries"))
    for number, ranking in enumerate(rankings, 1):
        yield number, _record(ranking, run.name, labels.get(ranking.query.id, {}))


def files(path: Path) -> tuple[Path, ...]:
    """The run, and of the collection around it what is read.

    Raises:
        BadInput, MissingFile: as `read`.
    """
    folder = _around(path)
    run = folder.run(None) if path.is_dir() else path
    return tuple(file for file in (run, folder.corpus, folder.queries, folder.qrels) if file)


def _around(path: Path) -> Folder:
    if path.is_dir():
        return open_folder(path)
    for place in (path.parent, path.parent.parent):
        folder = open_folder(place)
        if folder.corpus and folder.queries:
            return folder
    raise BadInput(f"{path}: no corpus and queries lie beside this run; put it into the folder of its collection")


def _record(ranking: Ranking, name: str, labels: dict[str, float]) -> TeacherRecord:
    shown = sorted(ranking.hits, key=lambda hit: hit.document.id)
    places = {hit.document.id: place for place, hit in enumerate(shown)}
    return TeacherRecord(
        "",
        ranking.query,
        tuple(hit.document for hit in shown),
        tuple(places[document] for document in ranking.ids),
        scores=tuple(hit.first_score for hit in shown),
        model=name.removesuffix(".gz").removesuffix(".trec").removesuffix(".run"),
        usage=UNKNOWN_COST,
        labels={document: grade for document, grade in labels.items() if document in places},
    )
