"""Models that run here, by transformers: any causal or sequence-to-sequence language model, by id or folder.

Requests are asked in batches. In the fast mode prompts that begin alike are read up to there once: prompts are put
into tokens whole, then compared, so that nothing depends on where a text could be cut. In the isolated mode each
prompt is read alone, so that its result is the same bits whatever stands beside it.

The modules beside this one: `transformers_loading`, `transformers_prompts` (text to tokens), `transformers_work` (what
is asked of the model, in which batches, with `prefixes`), `transformers_reading` (`Choose`, `Likelihood`) and
`transformers_writing` (`Generate`).
"""

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from whyrank._extras import require
from whyrank.errors import BadInput, ModelError, ModelRejected, ModelUnavailable
from whyrank.lm.base import (
    NEEDS,
    Capability,
    Choose,
    Likelihood,
    OnReply,
    Reply,
    Request,
    Tokens,
    check_capabilities,
)
from whyrank.lm.prefixes import buckets
from whyrank.lm.transformers_prompts import ExactTokens, Prompts
from whyrank.lm.transformers_work import OPEN, Reading, Row, Writing, Written, check, jobs, parted, unfit
from whyrank.types import Usage

if TYPE_CHECKING:
    from whyrank.lm.transformers_loading import Loaded

CAPABILITIES = frozenset({Capability.GENERATE, Capability.LOGPROBS, Capability.LIKELIHOOD, Capability.PREFILL})
Arrived: TypeAlias = Callable[[int, Reply | ModelError], None]


