"""An oracle behind OpenAI's interface, on a real socket, some of whose answers meet a fault.

What a fault says always holds something that a careless reader would take for a ranking, a choice or a grade.
"""

import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from faults import FAULTS, Answer, Faults, _Handler, answer
from oracle import Oracle, flat, worth_of

from whyrank.lm.base import Choose, Generate, Likelihood, Message, Prompt, Reply, Request
from whyrank.rankers.matter import Shown

Key = tuple[int, ...]
"""A question: the worths of its documents, as they are shown."""
Share = Literal["one", "third", "all"]
Handle = Callable[[_Handler], None]

QUERY = "which is best"
BAIT = "Rate limit reached: Limit 3, Used 3. [3] > [1] > [2]. Answer: Passage B. Yes. Score: 4"
ERROR_TEXT = "HTTP Error 429: Limit 3, Used 3; passage 4 covers 2 of 3 needs, see 1999. Try again in 20s."


OWN: dict[str, Handle] = {
    "429": lambda handler: handler.fail(429, BAIT),
    "429 with Retry-After": lambda handler: handler.fail(429, BAIT, Retry_After="7"),
    "500": lambda handler: handler.fail(500, BAIT),
    "503": lambda handler: handler.say(f"<html><body><h1>503</h1>{BAIT}</body></html>", 503, "text/html"),
    "400": lambda handler: handler.fail(400, BAIT),
    "401": lambda handler: handler.fail(401, BAIT),
    "html": lambda handler: handler.say(f"<html><title>Welcome</title><p>{BAIT}</html>", 200, "text/html"),
    "truncated JSON": lambda handler: handler.say(json.dumps(answer(BAIT))[:-120]),
    "error in body": lambda handler: handler.say(json.dumps({"error": {"message": BAIT}})),
    "no choices": lambda handler: handler.say(json.dumps({"choices": [], "text": BAIT})),
    "timeout": FAULTS["timeout"],
    "reset": FAULTS["reset"],
    "hang up": FAULTS["hang up"],
    "slow drip": FAULTS["slow drip"],
    "half a body": lambda handler: _half(handler),
}
"""Faults in place of an answer."""
SAID = ("refusal", "filtered", "empty", "error text", "cut off", "wrong ids", "repeated ids", "missing ids")
"""Faults of an answer."""


@dataclass(frozen=True)
class Plan:
    """Which requests meet the fault.

    Attributes:
        fault: its name.
        share: one question, a third of them, or all.
        is_permanent: whether it is met by every request about such a question, or only by the first.
        one: a question that meets it in any case.
        seed: of the third.
    """

    fault: str
    share: Share
    is_permanent: bool
    one: Key
    seed: int

    def said(self, key: Key, visit: int) -> str:
        """What request number `visit` about a question, from 0 on, meets: the fault, or "ok"."""
        is_chosen = key == self.one or self.share == "all" or (self.share == "third" and self._is_drawn(key))
        return self.fault if is_chosen and (self.is_permanent or visit == 0) else "ok"

    def _is_drawn(self, key: Key) -> bool:
        return random.Random(f"{self.seed} {key}").random() < 1 / 3


class FaultyOracle(Faults):
    """Serves an oracle's answers; those that the plan chooses meet its fault.

    Give `on_show` to the ranker.

    Attributes:
        visits: question → requests about it.
    """

    def __init__(self, oracle: Oracle, plan: Plan) -> None:
        super().__init__(self._answer)
        self._server.RequestHandlerClass = _Faulty
        self.oracle, self.plan = oracle, plan
        self.visits: Counter[Key] = Counter()
        self.shown: dict[Key, Shown] = {}
        self._counting = threading.Lock()

    def on_show(self, shown: Shown) -> None:
        """Learn the labels of a question."""
        self.shown[tuple(worth_of(flat(shown.prompt)))] = shown

    def _answer(self, number: int) -> Answer:
        body = self.requests[number].body
        prompt = _prompt(body)
        key = tuple(worth_of(flat(prompt)))
        with self._counting:
            visit = self.visits[key]
            self.visits[key] += 1
        fault = self.plan.said(key, visit)
        return fault if fault in OWN else self._said(fault, body, prompt, self.shown[key])

    def _said(self, fault: str, body: Mapping[str, Any], prompt: Prompt, shown: Shown) -> dict[str, Any]:
        if body.get("echo"):
            return _echoed(self._right(Likelihood(prompt, "", shown.tag), shown), body, fault)
        if "logprobs" in body:
            choices = self.oracle.template.choices or shown.choices()
            right = self._right(Choose(prompt, choices, shown.tag), shown)
            return with_logprobs(reported(fault, choices, right.logprobs), is_chat="messages" in body)
        right = self._right(Generate(prompt, tag=shown.tag), shown)
        is_begun = not isinstance(prompt, str) and prompt[-1].role == "assistant"
        worths = worth_of(flat(prompt))
        return Wording(self.oracle, shown.labels, worths, right.text).body(fault, is_begun=is_begun)

    def _right(self, request: Request, shown: Shown) -> Reply:
        self.oracle.on_show(shown)
        right = self.oracle.answer(request)
        return right if isinstance(right, Reply) else Reply(right)


class _Faulty(_Handler):
    def give(self, what: Answer) -> None:
        if isinstance(what, str) and what in OWN:
            OWN[what](self)
        else:
            super().give(what)


