"""What a causal student reads, as tokens: one renderer for training and for ranking, so that both see the same.

    query-first      Query: … Document: … Relevant:          the documents of a query share what comes first
    document-first   Document: … Query: …                    the score is read right after the query

The rank head reads the last token. A scored prompt is made of a query and a document, and there is no way to hand it a
reason. Parts are put into tokens one by one and then joined, so that the part that documents share is the same tokens
for all of them, and so that cutting one part can never reach another.

Queries, documents and reasons are data: what a tokenizer would read as a control token is broken before it gets there
(`prompts.neutral`), and a special token that should come out of a text all the same is dropped.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, NamedTuple, TypeAlias

from whyrank.errors import BadInput
from whyrank.prompts.neutral import neutral

Kind: TypeAlias = Literal["direct", "comparison"]
Layout: TypeAlias = Literal["query-first", "document-first"]
LAYOUTS: tuple[Layout, ...] = ("query-first", "document-first")

LEAST_TOKENS = 8
"""A document of which fewer tokens fit is not worth reading."""
CHARACTERS_A_TOKEN = 32
"""No more characters of a text are put into tokens to find where it must be cut: hardly a token is longer."""
_QUERY, _DOCUMENT, _OTHER = "Query:", "Document:", "Other document:"
_ENDS = {"scored": "Relevant:", "direct": "Reason:", "comparison": "Why the document stands above the other:"}


@dataclass(frozen=True, slots=True)
class PromptSettings:
    """How much is read, and in which order; saved with a student.

    Attributes:
        max_tokens: most tokens of a prompt.
        query_tokens: of these, most tokens of the query.
        reason_tokens: most tokens of a reason, which follows a prompt.
        layout: what stands first.
    """

    max_tokens: int = 618
    query_tokens: int = 64
    reason_tokens: int = 192
    layout: Layout = "query-first"

    def renderer(self, tokenizer: Any) -> "Renderer":
        """The renderer of these settings for a tokenizer of transformers."""
        return Renderer(
            tokenizer,
            max_tokens=self.max_tokens,
            query_tokens=self.query_tokens,
            reason_tokens=self.reason_tokens,
            layout=self.layout,
        )


class Parts(NamedTuple):
    """A scored prompt in two parts.

    Attributes:
        prefix: the same for every document of a query.
        suffix: its last token is the one that is scored.
        left_out: characters at the end of the document that did not fit.
    """

    prefix: tuple[int, ...]
    suffix: tuple[int, ...]
    left_out: int


class Renderer:
    """Renders prompts for one tokenizer.

    Args:
        tokenizer: of transformers, one that gives offsets.
        max_tokens: most tokens of a prompt.
        query_tokens: of these, most tokens of the query.
        reason_tokens: most tokens of a reason, its end included.
        layout: what stands first.

    Raises:
        BadInput: a number below 1, a layout there is not, no room for a document, or a tokenizer without offsets or
            without a token that ends a text.
    """

    def __init__(
        self,
        tokenizer: Any,
        *,
        max_tokens: int,
        query_tokens: int,
        reason_tokens: int = 192,
        layout: Layout = "query-first",
    ) -> None:
        if layout not in LAYOUTS:
            raise BadInput(f"no layout {layout!r}; give {' or '.join(LAYOUTS)}")
        if not tokenizer.is_fast or tokenizer.eos_token_id is None:
            raise BadInput(
                f"{type(tokenizer).__name__} gives no offsets, or knows no token that ends a text; a student needs a "
                "fast tokenizer with an eos_token"
            )
        self.settings = PromptSettings(max_tokens, query_tokens, reason_tokens, layout)
        self._tokenizer = tokenizer
        self._query_first = layout == "query-first"
        self._controls = _control_texts(tokenizer)
        self._dropped = frozenset(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
        self._begin = _beginning(tokenizer)
        self._query = lru_cache(maxsize=1024)(self._cut_query)
        self._fixed = lru_cache(maxsize=16)(lambda words: tuple(self._bare(words)[0]))
        for name, value, least in (
            ("query_tokens", query_tokens, 1),
            ("reason_tokens", reason_tokens, 1),
            ("max_tokens", max_tokens, self._least()),
        ):
            if value < least:
                raise BadInput(
                    f"{name}={value}; give at least {least}, so that a query of {query_tokens} tokens leaves room for "
                    "documents"
                )

    def scored(self, query: str, document: str) -> list[int]:
        """What the rank head reads; its last token is scored."""
        parts = self.parts(query, document)
        return [*parts.prefix, *parts.suffix]

    def parts(self, query: str, document: str) -> Parts:
        """The same, parted after what all documents of the query share."""
        asked = self._query(query)
        if self._query_first:
            prefix = (*self._begin, *self._fixed(_QUERY), *asked, *self._fixed(f"\n{_DOCUMENT}"))
            end = self._fixed(f"\n{_ENDS['scored']}")
        else:
            prefix = (*self._begin, *self._fixed(_DOCUMENT))
            end = (*self._fixed(f"\n{_QUERY}"), *asked)
        room = self.settings.max_tokens - len(prefix) - len(end)
        tokens, left_out = self._cut(document, room)
        return Parts(prefix, (*tokens, *end), left_out)

    def asked(self, kind: Kind, query: str, document: str, other: str | None = None) -> list[int]:
        """The prompt of a reason: why the document answers the query, or why it stands above the other.

        Raises:
            BadInput: a comparison without another document, or a direct reason with one.
        """
        if (kind == "comparison") != (other is not None):
            raise BadInput(f"a {kind} reason {'needs' if other is None else 'takes no'} other document; give it one")
        asked = (*self._fixed(_QUERY), *self._query(query))
        end = self._fixed(f"\n{_ENDS[kind]}")
        labels = [self._fixed(_DOCUMENT)] if other is None else [self._fixed(_DOCUMENT), self._fixed(f"\n{_OTHER}")]
        texts = [document] if other is None else [document, other]
        taken = len(self._begin) + len(asked) + len(end) + sum(map(len, labels)) + 1
        shown = self._shares(texts, self.settings.max_tokens - taken)
        documents = [token for label, tokens in zip(labels, shown, strict=True) for token in (*label, *tokens)]
        line = self._fixed("\n")[:1]
        first, second = (asked, documents) if self._query_first else (documents, asked)
        return [*self._begin, *first, *line, *second, *end]

    def told(self, text: str) -> list[int]:
        """The tokens of a reason, ended by the end of a text; one that is too long is cut and not ended."""
        tokens, _ = self._cut(text, self.settings.reason_tokens)
        ended = [*tokens, self._tokenizer.eos_token_id]
        return ended[: self.settings.reason_tokens]

    def _least(self) -> int:
        """Tokens of the longest prompt that shows as little of documents as may be."""
        fixed = sum(len(self._fixed(f"\n{words}")) for words in (_QUERY, _DOCUMENT, _OTHER))
        ends = max(len(self._fixed(f"\n{words}")) for words in _ENDS.values())
        return len(self._begin) + fixed + ends + 1 + self.settings.query_tokens + 2 * LEAST_TOKENS

    def _shares(self, texts: Sequence[str], room: int) -> list[list[int]]:
        """Each text cut to its share of the room; what a short one leaves, the other gets."""
        cut = [self._cut(text, room)[0] for text in texts]
        if len(cut) == 1:
            return cut
        half = room // 2
        first = min(len(cut[0]), max(half, room - len(cut[1])))
        return [cut[0][:first], cut[1][: room - first]]

    def _cut_query(self, query: str) -> tuple[int, ...]:
        return tuple(self._cut(query, self.settings.query_tokens)[0])

    def _cut(self, text: str, room: int) -> tuple[list[int], int]:
        """The first tokens of a text, and how many of its characters they leave out."""
        harmless = neutral(text, self._controls)
        looked_at = harmless[: CHARACTERS_A_TOKEN * room]
        tokens, ends = self._bare(f" {looked_at}")
        if len(tokens) <= room:
            return tokens, len(harmless) - len(looked_at)
        return tokens[:room], len(harmless) - max(0, ends[room - 1] - 1)

    def _bare(self, text: str) -> tuple[list[int], list[int]]:
        """Tokens without the special ones, and where in the text each ends."""
        encoded = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        pairs = zip(encoded["input_ids"], encoded["offset_mapping"], strict=True)
        kept = [(token, end) for token, (_, end) in pairs if token not in self._dropped]
        return [token for token, _ in kept], [end for _, end in kept]


def _control_texts(tokenizer: Any) -> tuple[str, ...]:
    """What the tokenizer reads as control tokens, special and added ones, except blanks."""
    added = (token.content for token in tokenizer.added_tokens_decoder.values())
    return tuple(sorted({t for t in (*tokenizer.all_special_tokens, *added) if len(t) > 1 and t.strip()}))


def _beginning(tokenizer: Any) -> tuple[int, ...]:
    """What the tokenizer puts before a text; the token that begins a text once and never twice."""
    whole = tokenizer("a", verbose=False)["input_ids"]
    bare = tokenizer("a", add_special_tokens=False, verbose=False)["input_ids"]
    before = next((n for n in range(len(whole)) if bare and whole[n : n + len(bare)] == bare), 0)
    begin = tuple(whole[:before])
    return begin[1:] if begin[:2] == (tokenizer.bos_token_id,) * 2 else begin