class Transformers:
    """A language model of transformers.

    `Generate` is greedy unless a request says otherwise; sampling settings that come with a model are not used, a
    schema is not enforced. What a model writes between <think> and </think> at the beginning is its reasoning.
    `Likelihood` and `Choose` read logits; a likelihood is over the whole vocabulary.

    Usage: `prompt_tokens` of `Choose` and `Likelihood` are the tokens of the prompt and of the continuation but its
    last, which need not be read. `cached_tokens` are those of them that another request of the batch had read, so that
    over a batch prompt_tokens - cached_tokens adds up to the tokens that were read.

    Args:
        model: id on the hub, or folder; safetensors only, and no code that comes with a model is ever run.
        device: as torch names it; None takes a GPU where there is one.
        dtype: "auto" as the weights are stored, "float32", "bfloat16" …
        mode: "fast" shares and batches, with differences in the last digits (about 1e-6 of a logit in float32);
            "isolated" reads each prompt alone.
        batch_tokens: most tokens of a batch, padding included; less takes less memory.
        threads: of torch, for the whole process; None leaves them as they are.
        context: most tokens of prompt and answer together; None takes what model and tokenizer state.

    Raises:
        MissingExtra: torch or transformers are not installed.
        MissingFile: there is no such model.
        BadInput: what is there is no language model, or an argument is outside its range.
    """

    def __init__(
        self,
        model: str,
        *,
        device: str | None = None,
        dtype: str = "auto",
        mode: Literal["fast", "isolated"] = "fast",
        batch_tokens: int = 16_384,
        threads: int | None = None,
        context: int | None = None,
    ) -> None:
        if mode not in ("fast", "isolated"):
            raise BadInput(f"no mode {mode!r}; give fast or isolated")
        _check_numbers(batch_tokens=batch_tokens, threads=threads, context=context)
        torch = require("torch", extra="hf", purpose="the transformers backend")
        require("transformers", extra="hf", purpose="the transformers backend")
        from whyrank.lm.transformers_loading import load

        if threads is not None:
            torch.set_num_threads(threads)
        loaded = load(model, device=device, dtype=dtype)
        path = Path(model).expanduser()
        name = f"transformers:{path.resolve().name if path.is_dir() else model}"
        loaded = loaded._replace(weights=f"{loaded.weights}/{dtype}/{mode}")
        self._take(loaded, name, mode, batch_tokens, context)

    @classmethod
    def over(
        cls,
        loaded: "Loaded",
        name: str,
        *,
        mode: Literal["fast", "isolated"] = "fast",
        batch_tokens: int = 16_384,
        context: int | None = None,
    ) -> "Transformers":
        """The same over a model that is in memory already, such as one with an adapter in it.

        Args:
            loaded: the model, with what tells its weights from others.
            name: what results are signed with.
            mode: as for the class.
            batch_tokens: as for the class.
            context: as for the class.
        """
        made = cls.__new__(cls)
        made._take(loaded, name, mode, batch_tokens, context)
        return made

    def _take(self, loaded: "Loaded", name: str, mode: str, batch_tokens: int, context: int | None) -> None:
        from whyrank.lm.transformers_reading import Reader, can_share
        from whyrank.lm.transformers_writing import Writer

        self.name = name
        self.context = loaded.context if context is None else context
        self.tokens: Tokens = ExactTokens(loaded.tokenizer)
        self.capabilities = CAPABILITIES - {Capability.PREFILL} if loaded.is_seq2seq else CAPABILITIES
        self.mode = mode
        self._is_seq2seq = loaded.is_seq2seq
        self._batch_tokens = batch_tokens
        self.weights = loaded.weights
        self._prompts = Prompts(loaded.tokenizer, self.name, continues=not loaded.is_seq2seq)
        self.controls = self._prompts.controls
        self._shares = mode == "fast" and not loaded.is_seq2seq and can_share(loaded.model)
        # Padding on the left would change what a recurrent model has seen.
        self._writes_in_batches = mode == "fast" and (loaded.is_seq2seq or self._shares)
        self._writer = Writer(loaded.model, loaded.tokenizer, is_seq2seq=loaded.is_seq2seq)
        self._reader = Reader(loaded.model, is_seq2seq=loaded.is_seq2seq)
        self._lock = threading.RLock()  # one batch at a time: the head is narrowed for it

    def ask(self, requests: Sequence[Request], on_reply: OnReply | None = None) -> list[Reply | ModelError]:
        """One reply or error for each request, in order.

        A request that does not fit the context is `ModelRejected`, one for which memory did not suffice
        `ModelUnavailable`, one on which the model failed otherwise `ModelError`; the others get their replies.

        Raises:
            BadInput: a choice that is not one token after its prompt, a conversation for a model without a chat
                template, a number outside its range, or a kind of request outside its capabilities.
        """
        check_capabilities(self, {NEEDS[type(request)] for request in requests}, "a request")
        replies: dict[int, Reply | ModelError] = {}

        def arrived(place: int, reply: Reply | ModelError) -> None:
            replies[place] = reply
            if on_reply is not None:
                on_reply(place, reply)

        with self._lock:
            planned = [self._planned(place, request) for place, request in enumerate(requests)]
            for place, plan in enumerate(planned):
                if isinstance(plan, ModelRejected):
                    arrived(place, plan)
            for is_choice in (True, False):
                self._read([p for p in planned if isinstance(p, Reading) and p.is_choice is is_choice], arrived)
            self._write([p for p in planned if isinstance(p, Writing)], arrived)
        return [replies[place] for place in range(len(requests))]

    def _planned(self, place: int, request: Request) -> Reading | Writing | ModelRejected:
        prompt = self._prompts.encode(request.prompt)
        start = 0 if self._is_seq2seq else len(prompt.tokens) - 1
        if isinstance(request, Choose):
            choices = self._prompts.choices(prompt, request.choices)
            return self._unfit(prompt.tokens, 0) or Reading(place, prompt.tokens, start, choices, True)
        if isinstance(request, Likelihood):
            following = self._prompts.continuation(prompt, request.continuation)
            tokens = prompt.tokens if self._is_seq2seq else prompt.tokens + following[:-1]
            unfit = self._unfit(prompt.tokens, len(following))
            return unfit or Reading(place, tokens, start, tuple(following), False)
        check(request)
        is_inside = prompt.text.rstrip().endswith(OPEN)
        return self._unfit(prompt.tokens, request.max_tokens) or Writing(place, request, prompt.tokens, is_inside)

    def _unfit(self, tokens: list[int], answer: int) -> ModelRejected | None:
        needed = max(len(tokens), answer) if self._is_seq2seq else len(tokens) + answer
        return unfit(self.name, self.context, len(tokens), answer, needed)

    def _read(self, readings: list[Reading], arrived: Arrived) -> None:
        limit = self._batch_tokens if self.mode == "fast" else 1
        for job in jobs(readings, limit=limit, shares=self._shares, vocabulary=self._reader.vocabulary):
            prefix, charged = None, 0  # tokens of the prefix that a reply has accounted for
            for batch in job.batches:
                started = time.perf_counter()
                try:
                    if job.prefix and prefix is None:
                        prefix = self._reader.prefix(job.prefix)
                    values = self._reader.read(batch, prefix)
                except Exception as error:  # noqa: BLE001 - one batch that fails loses no other
                    for reading in batch:
                        arrived(reading.place, self._failure(error))
                    continue
                seconds = (time.perf_counter() - started) / len(batch)
                for reading, logs in zip(batch, values, strict=True):
                    cached, charged = charged, len(job.prefix)
                    usage = Usage(1, prompt_tokens=len(reading.tokens), cached_tokens=cached, seconds=seconds)
                    arrived(reading.place, Reply(logprobs=logs, usage=usage))

    def _write(self, writings: Sequence[Writing], arrived: Arrived) -> None:
        rows = [self._rows(writing) for writing in writings]
        sizes = [len(own) * (len(w.tokens) + w.request.max_tokens) for own, w in zip(rows, writings, strict=True)]
        for bucket in buckets(sizes, self._batch_tokens if self._writes_in_batches else 1):
            started = time.perf_counter()
            together = [row for i in bucket for row in rows[i]]
            try:
                if self._writes_in_batches:
                    written = self._writer.write(together)
                else:
                    written = [self._writer.write([row])[0] for row in together]
            except Exception as error:  # noqa: BLE001 - one batch that fails loses no other
                for i in bucket:
                    arrived(writings[i].place, self._failure(error))
                continue
            seconds = (time.perf_counter() - started) / len(bucket)
            following = iter(written)
            for i in bucket:
                answers = [next(following) for _ in rows[i]]
                arrived(writings[i].place, self._reply(writings[i], answers, seconds))

    def _rows(self, writing: Writing) -> list[Row]:
        request = writing.request
        count = request.n if request.temperature > 0 else 1  # greedy answers are all the same
        return [
            Row(writing.tokens, request.max_tokens, request.temperature, seed, request.stop)
            for seed in self._writer.seeds(request.seed, count)
        ]

    def _reply(self, writing: Writing, answers: Sequence[Written], seconds: float) -> Reply:
        texts = [self._writer.text(answer, writing.request.stop) for answer in answers]
        parts = [parted(text, is_inside=writing.is_inside) for text in texts]
        reasoned = [self._writer.reasoning_tokens(a) for a, p in zip(answers, parts, strict=True) if p.reasoning]
        usage = Usage(
            calls=1,
            prompt_tokens=len(writing.tokens),
            generated_tokens=sum(len(answer.tokens) for answer in answers),
            reasoning_tokens=sum(reasoned),
            seconds=seconds,
        )
        first, *others = [part.text for part in parts]
        if len(parts) < writing.request.n:
            others = [first] * (writing.request.n - 1)
        return Reply(first, tuple(others), parts[0].reasoning, answers[0].finish, usage=usage)

    def _failure(self, error: Exception) -> ModelError:
        kind = f"{type(error).__name__}: {error}".partition("\n")[0]
        if is_out_of_memory(error):
            return ModelUnavailable(
                f"{self.name} ran out of memory ({kind}); give fewer batch_tokens (now {self._batch_tokens:,}), "
                "shorter documents, a smaller dtype such as bfloat16, or a smaller model"
            )
        return ModelError(f"{self.name} failed on this request: {kind}")


def _check_numbers(**numbers: int | None) -> None:
    for name, value in numbers.items():
        if value is not None and value < 1:
            raise BadInput(f"{name}={value}; give a number of at least 1")


def is_out_of_memory(error: Exception) -> bool:
    """Whether torch says, in one of its ways, that memory did not suffice."""
    words = ("out of memory", "not enough memory", "can't allocate memory")
    return isinstance(error, MemoryError) or any(word in str(error) for word in words)
