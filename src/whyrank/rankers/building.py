"""From settings to a ranker that asks a language model: what is not said follows from the model and the prompt."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

from whyrank import rankers
from whyrank.config import AskSettings, ModelSettings
from whyrank.errors import BadInput, UnknownName
from whyrank.lm.base import LM, Capability
from whyrank.prompts import Template, load
from whyrank.rankers.algorithms import Judge as Kind
from whyrank.rankers.algorithms import algorithm
from whyrank.rankers.asking import LMReranker
from whyrank.rankers.classifier_folder import is_classifier
from whyrank.rankers.dual_folder import is_dual
from whyrank.rankers.known import KnownModel, full_id, known_classifiers, known_models, short_names
from whyrank.rankers.listwise import FirstLabel, Written
from whyrank.rankers.matter import Showing
from whyrank.rankers.models import open_model
from whyrank.rankers.pairwise import LikelierOfTwo, NamedBetter
from whyrank.rankers.pointwise import LikelyQuery, LikelyRelevant, StatedRelevance
from whyrank.rankers.setwise import LikeliestLabel, NamedBest
from whyrank.rankers.student_folder import is_hub_id, is_student
from whyrank.rankers.untidy import Policy
from whyrank.rankers.verdict import Judge
from whyrank.types import Reranker


class Default(NamedTuple):
    """What a kind of question is asked with, unless somebody says otherwise."""

    prompt: str
    algorithm: str
    options: Mapping[str, int]


KINDS: Mapping[Kind, Default] = {
    "pointwise": Default("relevance-generation", "pointwise", {}),
    "pairwise": Default("prp", "heapsort-pairwise", {}),
    "setwise": Default("setwise", "setwise-heapsort", {"children": 9}),
    "listwise": Default("rankgpt", "tournament-graph", {}),
}
"""The kinds of rankers that any language model makes. Why these algorithms: docs/algorithms.md."""


def build(
    lm: LM, *, kind: Kind | None = None, ask: AskSettings | None = None, known: KnownModel | None = None
) -> LMReranker:
    """A ranker that asks this model.

    Args:
        lm: the model.
        kind: of question; by default that of the prompt, of the known model, or listwise.
        ask: how it is asked.
        known: what is known of the model, if it was made for ranking.

    Raises:
        BadInput: settings that do not fit each other, or a model that cannot do what they need.
        UnknownName: there is no such prompt or algorithm.
    """
    ask = ask or AskSettings()
    if known is not None and (ask.prompt is not None or kind not in (None, known.kind)):
        known = None  # what is known of it holds for its own prompt
    template = load(ask.prompt or (known.prompt if known else KINDS[kind or "listwise"].prompt))
    if kind is not None and template.kind != kind:
        raise BadInput(f"the prompt {template.name} asks {template.kind} questions, and {kind} ones were asked for")
    default = next((default for known_kind, default in KINDS.items() if known_kind == template.kind), None)
    if default is None:
        raise BadInput(f"the prompt {template.name} asks for reasons and ranks nothing; see whyrank methods --prompts")
    if ask.identifiers == "random" and template.kind in ("pointwise", "pairwise"):
        raise BadInput(
            f"a {template.kind} prompt names no documents that labels could be drawn for; leave identifiers out"
        )
    usual = default if known is None else _published(known)
    name = ask.algorithm or usual.algorithm
    options = dict(ask.options) or (dict(usual.options) if name == usual.algorithm else {})
    return LMReranker(
        lm,
        _judge(template, lm, ask, known),
        algorithm(name),
        Showing(
            template,
            instruction=ask.instruction,
            passage_tokens=ask.passage_tokens or (known.passage_tokens if known else None),
            identifiers=ask.identifiers,
            is_datamarked=ask.datamark,
            conversation=known.conversation if known else "",
        ),
        tuple(sorted(options.items())),
        ask.strict,
    )


def _published(known: KnownModel) -> Default:
    """The algorithm that a checkpoint was published with."""
    if known.kind == "listwise" and known.window:
        return Default(
            known.prompt, "sliding-window", {"size": known.window, "stride": known.stride or known.window // 2}
        )
    if known.kind == "setwise" and known.window:
        return Default(known.prompt, "setwise-heapsort", {"children": known.window - 1})
    return KINDS[known.kind]


class Resolved(NamedTuple):
    """What a name and a model come to.

    Attributes:
        ranker: puts documents in order.
        writer: the model that can write reasons; None where there is none, or it cannot write.
    """

    ranker: Reranker
    writer: LM | None = None


def refuse_without_model(name: str, ask: AskSettings | None) -> None:
    """Refuse settings of how to ask a language model for a ranker that asks none.

    Raises:
        BadInput: there are such settings.
    """
    if ask is not None and ask != AskSettings():
        raise BadInput(
            f"{name} asks no language model, so how to ask one (strict, ask.…) has no effect; leave it out, or name a "
            "model and let it rank (pointwise, pairwise, setwise, listwise)"
        )


def check_name(name: str) -> None:
    """Refuse a name that means nothing.

    Raises:
        UnknownName: it is neither a ranker of whyrank's own, nor a kind of question, nor a known checkpoint or its
            short name, nor a student of `whyrank train` or a sequence classifier: a folder, or an id on the hub that
            resembles no known one.
    """
    known = (*rankers.RANKERS, *KINDS, *short_names(), *known_models(), *known_classifiers())
    if name in known or is_student(name) or is_classifier(name) or is_dual(name):
        return
    near = get_close_matches(name, known, n=3, cutoff=0.5)
    if is_hub_id(name) and not near:
        return
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    raise UnknownName(
        f"no ranker called {name!r}; {hint}known: {', '.join((*rankers.RANKERS, *KINDS))}, and the ids of checkpoints "
        "that whyrank methods --prompts lists"
    )


def resolve(
    name: str | None = None,
    *,
    model: ModelSettings | LM | None = None,
    ask: AskSettings | None = None,
    threads: int | None = None,
) -> Resolved:
    """The ranker of a name, with its model.

    Args:
        name: a ranker of whyrank's own; a kind of question to ask the model; the id or the short name of a known
            checkpoint, which is loaded unless a model is given that serves it; a folder or an id of a student or a
            sequence classifier; or None: what the model is made for, and without a model the default ranker.
        model: the language model, or how to open it.
        ask: how it is asked.
        threads: threads of our own rankers.

    Raises:
        UnknownName: there is no such ranker, checkpoint, backend, prompt or algorithm.
        BadInput: settings that do not fit each other, or a model that cannot do what they need.
        MissingExtra: what the backend needs is not installed.
    """
    if isinstance(model, ModelSettings) and model.name in rankers.STUDENTS:
        return resolve(named_student(name, model), ask=ask, threads=threads)
    if name is None and model is None:
        name = rankers.DEFAULT
    if name is not None and name not in rankers.RANKERS:
        name = full_id(name)
    if name is not None and _is_ours(name, asks=model is not None):
        refuse_without_model(name, ask)
        return Resolved(rankers.load(name, threads=threads), _writer(_opened(model)))
    if name is not None:
        check_name(name)
    known = known_models()
    if model is None:
        if name in KINDS:
            raise BadInput(
                f"{name} asks a language model; name one, such as openai:gpt-4.1-mini or transformers:FOLDER"
            )
        model = ModelSettings(name=f"transformers:{name}")
    served = model.name.partition(":")[2] if isinstance(model, ModelSettings) else _served(model)
    checkpoint = known.get(name or "") or known.get(served)
    if isinstance(model, ModelSettings) and model.context is None and checkpoint is not None:
        model = model.model_copy(update={"context": checkpoint.context})
    lm = _opened(model)
    assert lm is not None
    kind = next((kind for kind in KINDS if kind == name), None)
    return Resolved(build(lm, kind=kind, ask=ask, known=checkpoint), _writer(lm))


def _is_ours(name: str, *, asks: bool) -> bool:
    """Whether a name is that of a ranker which scores by itself; where a model is to be asked, no unknown id is one."""
    if name in rankers.RANKERS or name in known_classifiers() or is_student(name) or is_dual(name):
        return True
    if name in KINDS or name in known_models():
        return False
    return is_classifier(name) or (is_hub_id(name) and not asks)


def named_student(name: str | None, model: ModelSettings) -> str:
    """The ranker that an adapter of ours makes, where one is named in the place of a language model.

    Raises:
        BadInput: another ranker was named beside it, or a setting that only a language model has.
    """
    student = rankers.STUDENTS[model.name]
    if name not in (None, student, rankers.DEFAULT):
        raise BadInput(f"{model.name} names the ranker {student}, and {name} was named too; leave one out")
    strange = sorted(n for n, f in ModelSettings.model_fields.items() if n != "name" and getattr(model, n) != f.default)
    if strange:
        raise BadInput(f"{model.name} is a student of ours and no language model; leave model.{strange[0]} out")
    return student


def _served(lm: LM) -> str:
    """The model's own name, of a backend's "backend:name@host"."""
    return lm.name.partition(":")[2].partition("@")[0]


def _opened(model: ModelSettings | LM | None) -> LM | None:
    return open_model(model) if isinstance(model, ModelSettings) else model


def _writer(lm: LM | None) -> LM | None:
    return lm if lm is not None and Capability.GENERATE in lm.capabilities else None


def _judge(template: Template, lm: LM, ask: AskSettings, known: KnownModel | None) -> Judge[Any]:
    scoring = ask.scoring or (known.scoring if known else None) or _scoring(template, lm)
    policy = Policy(ask.untidy, ask.attempts)
    reasoning = ask.reasoning_tokens
    if reasoning is None:
        reasoning = template.max_tokens if template.reasons else 0
    match (template.kind, scoring):
        case ("pointwise", "query"):
            return LikelyQuery(template)
        case ("pointwise", "logprobs"):
            if len(template.choices) < 2:
                raise BadInput(f"the prompt {template.name} names no choices whose likelihood could be read")
            return LikelyRelevant(template, reasoning)
        case ("pointwise", "generation"):
            return StatedRelevance(template, policy)
        case ("pairwise", "logprobs"):
            return LikelierOfTwo(template)
        case ("pairwise", "generation"):
            return NamedBetter(template, policy)
        case ("setwise", "logprobs"):
            return LikeliestLabel(template)
        case ("setwise", "generation"):
            return NamedBest(template, policy, reasoning)
        case ("listwise", "logprobs"):
            return FirstLabel(template)
        case ("listwise", "generation"):
            return Written(template, policy, reasoning)
    raise BadInput(
        f"a {template.kind} prompt cannot be scored by {scoring}; the likelihood of a query scores one document"
    )


def _scoring(template: Template, lm: LM) -> str:
    """Likelihoods where the prompt is made for them and the model shows them, else what it writes."""
    if template.parser == "likelihood":
        return "query"
    begins_answer = bool(Showing(template).needs)
    if begins_answer or (template.choices and Capability.LOGPROBS in lm.capabilities):
        return "logprobs"
    return "generation"
