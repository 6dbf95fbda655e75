"""vLLM in this process: `vllm.LLM`, for many prompts on a GPU.

Run so far against a stub of its interface only (`tests/lm/test_vllm.py`), written after its documentation: where it
differs, believe vLLM. A vLLM server is asked through `whyrank.lm.openai` instead.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from whyrank._extras import require
from whyrank.errors import BadInput, ModelError
from whyrank.lm.base import (
    NEEDS,
    Capability,
    Choose,
    Generate,
    Likelihood,
    OnReply,
    Reply,
    Request,
    Tokens,
    check_capabilities,
)
from whyrank.lm.transformers_prompts import ExactTokens, Prompts
from whyrank.lm.transformers_work import OPEN, check, parted, reasoning_tokens, unfit
from whyrank.types import Usage

CHOICES = 128
"""Most choices that a request may have."""


class VLLM:
    """A causal language model that vLLM runs in this process.

    Prompts become tokens here, exactly as in `whyrank.lm.transformers`, and vLLM gets tokens only; it shares common
    prefixes and batches by itself, so results move in the last digits with what stands beside them. A schema is
    enforced by its structured outputs.

    Args:
        model: id on the hub, or folder; safetensors only, and no code that comes with a model is ever run.
        dtype: "auto" as the weights are stored, "float32", "bfloat16" …
        context: most tokens of prompt and answer together; None takes what the model states.
        memory: share of the GPU's memory that vLLM takes.
        gpus: over how many the model is spread.

    Raises:
        MissingExtra: vLLM is not installed.
        BadInput: it cannot load the model.
    """

    def __init__(
        self, model: str, *, dtype: str = "auto", context: int | None = None, memory: float = 0.9, gpus: int = 1
    ) -> None:
        self._vllm: Any = require("vllm", extra="vllm", purpose="the vLLM backend")
        path = Path(model).expanduser()
        try:
            self._llm = self._vllm.LLM(
                model=str(path) if path.is_dir() else model,
                dtype=dtype,
                max_model_len=context,
                gpu_memory_utilization=memory,
                tensor_parallel_size=gpus,
                load_format="safetensors",
                trust_remote_code=False,
                enable_prefix_caching=True,
                # After the choices were singled out: raw ones would lack every choice that is not among the likeliest.
                logprobs_mode="processed_logprobs",
                max_logprobs=CHOICES,
            )
        except (ValueError, OSError) as error:
            raise BadInput(f"{model}: vLLM cannot load it: {error}") from error
        tokenizer = self._llm.get_tokenizer()
        self.name = f"vllm:{path.resolve().name if path.is_dir() else model}"
        self.context: int | None = self._llm.llm_engine.model_config.max_model_len
        self.tokens: Tokens = ExactTokens(tokenizer)
        self.capabilities = frozenset(
            {Capability.GENERATE, Capability.LOGPROBS, Capability.LIKELIHOOD, Capability.PREFILL}
        )
        self._prompts = Prompts(tokenizer, self.name, continues=True)
        self.controls = self._prompts.controls
        self._decode = tokenizer.decode

    def ask(self, requests: Sequence[Request], on_reply: OnReply | None = None) -> list[Reply | ModelError]:
        """One reply or error for each request, in order; all are asked in one call of vLLM.

        Raises:
            BadInput: a choice that is not one token after its prompt, more than 128 of them, a conversation for a
                model without a chat template, or a number outside its range.
        """
        check_capabilities(self, {NEEDS[type(request)] for request in requests}, "a request")
        planned = [self._planned(request) for request in requests]
        asked = [plan for plan in planned if isinstance(plan, _Asked)]
        answered = iter(self._answered(asked) if asked else [])
        replies = [next(answered) if isinstance(plan, _Asked) else plan for plan in planned]
        if on_reply is not None:
            for place, reply in enumerate(replies):
                on_reply(place, reply)
        return replies

    def _planned(self, request: Request) -> "_Asked | ModelError":
        prompt = self._prompts.encode(request.prompt)
        size = len(prompt.tokens)
        if isinstance(request, Choose):
            choices = list(self._prompts.choices(prompt, request.choices))
            if len(choices) > CHOICES:
                raise BadInput(f"{len(choices)} choices in a request; vLLM takes up to {CHOICES}")
            how = {"max_tokens": 1, "temperature": 0.0, "allowed_token_ids": choices, "logprobs": len(choices)}
            plan = _Asked(request, prompt.tokens, size, choices, how)
            return unfit(self.name, self.context, size, 1, size + 1) or plan
        if isinstance(request, Likelihood):
            following = self._prompts.continuation(prompt, request.continuation)
            # One token must be written; what it is does not matter.
            how = {"max_tokens": 1, "temperature": 0.0, "prompt_logprobs": 1}
            plan = _Asked(request, prompt.tokens + following, size, following, how)
            answer = len(following)
            return unfit(self.name, self.context, size, answer, size + answer + 1) or plan
        check(request)
        is_inside = prompt.text.rstrip().endswith(OPEN)
        plan = _Asked(request, prompt.tokens, size, [], self._writing(request), is_inside)
        return unfit(self.name, self.context, size, request.max_tokens, size + request.max_tokens) or plan

    def _writing(self, request: Generate) -> dict[str, Any]:
        how: dict[str, Any] = {
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            "seed": request.seed,
            "stop": list(request.stop),
            "n": request.n if request.temperature > 0 else 1,  # greedy answers are all the same
        }
        if request.schema:
            structured = require("vllm.sampling_params", extra="vllm", purpose="the vLLM backend")
            how["structured_outputs"] = structured.StructuredOutputsParams(json=request.schema)
        return how

    def _answered(self, asked: "Sequence[_Asked]") -> list[Reply | ModelError]:
        started = time.perf_counter()
        try:
            outputs = self._llm.generate(
                [{"prompt_token_ids": plan.tokens} for plan in asked],
                [self._vllm.SamplingParams(**plan.how) for plan in asked],
                use_tqdm=False,
            )
        except Exception as error:  # noqa: BLE001 - its engine raises errors of its own, which depend on its version
            first_line = f"{type(error).__name__}: {error}".partition("\n")[0]
            return [ModelError(f"{self.name} failed on a batch of {len(asked)}: {first_line}") for _ in asked]
        seconds = (time.perf_counter() - started) / len(asked)
        return [self._reply(plan, output, seconds) for plan, output in zip(asked, outputs, strict=True)]

    def _reply(self, plan: "_Asked", output: Any, seconds: float) -> Reply:
        usage = Usage(
            calls=1, prompt_tokens=len(plan.tokens), cached_tokens=output.num_cached_tokens or 0, seconds=seconds
        )
        if isinstance(plan.request, Choose):
            found = {token: given.logprob for token, given in output.outputs[0].logprobs[0].items()}
            lowest = min(found.values())
            return Reply(logprobs=tuple(found.get(token, lowest) for token in plan.targets), usage=usage)
        if isinstance(plan.request, Likelihood):
            given = output.prompt_logprobs[plan.size :]
            logs = tuple(own[token].logprob for own, token in zip(given, plan.targets, strict=True))
            return Reply(logprobs=logs, usage=usage)
        return self._written(plan, plan.request, output.outputs, usage)

    def _written(self, plan: "_Asked", request: Generate, answers: Sequence[Any], usage: Usage) -> Reply:
        parts = [parted(answer.text, is_inside=plan.is_inside) for answer in answers]
        reasoned = [
            reasoning_tokens(answer.token_ids, self._decode)
            for answer, part in zip(answers, parts, strict=True)
            if part.reasoning
        ]
        generated = sum(len(answer.token_ids) for answer in answers)
        usage += Usage(generated_tokens=generated, reasoning_tokens=sum(reasoned))
        first, *others = [part.text for part in parts]
        if len(parts) < request.n:
            others = [first] * (request.n - 1)
        finish: Literal["stop", "length"] = "length" if answers[0].finish_reason == "length" else "stop"
        return Reply(first, tuple(others), parts[0].reasoning, finish, usage=usage)


class _Asked(NamedTuple):
    """A request as vLLM gets it.

    Attributes:
        request: what was asked.
        tokens: all that vLLM reads.
        size: of these, how many are the prompt's.
        targets: the tokens whose probabilities are wanted.
        how: its sampling parameters.
        is_inside: the prompt ends with <think>.
    """

    request: Request
    tokens: list[int]
    size: int
    targets: list[int]
    how: dict[str, Any]
    is_inside: bool = False
