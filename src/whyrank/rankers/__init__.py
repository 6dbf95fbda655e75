"""Everything that puts candidates into a better order."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

from whyrank.errors import UnknownName, unknown
from whyrank.rankers.student_folder import is_hub_id, is_student
from whyrank.types import Reranker


class Known(NamedTuple):
    """A ranker that can be loaded by name.

    Attributes:
        target: dotted name of its class, imported only when it is asked for.
        summary: what it is, in a line.
        licence: terms of the weights it uses.
        explains: what kinds of reasons it can give.
    """

    target: str
    summary: str
    licence: str
    explains: str


RANKERS: Mapping[str, Known] = {
    "student": Known(
        "whyrank.rankers.distilled:research",
        "the default: evidence, and a student of GPT-4 that reads query and document together and points at the answer",
        "research and other non-commercial use; texts and teachers it learnt from: whyrank/encode/students/research",
        "direct, comparison, counterfactual",
    ),
    "student-open": Known(
        "whyrank.rankers.distilled:openly",
        "the same, with a student that learnt from openly licensed texts alone (also: --model open)",
        "CC BY-SA 4.0",
        "direct, comparison, counterfactual",
    ),
    "evidence": Known(
        "whyrank.rankers.evidence:EvidenceRanker",
        "whole document, late interaction, best sentence and first stage, taken apart exactly; half the work",
        "Apache-2.0",
        "direct, comparison, counterfactual",
    ),
    "bi-encoder": Known(
        "whyrank.rankers.bi_encoder:BiEncoder",
        "the baseline: cosine of whole-text vectors of the embedded body",
        "Apache-2.0",
        "none",
    ),
}
DEFAULT = "student"
STUDENTS: Mapping[str, str] = {"research": "student", "open": "student-open"}
"""The adapters that come with whyrank, as they are named where a model is named, and the rankers they make."""


def load(name: str = DEFAULT, *, threads: int | None = None) -> Reranker:
    """Load a ranker by name.

    Args:
        name: a key of `RANKERS`, or a student that `whyrank train` made: its folder, or its id on the Hugging Face
            hub. A folder that is called as a ranker is needs its path: "./student".
        threads: threads to compute with; by default the cores this process may use, at most eight.

    Raises:
        UnknownName: there is no such ranker; near matches are listed.
        Corrupt: its model is damaged.
        MissingFile: no student of this id can be fetched.
        MissingExtra: what a student of `whyrank train` needs is not installed.
    """
    if name not in RANKERS and (is_student(name) or is_hub_id(name)):
        from whyrank.rankers.student import load_folder

        return load_folder(name, threads=threads)
    if name not in RANKERS:
        error = unknown("ranker", name, RANKERS)
        raise UnknownName(f"{error}; those that ask a language model are made by whyrank.llm_ranker") from None
    module, _, attribute = RANKERS[name].target.partition(":")
    factory: Any = getattr(import_module(module), attribute)
    ranker: Reranker = factory(threads=threads)
    return ranker
