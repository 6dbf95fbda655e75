"""Permutations of RankGPT: lists of passages, and what the teacher answered about each.

Sun et al., arXiv 2304.09542; sunnweiwei/RankGPT, specialization.py. As published, in two files:

    marco-train-10k.jsonl           {"query", "positive_passages", "retrieved_passages": [{"docid", "title", "text"}]}
    marco-train-10k-gpt3.5.json     ["[2] > [1] > …", …], one answer a list, in order

Name the second; the first lies beside it, and the model is what its name adds. Or in one file: lists of this form, of
RankLLM's ("candidates") or of RankGPT's results ("hits"), each with its answer under "response" or "permutation".
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from whyrank.errors import BadInput
from whyrank.formats import json_values
from whyrank.formats.files import opening
from whyrank.formats.problems import Collector, Complain, Problem, Wrong, parsed
from whyrank.formats.rankllm import request_from
from whyrank.rankers.parsing import Parsed, ranking
from whyrank.teach.answers import UNKNOWN_COST, numbered, outcome
from whyrank.teach.records import TeacherRecord

_ANSWERS = ("response", "permutation")
_ACCEPTED = (
    "give {'query', 'retrieved_passages': [{'docid', 'title', 'text'}], 'response': '[2] > [1] > …'}, or name the file "
    "of answers (marco-train-10k-gpt3.5.json), which lies beside its lists (marco-train-10k.jsonl)"
)
_LISTS = (".jsonl", ".jsonl.gz")


def read(path: Path, complain: Complain) -> Iterator[tuple[int, TeacherRecord]]:
    """Records of one file with lists and answers, or of a file of answers and the lists beside it.

    Raises:
        BadInput: it is a file of answers, and no file of lists lies beside it.
    """
    answers = _answers_of(path, complain)
    if answers is None:
        with opening(path) as source:
            yield from parsed(source.name, json_values.values(source, complain), _record, complain)
        return
    lists = _beside(path)
    with opening(lists) as source:
        values = list(json_values.values(source, complain))
        if len(values) != len(answers):
            what = f"{len(answers)} answers for the {len(values)} lists of {lists.name}"
            complain(Problem(str(path), None, what, "give one answer a list, in the same order"))
        model = _stem(path.name).removeprefix(f"{_stem(lists.name)}-")
        both = [
            (line, {**value, "response": answer, "model": model} if isinstance(value, dict) else value)
            for (line, value), answer in zip(values, answers, strict=False)
        ]
        yield from parsed(source.name, both, _record, complain)


def files(path: Path) -> tuple[Path, ...]:
    """The file, and if it holds answers the lists beside it.

    Raises:
        BadInput, MissingFile: as `read`.
    """
    return (path,) if _answers_of(path, Collector(0)) is None else (path, _beside(path))


def _answers_of(path: Path, complain: Complain) -> list[Any] | None:
    """The answers of a file of answers; None where it holds lists."""
    with opening(path) as source:
        first = next((value for _, value in json_values.values(source, Collector(0))), None)
    if not isinstance(first, str):
        return None
    with opening(path) as source:
        return [answer for _, answer in json_values.values(source, complain)]


def _beside(path: Path) -> Path:
    """The file of lists whose name is the longest beginning of the answers' name."""
    every = sorted(path.parent.glob("*.jsonl*"), key=lambda file: -len(_stem(file.name)))
    for file in every:
        if file.name.endswith(_LISTS) and path.name.startswith(f"{_stem(file.name)}-"):
            return file
    raise BadInput(f"{path}: holds answers, and no file of lists lies beside it; {_ACCEPTED}")


def _stem(name: str) -> str:
    return name.removesuffix(".gz").removesuffix(".jsonl").removesuffix(".json")


def _record(value: Any, number: int) -> TeacherRecord:
    if not isinstance(value, dict):
        raise Wrong(f"a list is {type(value).__name__}", _ACCEPTED)
    key = next((key for key in _ANSWERS if key in value), None)
    if key is None:
        raise Wrong(f"no answer; the keys are {json_values.keys_of(value)}", _ACCEPTED)
    candidates = value.get("retrieved_passages", value.get("candidates", value.get("hits")))
    if isinstance(candidates, list):
        candidates = [_numbered(one, place) for place, one in enumerate(candidates, 1)]
    shown = request_from({**value, "candidates": candidates}, number)
    if not len(shown):
        raise Wrong("the list holds no passages", _ACCEPTED)
    order, status = outcome(_parsed(value[key], len(shown)))
    return TeacherRecord(
        "",
        shown.query,
        shown.documents,
        order,
        answer=value[key] if isinstance(value[key], str) else json_values.dumps(value[key]),
        model=value["model"] if isinstance(value.get("model"), str) else "",
        status=status,
        usage=UNKNOWN_COST,
        labels=_positives(value),
    )


def _numbered(candidate: Any, place: int) -> Any:
    """A candidate with its place as id where it has none, as in the examples of RankGPT."""
    return {"docid": str(place), **candidate} if isinstance(candidate, dict) else candidate


def _parsed(answer: Any, count: int) -> Parsed:
    return ranking(answer, count) if isinstance(answer, str) else numbered(answer, count)


def _positives(value: dict[str, Any]) -> dict[str, float]:
    """The labelled passages, among the candidates or not; all others are not judged."""
    given = value.get("positive_passages")
    every = given if isinstance(given, list) else []
    return {str(one["docid"]): 1.0 for one in every if isinstance(one, dict) and "docid" in one}
