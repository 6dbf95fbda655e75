"""How a query and a document become one row of tokens for a sequence classifier.

    pair    the tokenizer's own form of two texts, as encoders are trained:    [CLS] query [SEP] document [SEP]
    plain   one token that begins a text, then both:                           <s> query: … document: …
    each    the same before each of the two, as the released DeAR models:      <s> query: … <s> document: …

Query and document are put into tokens one by one and then joined, so that all documents of a query begin with the same
tokens, and so that cutting one can never reach the other. Both are data: what a tokenizer would read as a control token
is broken before it gets there (`prompts.neutral`), and a special token that should come out all the same is dropped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, NamedTuple, TypeAlias

from whyrank.errors import BadInput
from whyrank.lm.transformers_prompts import Prompts
from whyrank.prompts.neutral import neutral
from whyrank.rankers.student_prompt import CHARACTERS_A_TOKEN, LEAST_TOKENS
from whyrank.types import Document

Joined: TypeAlias = Literal["pair", "plain", "each"]
JOINED: tuple[Joined, ...] = ("pair", "plain", "each")
MOST_SPECIAL = 4
"""Special tokens that a pair may need: `<s> query </s></s> document </s>`."""
_QUERY, _DOCUMENT = "{query}", "{document}"


class Row(NamedTuple):
    """A pair as tokens.

    Attributes:
        tokens: to be read.
        types: of each token the text it belongs to, 0 or 1, as the tokenizer says it; () where it says nothing.
        left_out: characters at the end of the document that did not fit.
    """

    tokens: tuple[int, ...]
    types: tuple[int, ...] = ()
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class PairFormat:
    """How a pair is written, and how much of it is read; saved with a classifier.

    Attributes:
        query: words before the query; it ends with "{query}".
        document: words before the document; it ends with "{document}".
        query_tokens: most tokens of the query, its words included.
        document_tokens: most tokens of the document, its words included; None for as many as there is room for.
        max_tokens: most tokens of a row.
        joined: how the two become one, as above.
        untitled: what stands in the place of the title, and of the blank after it, of a document without one.

    Raises:
        BadInput: words that do not end with their field, numbers that leave no room, a form that there is not.
    """

    query: str = _QUERY
    document: str = _DOCUMENT
    query_tokens: int = 256
    document_tokens: int | None = None
    max_tokens: int = 512
    joined: Joined = "pair"
    untitled: str = ""

    def __post_init__(self) -> None:
        for name, words, field in (("query", self.query, _QUERY), ("document", self.document, _DOCUMENT)):
            if not words.endswith(field) or words.count(field) > 1:
                raise BadInput(f"{name}={words!r}; give words that end with {field}, such as {name + ': ' + field!r}")
        if self.joined not in JOINED:
            raise BadInput(f"no form of pairs {self.joined!r}; give {', '.join(JOINED)}")
        least = self.query_tokens + LEAST_TOKENS + MOST_SPECIAL
        for name, value, fewest in (
            ("query_tokens", self.query_tokens, 1),
            ("document_tokens", self.document_tokens, 1),
            ("max_tokens", self.max_tokens, least),
        ):
            if value is not None and value < fewest:
                raise BadInput(
                    f"{name}={value}; give at least {fewest}, so that a query of {self.query_tokens} tokens leaves "
                    "room for documents"
                )

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> "PairFormat":
        """The format that a saved classifier or a table states.

        Raises:
            BadInput: an unknown field, or a value that is none of its kind.
        """
        known = [field.name for field in fields(cls)]
        for name, value in values.items():
            if name not in known:
                raise BadInput(f"no setting {name!r} of pairs; known: {', '.join(known)}")
            kind = int if name.endswith("_tokens") else str
            if type(value) is not kind and (name, value) != ("document_tokens", None):
                raise BadInput(f"{name}={value!r} of pairs; give a {'text' if kind is str else 'whole number'}")
        return cls(**values)

    def text_of(self, document: Document) -> str:
        """What is read of a document: its title and its text, or its text behind what stands for a title."""
        return document.full_text if document.title else f"{self.untitled}{document.text}"

    def rows(self, tokenizer: Any, pairs: Sequence[tuple[str, str]]) -> list[Row]:
        """Each query and document as one row of tokens.

        Args:
            tokenizer: of transformers, one that gives offsets.
            pairs: texts of a query and a document.

        Raises:
            BadInput: a tokenizer without offsets.
        """
        if not pairs:
            return []
        half = _Halves(tokenizer)
        frame = _frame(tokenizer, self.joined)
        asked = list(dict.fromkeys(query for query, _ in pairs))
        queries = dict(zip(asked, half.cut(asked, self.query, _QUERY, [self.query_tokens] * len(asked)), strict=True))
        rooms = [self._room(len(queries[query].tokens) + frame.special) for query, _ in pairs]
        documents = half.cut([document for _, document in pairs], self.document, _DOCUMENT, rooms)
        return [frame.row(queries[query].tokens, own) for (query, _), own in zip(pairs, documents, strict=True)]

    def _room(self, taken: int) -> int:
        room = self.max_tokens - taken
        return room if self.document_tokens is None else min(room, self.document_tokens)


class _Cut(NamedTuple):
    """The first tokens of a text, and how many of its characters they leave out."""

    tokens: tuple[int, ...]
    left_out: int


class _Halves:
    """Puts texts into tokens, each by itself and harmless."""

    def __init__(self, tokenizer: Any) -> None:
        if not tokenizer.is_fast:
            raise BadInput(f"{type(tokenizer).__name__} gives no offsets; a classifier needs a fast tokenizer")
        self._tokenizer = tokenizer
        self._controls = Prompts(tokenizer, "", continues=True).controls
        self._dropped = frozenset(tokenizer.all_special_ids) - {tokenizer.unk_token_id}

    def cut(self, texts: Sequence[str], template: str, field: str, rooms: Sequence[int]) -> list[_Cut]:
        """Each text behind its words, cut to its room in tokens."""
        words = template.removesuffix(field)
        harmless = [neutral(text, self._controls) for text in texts]
        looked_at = [text[: CHARACTERS_A_TOKEN * room] for text, room in zip(harmless, rooms, strict=True)]
        encoded = self._tokenizer(
            [f"{words}{text}" for text in looked_at],
            add_special_tokens=False,
            return_offsets_mapping=True,
            verbose=False,
        )
        found = []
        for place, room in enumerate(rooms):
            offsets = encoded["offset_mapping"][place]
            both = zip(encoded["input_ids"][place], offsets, strict=True)
            kept = [(token, end) for token, (_, end) in both if token not in self._dropped]
            read = len(looked_at[place]) if len(kept) <= room else max(0, kept[room - 1][1] - len(words))
            found.append(_Cut(tuple(token for token, _ in kept[:room]), len(harmless[place]) - read))
        return found


class _Frame(NamedTuple):
    """The special tokens around two texts, and which of the two each belongs to.

    Attributes:
        before, between, after: of the texts.
        end: the token that ends a text: what is read where there is nothing else.
        types: of what stands before, of a query's token, of what stands between, of a document's token, of what
            stands after; () where the tokenizer says nothing.
    """

    before: tuple[int, ...]
    between: tuple[int, ...]
    after: tuple[int, ...]
    end: int
    types: tuple[tuple[int, ...], ...] = ()

    @property
    def special(self) -> int:
        return len(self.before) + len(self.between) + len(self.after)

    def row(self, query: tuple[int, ...], document: _Cut) -> Row:
        tokens = (*self.before, *query, *self.between, *document.tokens, *self.after)
        if not self.types:
            return Row(tokens or (self.end,), (), document.left_out)
        before, asked, between, read, after = self.types
        types = (*before, *asked * len(query), *between, *read * len(document.tokens), *after)
        return Row(tokens, types, document.left_out)


def _frame(tokenizer: Any, joined: Joined) -> _Frame:
    end = tokenizer.eos_token_id or 0
    if joined != "pair":
        begin = () if tokenizer.bos_token_id is None else (tokenizer.bos_token_id,)
        return _Frame(begin, begin if joined == "each" else (), (), end)
    bare = [tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"] for text in ("a", "b")]
    whole = tokenizer("a", "b", verbose=False)
    tokens = tuple(whole["input_ids"])
    first = _place(tokens, bare[0], 0)
    between = first + len(bare[0])
    second = _place(tokens, bare[1], between)
    after = second + len(bare[1])
    types = tuple(whole.get("token_type_ids", ()))
    parts = (types[:first], types[first : first + 1], types[between:second], types[second : second + 1], types[after:])
    return _Frame(tokens[:first], tokens[between:second], tokens[after:], end, parts if types else ())


def _place(tokens: tuple[int, ...], part: Sequence[int], start: int) -> int:
    for place in range(start, len(tokens)):
        if part and tokens[place : place + len(part)] == tuple(part):
            return place
    raise BadInput(
        "the tokenizer's form of two texts does not hold them as they are by themselves; give a format that joins "
        "them plainly"
    )