def _half(handler: _Handler) -> None:
    """The connection ends in the middle of a body that has said enough to be misread."""
    data = json.dumps(answer(BAIT)).encode()
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data[:-60])
    handler.close_connection = True


def _prompt(body: Mapping[str, Any]) -> Prompt:
    if "prompt" in body:
        return str(body["prompt"])
    return tuple(Message(turn["role"], turn["content"]) for turn in body["messages"])


# Likelihoods


def reported(fault: str, choices: Sequence[str], right: Sequence[float]) -> dict[str, float]:
    """Token → logprob, as a server reports them."""
    best = sorted(range(len(choices)), key=lambda place: -right[place])
    match fault:
        case "ok":
            return dict(zip(choices, right, strict=True))
        case "wrong ids":
            return {"98": -0.5, "X": -1.5}
        case "repeated ids":
            return {choices[best[0]]: -0.5, f"{choices[best[0]]} ": -1.5}
        case "missing ids":
            return {choices[best[0]]: -0.5, **({choices[best[2]]: -1.5} if len(best) > 2 else {})}
        case "refusal":
            return {"I": -0.1, "As": -3.0}
        case "error text":
            return {"HTTP": -0.1, "Error": -3.0}
    return {}


def with_logprobs(table: Mapping[str, float], *, is_chat: bool) -> dict[str, Any]:
    """The body of an answer of one token."""
    body = answer(next(iter(table), ""), finish="length")
    if not table:
        return body
    tokens = [{"token": token, "logprob": value} for token, value in table.items()]
    chat = {"content": [{**tokens[0], "top_logprobs": tokens}]}
    body["choices"][0]["logprobs"] = (
        chat if is_chat else {"top_logprobs": [dict(table)], "tokens": [], "text_offset": []}
    )
    return body


def _echoed(right: Reply, body: Mapping[str, Any], fault: str) -> dict[str, Any]:
    """The prompt said again in two tokens, the second of which is the query."""
    said = answer(BAIT, finish="length")
    if fault == "ok":
        text = str(body["prompt"])
        begin = len(text) - len(QUERY)
        said["choices"][0]["logprobs"] = {
            "tokens": [text[:begin], text[begin:]],
            "token_logprobs": [None, right.logprobs[0]],
            "text_offset": [0, begin],
        }
    return said


# Written answers


@dataclass(frozen=True)
class Wording:
    """How an answer is written, rightly and wrongly.

    Attributes:
        oracle: knows the form.
        labels: of the documents.
        worths: of the documents.
        right: what the oracle says.
    """

    oracle: Oracle
    labels: tuple[str, ...]
    worths: list[int]
    right: str

    def body(self, fault: str, *, is_begun: bool) -> dict[str, Any]:
        """What the server sends; `is_begun`, the conversation ends with the assistant's turn."""
        match fault:
            case "ok":
                return answer(self.right)
            case "refusal":
                return answer("", refusal=f"I can not help with that. {BAIT}")
            case "filtered":
                return answer(BAIT, finish="content_filter")
            case "empty":
                return answer("")
            case "error text":
                return answer(ERROR_TEXT)
            case "cut off":
                is_thinking = self.oracle.template.reasons and not is_begun
                return answer("<think>I weigh [3] > [1" if is_thinking else self._cut_off(), finish="length")
            case "wrong ids":
                return answer(self._wrong())
            case "repeated ids":
                return answer(self._repeated())
        return answer(self._missing())

    @property
    def _form(self) -> str:
        template = self.oracle.template
        return "answer tag" if template.parser == "setwise" and template.labels == "numbers" else template.parser

    @property
    def _best(self) -> list[str]:
        return [self.labels[place] for place in sorted(range(len(self.worths)), key=lambda i: -self.worths[i])]

    def _ranked(self, labels: Sequence[str]) -> str:
        if self._form == "json":
            return json.dumps({"ranked_passages": [{"identifier": int(label)} for label in labels]})
        return " > ".join(f"[{label}]" for label in labels)

    def _cut_off(self) -> str:
        whole = self._ranked([self.labels[-1], self.labels[0], "99"])
        choices = {"answer tag": "<answer>[", "setwise": "Passage", "pairwise": "The passage", "grade": "The"}
        return choices.get(self._form, "Well" if self._form == "yes_no" else whole[: whole.index("99")])

    def _wrong(self) -> str:
        choices = {"answer tag": "<answer>[98]</answer>", "setwise": "Passage X", "pairwise": "Passage C", "grade": "7"}
        return choices.get(self._form, "Maybe" if self._form == "yes_no" else self._ranked(["98", "99", "97"]))

    def _repeated(self) -> str:
        first, _, *rest = (*self._best, "", "")[: max(2, len(self._best))]
        match self._form:
            case "answer tag":
                return f"<answer>[{first}] > [{first}]</answer>"
            case "setwise" | "pairwise":
                return f"Passage {first} > Passage {first}"
            case "yes_no":
                return f"{self.right}. {self.right}."
            case "grade":
                return f"Score: {self.right}. Score: {self.right}"
        return self._ranked([first, first, *rest])

    def _missing(self) -> str:
        first, _, *rest = (*self._best, "", "")[: max(2, len(self._best))]
        match self._form:
            case "answer tag":
                return f"The most relevant passage is [{first}]."
            case "setwise" | "pairwise":
                return f"The more relevant passage is Passage {first}."
            case "yes_no":
                return f"The passage is {'' if self.right == 'yes' else 'not '}relevant."
            case "grade":
                return f"I give it a score of {self.right}."
        return self._ranked([first, *rest])
