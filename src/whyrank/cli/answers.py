"""What `whyrank evaluate` measures answers by, and who has seen the questions before."""

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from whyrank.cli.progress import Work
    from whyrank.datasets import Dataset
    from whyrank.evaluate import Ties
    from whyrank.evaluate.answers import Asked
    from whyrank.experiment import Outcome
    from whyrank.experiment.comparing import Answered
    from whyrank.types import Ranking, Run


class Given(NamedTuple):
    """Files that were named: answers, and the texts of a run's documents."""

    answers: str | None
    corpus: str | None


def measures_of(names: "Sequence[str] | None", given: Given, *, is_judged: bool) -> "Asked":
    """What was asked for; by default the usual measures of what there is to measure by.

    Raises:
        UnknownName: a measure of answers is misspelt.
    """
    from whyrank.evaluate import DEFAULT_MEASURES, MEASURE_SETS
    from whyrank.evaluate.answers import split_measures

    usual = DEFAULT_MEASURES if is_judged or given.answers is None else ()
    return split_measures(names or (*usual, *(MEASURE_SETS["open-qa"] if given.answers else ())))


def answered(
    asked: "Asked",
    runs: "Mapping[str, Run | Sequence[Ranking]]",
    given: Given,
    collection: "Dataset | None",
    ties: "Ties",
    excluded: "Mapping[str, Collection[str]]",
    work: "Work",
) -> "Answered | None":
    """Answers and the texts that they are looked for in; None where no measure asks for them.

    Answers are those of the file, or those that the queries of the rankings or of the collection bring with them. Texts
    of runs are those of the corpus that was named, or of the collection; they may be missing, which is told when a run
    needs them.

    Raises:
        BadInput: there are no answers, or nothing asks for those that were given.
    """
    from whyrank import formats
    from whyrank.errors import BadInput
    from whyrank.evaluate.answers import answers_of, needed_texts
    from whyrank.experiment.comparing import Answered

    if not asked.answered:
        if given.answers or given.corpus:
            raise BadInput(
                "--answers and --corpus are for measures of answers, and none was asked for; add -m Answer@5"
            )
        return None
    if given.answers is not None:
        answers = formats.read_answers(given.answers)
    else:
        own = [ranking.query for run in runs.values() if not hasattr(run, "keys") for ranking in run]
        kept = collection.queries if collection is not None and "queries" in collection.parts else ()
        answers = answers_of([*kept, *own])
    if not answers:
        raise BadInput(
            f"{asked.answered[0]} needs answers, and the queries bring none; give --answers FILE, a line "
            "{'_id': query, 'answers': ['…', …]} for each"
        )
    wanted: set[str] = set()
    for run in runs.values():
        wanted |= needed_texts(run, answers, asked.answered, ties=ties, excluded=excluded)
    return Answered(answers, _texts(wanted, given.corpus, collection, work))


def learnt(outcome: "Outcome", collection: "Dataset | None") -> tuple[str, ...]:
    """Warnings: rankers of ours that learnt from the questions they are measured on, as far as rankings name them."""
    from whyrank.datasets import catalogue

    if collection is None or not (families := catalogue.learnt_by(collection.name, collection.split)):
        return ()
    notes = []
    for label, ranked in outcome.systems.items():
        names = sorted({r.ranker for r in ranked if any(r.ranker.startswith(f"{family}-") for family in families)})
        if names:
            questions = f"questions of {collection.name} ({collection.split})"
            notes.append(f"{label}: {', '.join(names)} learnt from {questions}; its figures here are no test of it")
    return tuple(notes)


def _texts(wanted: "Collection[str]", corpus: str | None, collection: "Dataset | None", work: "Work") -> dict[str, str]:
    """One pass over the corpus; empty where there is none."""
    from whyrank import formats

    if not wanted:
        return {}
    if corpus is not None:
        documents = formats.iter_documents(corpus, progress=work.phase("reading texts"))
    elif collection is not None and "documents" in collection.parts:
        work.phase("reading texts")
        documents = collection.documents()
    else:
        return {}
    return {document.id: document.text for document in documents if document.id in wanted}
