"""Having a model write an answer: a thought that ran out of room is ended, an untidy choice is asked for again."""

from collections.abc import Callable, Generator
from dataclasses import replace
from typing import TypeAlias

from whyrank.errors import ModelError
from whyrank.lm.base import LM, Capability, Generate, Message, Prompt, Reply, Request
from whyrank.rankers.choices import Choice
from whyrank.rankers.untidy import Policy
from whyrank.rankers.verdict import Asking, Verdict, unanswered
from whyrank.types import Status, Usage

WARMER = 0.5
"""Temperature of a second try, where the model cannot be told what was wrong with the first."""
Answered: TypeAlias = Generator[list[Request], list[Reply | ModelError], Reply | ModelError]


def written(lm: LM, request: Generate, answer_tokens: int, *, reasons: bool) -> Answered:
    """One answer.

    Args:
        lm: the model; it must take a begun answer (`Capability.PREFILL`), or an endless thought stays as it is.
        request: what to write, with room for the reasoning.
        answer_tokens: room for the answer that follows a thought that was ended (budget forcing: Muennighoff et al.
            2025, arXiv:2501.19393).
        reasons: whether the model reasons first.
    """
    [reply] = yield [request]
    if isinstance(reply, ModelError) or not reasons or Capability.PREFILL not in lm.capabilities:
        return reply
    thought = _unfinished_thought(reply)
    if thought is None:
        return reply
    prompt = after_thought(request.prompt, thought)
    [ended] = yield [Generate(prompt, max_tokens=answer_tokens, tag=request.tag)]
    return ended


def chosen(
    lm: LM,
    request: Generate,
    read: Callable[[str], Choice],
    policy: Policy,
    correction: str,
    *,
    reasoned_answer_tokens: int = 0,
) -> Asking[int | None]:
    """A choice; None where the model makes none, however often it is asked.

    Args:
        lm: the model.
        request: the question.
        read: reads an answer.
        policy: whether and how often it is asked again.
        correction: what is said of an answer that chooses nothing.
        reasoned_answer_tokens: room for the answer after a thought that ran out of room; 0 where there is none.
    """
    heard: tuple[Status, ...] = ()
    attempt = 0
    while True:
        reply = yield from written(lm, request, reasoned_answer_tokens, reasons=reasoned_answer_tokens > 0)
        if isinstance(reply, ModelError):
            verdict = unanswered(None, reply)
            return replace(verdict, heard=(*heard, *verdict.heard))
        choice = _heard(read(reply.text), reply)
        heard += (choice.status,)
        if choice.value is not None or "again" not in policy.steps or attempt == policy.attempts:
            return Verdict(choice.value, choice.status, _said(choice), heard)
        attempt += 1
        request = again(request, reply, attempt, correction)


def again(request: Generate, reply: Reply, attempt: int, correction: str) -> Generate:
    """The same question once more, so that another answer can come.

    A conversation goes on: the model sees its answer and what was wrong with it. A plain text is sampled. An answer
    that was cut off gets twice the room.
    """
    is_cut = reply.finish == "length"
    room = request.max_tokens * 2 if is_cut else request.max_tokens
    if isinstance(request.prompt, str) or is_cut or request.prompt[-1].role == "assistant":
        return replace(request, max_tokens=room, temperature=WARMER, seed=attempt)
    turns = (*request.prompt, Message("assistant", reply.text or "(no answer)"), Message("user", correction))
    return replace(request, prompt=turns)


def after_thought(prompt: Prompt, thought: str, end: str = "\n\n") -> Prompt:
    """The prompt, with a finished thought where the answer begins; a prompt may have opened the thought itself."""
    if isinstance(prompt, str):
        return prompt + _finished(prompt, thought) + end
    begun = prompt[-1].text if prompt[-1].role == "assistant" else ""
    kept = prompt[:-1] if begun else prompt
    return (*kept, Message("assistant", begun + _finished(begun, thought) + end))


def _finished(before: str, thought: str) -> str:
    return f"{thought}</think>" if before.rstrip().endswith("<think>") else f"<think>\n{thought}\n</think>"


def expected_text(text: str, reasoning_tokens: int = 0, labels: int = 1) -> Reply:
    """An answer for rehearsals, with about the tokens that it would take."""
    return Reply(text, usage=Usage(generated_tokens=5 * labels + reasoning_tokens, reasoning_tokens=reasoning_tokens))


def expected_likelihoods(count: int) -> Reply:
    """Likelihoods for rehearsals, each lower than the one before; reading them takes one token."""
    return Reply(logprobs=tuple(-float(place) for place in range(count)), usage=Usage(generated_tokens=1))


def _unfinished_thought(reply: Reply) -> str | None:
    """What a model thought that ran out of room before it answered; None where it answered."""
    if reply.finish != "length":
        return None
    if "<think>" in reply.text and "</think>" not in reply.text:
        return reply.text.partition("<think>")[2].strip()
    return reply.reasoning.strip() if reply.reasoning and not reply.text.strip() else None


def _heard(choice: Choice, reply: Reply) -> Choice:
    """A choice, with what the backend knows of how the answer ended."""
    if reply.finish == "refused":  # whatever labels the refusal mentions
        return Choice(None, "refused")
    return choice if choice.value is not None or reply.finish == "stop" else Choice(None, "truncated")


def _said(choice: Choice) -> tuple[str, ...]:
    if choice.status == "ok":
        return ()
    return ("not in the form asked for",) if choice.value is not None else ("chooses nothing",)
