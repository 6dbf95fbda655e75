"""From prompts to tokens, as the model's own tokenizer and chat template have it, and nothing but theirs."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from whyrank.errors import BadInput
from whyrank.lm.base import Message, Prompt

BREAK = "\u200b"
"""Put after the first character of a control token in a message, so that it is mere text: a zero-width space."""
SEAM = 64
"""Characters at the end of a prompt that decide how the text after it falls into tokens."""


class Encoded(NamedTuple):
    """A prompt as text and as tokens."""

    text: str
    tokens: list[int]


class Prompts:
    """Puts prompts into tokens.

    A text keeps the special tokens that the tokenizer adds to a single text, the token that begins a text once and
    never twice; one that would end it is left out where the model is to go on (`continues`).

    A conversation goes through the chat template; one that knows no system role gets the system's message at the head
    of the user's. Control tokens in its messages, in whichever spelling, are broken by a zero-width space, so that no
    text can end a turn or begin one. In the beginning of the assistant's turn, which prompts write and documents do
    not, only special tokens are broken: "<think></think>" is how reasoning is switched off.

    Args:
        tokenizer: of transformers.
        name: of the model, for messages.
        continues: the model goes on where the prompt ends (causal), and does not answer from its beginning (seq2seq).

    Attributes:
        controls: texts that the tokenizer reads as control tokens: special and added ones, except blanks.
    """

    def __init__(self, tokenizer: Any, name: str, *, continues: bool) -> None:
        self._tokenizer = tokenizer
        self._name = name
        self._continues = continues
        added = tokenizer.added_tokens_decoder.values()
        special = {*tokenizer.all_special_tokens, *(token.content for token in added if token.special)}
        texts = {text for text in special | {token.content for token in added} if len(text) > 1 and text.strip()}
        self.controls = tuple(sorted(texts))
        unknown = {tokenizer.unk_token_id}  # any rare character may be read as this one, and it controls nothing
        self._all = frozenset(tokenizer.convert_tokens_to_ids(sorted(texts))) - unknown
        self._special = frozenset(tokenizer.convert_tokens_to_ids(sorted(special & texts))) - unknown
        self.chosen = lru_cache(maxsize=4096)(self._chosen)

    def encode(self, prompt: Prompt) -> Encoded:
        """The tokens of a prompt.

        Raises:
            BadInput: a conversation for a model without a chat template, or one that its template refuses; an empty
                prompt.
        """
        if isinstance(prompt, str):
            encoded = Encoded(prompt, self._single(prompt))
        else:
            text = self._conversation(prompt)
            encoded = Encoded(text, self._bare(text))
        if not encoded.tokens:
            raise BadInput(f"an empty prompt for {self._name}; a prompt has at least one token")
        return encoded

    def choices(self, prompt: Encoded, choices: Sequence[str]) -> tuple[int, ...]:
        """The token of each choice, as it follows this prompt.

        Raises:
            BadInput: a choice is not one token there, or two are the same one; none are given.
        """
        seam = prompt.text[-SEAM:] if self._continues else ""
        tokens = tuple(self.chosen(seam, choice) for choice in choices)
        if not tokens or len(set(tokens)) < len(tokens):
            raise BadInput(f"choices {choices!r} for {self._name}: give at least one, each with a token of its own")
        return tokens

    def continuation(self, prompt: Encoded, text: str) -> list[int]:
        """The tokens of a text that follows a prompt.

        They are those that prompt and text have together, without the prompt's own. Where the two would melt into one
        token at the seam, the text's own tokens follow the prompt's.

        Raises:
            BadInput: the text is empty.
        """
        if not text:
            raise BadInput(f"an empty continuation for {self._name}; give the text whose likelihood is asked")
        return self._following(prompt.text[-SEAM:] if self._continues else "", text)

    def _chosen(self, seam: str, choice: str) -> int:
        tokens = self._following(seam, choice) if choice else []
        if len(tokens) != 1:
            pieces = self._tokenizer.convert_ids_to_tokens(tokens)
            raise BadInput(
                f"the choice {choice!r} is {len(tokens)} tokens to {self._name} after {seam[-20:]!r}: {pieces}; "
                "a choice must be exactly one token; take another prompt, or ask.scoring=generation"
            )
        return tokens[0]

    def _following(self, seam: str, text: str) -> list[int]:
        if not self._continues:
            return self._bare(text)
        # The text alone could get the blank that some tokenizers put before a text; after a line break none can.
        for before in (seam, "\n"):
            own = self._bare(before)
            both = self._bare(before + text)
            if both[: len(own)] == own and len(both) > len(own):
                return both[len(own) :]
        return self._bare(text)

    def _bare(self, text: str) -> list[int]:
        tokens: list[int] = self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        return tokens

    def _single(self, text: str) -> list[int]:
        tokens: list[int] = self._tokenizer(text, verbose=False)["input_ids"]
        begin, end = self._tokenizer.bos_token_id, self._tokenizer.eos_token_id
        if begin is not None and tokens[:2] == [begin, begin]:
            del tokens[0]
        if self._continues and tokens[-1:] == [end] and self._bare(text)[-1:] != [end]:
            del tokens[-1]
        return tokens

    def _conversation(self, messages: tuple[Message, ...]) -> str:
        if not self._tokenizer.chat_template:
            raise BadInput(
                f"{self._name} has no chat template, so it cannot take a conversation; give the prompt as a text, "
                "in the form that the model was trained on (T5: ask.prompt=relevance-generation-t5, prp-t5, setwise-t5)"
            )
        if not messages:
            raise BadInput(f"an empty conversation for {self._name}; give at least one message")
        last = len(messages) - 1
        guarded = [
            Message(
                m.role, self._guarded(m.text, self._special if m.role == "assistant" and place == last else self._all)
            )
            for place, m in enumerate(messages)
        ]
        if guarded[0].role != "system":
            return self._rendered(guarded)
        system = guarded[0].text.strip()
        try:
            text = self._rendered(guarded)
        except BadInput:
            text = ""
        return text if system in text and text else self._rendered(folded(guarded))

    def _rendered(self, messages: list[Message]) -> str:
        from jinja2 import TemplateError

        turns = [{"role": message.role, "content": message.text} for message in messages]
        try:
            if messages[-1].role != "assistant":
                return self._templated(turns, add_generation_prompt=True)
            try:
                text = self._templated(turns, continue_final_message=True)
            except ValueError:  # a template that rewrites the assistant's turns, as those of reasoning models do
                text = ""
            if text.endswith(messages[-1].text):
                return text
            return self._templated(turns[:-1], add_generation_prompt=True) + messages[-1].text
        except TemplateError as error:
            roles = ", ".join(message.role for message in messages)
            raise BadInput(f"the chat template of {self._name} refuses the roles {roles}: {error}") from error

    def _templated(self, turns: list[dict[str, str]], **how: bool) -> str:
        text: str = self._tokenizer.apply_chat_template(turns, tokenize=False, **how)
        return text

    def _guarded(self, text: str, controls: frozenset[int]) -> str:
        # Found in its tokens, not in its letters: one that normalises reads full-width brackets as control tokens too.
        for start in reversed(self._starts(text, controls)):
            text = text[: start + 1] + BREAK + text[start + 1 :]
        while starts := self._starts(text, controls):  # it drops what was put in, so a character has to go
            text = text[: starts[0]] + text[starts[0] + 1 :]
        return text

    def _starts(self, text: str, controls: frozenset[int]) -> list[int]:
        encoded = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        pairs = zip(encoded["input_ids"], encoded["offset_mapping"], strict=True)
        return [start for token, (start, _) in pairs if token in controls]


class ExactTokens:
    """Counts and cuts as the model's tokenizer does, special tokens left out."""

    is_exact = True

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def count(self, text: str) -> int:
        """Number of tokens."""
        return len(self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    def cut(self, text: str, limit: int) -> str:
        """The longest beginning that ends with one of its tokens and has at most `limit` of them."""
        encoded = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        ends = [end for _, end in encoded["offset_mapping"]]
        if len(ends) <= limit:
            return text
        for end in reversed(ends[: max(limit, 0)]):
            if self.count(text[:end]) <= limit:  # a cut can split the last token into more
                return text[:end]
        return ""


def folded(messages: Sequence[Message]) -> list[Message]:
    """The conversation with the system's message at the head of the first user's, for templates that know no system.

    Raises:
        BadInput: no user's message follows the system's.
    """
    system, *rest = messages
    if not rest or rest[0].role != "user":
        raise BadInput("a system message must be followed by a user's message for a model that knows no system role")
    return [Message("user", f"{system.text}\n\n{rest[0].text}"), *rest[1:]]
