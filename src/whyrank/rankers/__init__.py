"""Everything that puts candidates into a better order."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

from whyrank.errors import BadInput, UnknownName, unknown
from whyrank.rankers.student_folder import is_hub_id, is_student, kind_of
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
        "evidence on the plain body, and a student that learnt from openly licensed texts alone (also: --model open)",
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
KINDS: Mapping[str, str] = {
    "causal-student": "whyrank.rankers.student:load_folder",
    "classifier": "whyrank.rankers.classifier:load_classifier",
    "listwise-student": "whyrank.rankers.listwise_student:load_listwise",
}
"""Kinds of models in folders and on the hub, and what loads them."""


def load(name: str = DEFAULT, *, threads: int | None = None) -> Reranker:
    """Load a ranker by name.

    Args:
        name: a key of `RANKERS`; a short name or an id of a known sequence classifier, such as "dear-8b"; a student
            that `whyrank train` made, or any other sequence classifier with one logit: its folder, or its id on the
            Hugging Face hub; a folder of two stages. A folder that is called as a ranker is needs its path, such as
            "./student".
        threads: threads to compute with; by default the cores this process may use, at most eight.

    Raises:
        UnknownName: there is no such ranker; near matches are listed.
        BadInput: what is there is neither a student nor a sequence classifier with one logit.
        Corrupt: its model is damaged.
        MissingFile: no model of this id can be fetched.
        MissingExtra: what a student of `whyrank train` or a classifier needs is not installed.
    """
    if name in RANKERS:
        ranker: Reranker = _attribute(RANKERS[name].target)(threads=threads)
        return ranker
    from whyrank.rankers.classifier_folder import is_classifier, peeked
    from whyrank.rankers.dual_folder import is_dual, load_dual
    from whyrank.rankers.known import full_id, known_classifiers, known_models

    if is_dual(name):
        return load_dual(name, threads=threads)
    named = full_id(name)
    if named in known_classifiers() or is_classifier(named):
        return _by_kind("classifier", named, threads)
    if is_student(named):
        return _by_kind(kind_of(named), named, threads)
    if not is_hub_id(named) or named in known_models():
        error = unknown("ranker", name, RANKERS)
        raise UnknownName(f"{error}; those that ask a language model are made by whyrank.llm_ranker") from None
    folder = peeked(named)
    if is_classifier(folder):
        return _by_kind("classifier", named, threads)
    if is_student(folder):
        return _by_kind(kind_of(folder), named, threads)
    raise BadInput(
        f"{name}: neither a student of whyrank train nor a sequence classifier; to let a language model rank, name the "
        f"model as transformers:{name}"
    )


def _by_kind(kind: str, named: str, threads: int | None) -> Reranker:
    ranker: Reranker = _attribute(KINDS.get(kind, KINDS["causal-student"]))(named, threads=threads)
    return ranker


def _attribute(target: str) -> Any:
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)
