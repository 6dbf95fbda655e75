"""The listwise student as a ranker: DeAR's second stage, trained by `whyrank train` with `learns: permutations`.

It reads a window of documents, writes what the query needs and which of them give it, and ends with the ranking. It
is asked in the words that it was trained with (`listwise_folder`), by the code that any language model is asked by.
Beside a first stage of the same base it is a second adapter: the base lies in memory once.
"""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from whyrank._extras import require
from whyrank.errors import BadInput, ModelError
from whyrank.lm.base import LM, Generate, OnReply, Reply, Request
from whyrank.prompts import Template
from whyrank.rankers.algorithms import algorithm
from whyrank.rankers.asking import LMReranker
from whyrank.rankers.listwise import Written
from whyrank.rankers.listwise_folder import KIND, Asking, ListwiseManifest, prompt_of, read_manifest
from whyrank.rankers.matter import Showing
from whyrank.rankers.student import fetched
from whyrank.rankers.untidy import Policy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from whyrank.rankers.student_network import Network

_PURPOSE = "a listwise student"


def load_listwise(
    folder: str | Path,
    *,
    base: str | None = None,
    device: str | None = None,
    beside: "Network | None" = None,
    mode: Literal["fast", "isolated"] = "fast",
    threads: int | None = None,
    temperature: float = 0.0,
    seed: int = 0,
) -> LMReranker:
    """Load a listwise student; `reranker.json` says all that is needed.

    Args:
        folder: where it was saved, or its id on the hub.
        base: the model that it was trained on, where it is not where it was.
        device: as torch names it; None takes a GPU where there is one.
        beside: the network of a first stage on the same base; its base is used, with the adapters switched.
        mode: "fast" answers several windows in one batch; "isolated" each alone.
        threads: of torch, for the whole process; None leaves them as they are.
        temperature: of sampling; 0 writes the likeliest word at each place.
        seed: of sampling.

    Raises:
        MissingExtra: torch, transformers or peft are not installed.
        MissingFile: there is no student, or its base is gone.
        Corrupt: a file of it is damaged or absent.
        BadInput: the base is another one than it was trained on; an argument is outside its range.
    """
    if temperature < 0:
        raise BadInput(f"temperature={temperature}; give 0 for the likeliest words, or more to draw them")
    root = fetched(folder)
    manifest = read_manifest(root)
    template = prompt_of(root, manifest.asking)
    torch = require("torch", extra="hf", purpose=_PURPOSE)
    require("transformers", extra="hf", purpose=_PURPOSE)
    from whyrank.rankers.listwise_opening import open_alone, open_beside

    if threads is not None:
        torch.set_num_threads(threads)
    if beside is not None:
        if base is not None or device is not None:
            raise BadInput("beside= shares the base of a first stage where it lies; leave base= and device= out")
        lm = open_beside(root, manifest, beside, mode=mode)
    else:
        lm = open_alone(root, manifest, base=base, device=device, mode=mode)
    return asked_by(Sampling(lm, temperature, seed) if temperature else lm, template, manifest.asking)


def asked_by(lm: LM, template: Template, asking: Asking, *, policy: Policy | None = None) -> LMReranker:
    """The ranker that asks a model as a listwise student is asked, in training and later.

    Args:
        lm: the model.
        template: the prompt.
        asking: how much is shown and written.
        policy: for untidy answers; by default what an answer names is kept, and it is not asked again: the likeliest
            words would be the same.
    """
    judge = Written(template, policy or Policy(("repair", "previous")), asking.answer_tokens)
    showing = Showing(template, passage_tokens=asking.passage_tokens, conversation=asking.conversation)
    options = (("size", asking.window), ("stride", asking.stride))
    return LMReranker(lm, judge, algorithm("sliding-window"), showing, options)


class Sampling:
    """A language model whose answers are drawn.

    Args:
        lm: the model.
        temperature: of a request that names none.
        seed: of a request that names none.
    """

    def __init__(self, lm: LM, temperature: float, seed: int) -> None:
        self._lm, self._temperature, self._seed = lm, temperature, seed
        self.name, self.capabilities, self.context = lm.name, lm.capabilities, lm.context
        self.tokens, self.controls = lm.tokens, lm.controls
        self.weights = f"{getattr(lm, 'weights', '')}/drawn at {temperature} by {seed}"

    def ask(self, requests: "Sequence[Request]", on_reply: OnReply | None = None) -> list[Reply | ModelError]:
        """One reply or error for each request, in order."""
        return self._lm.ask([self._drawn(request) for request in requests], on_reply)

    def _drawn(self, request: Request) -> Request:
        if not isinstance(request, Generate) or request.temperature or request.seed is not None:
            return request
        return replace(request, temperature=self._temperature, seed=self._seed)


def name_of(manifest: ListwiseManifest) -> str:
    """What results are signed with: the kind, and the base's name."""
    return f"{KIND}:{manifest.base.rstrip('/').rpartition('/')[2]}"
