"""What a language model is shown when it is asked for a reason: documents, harmless and cut to fit, and evidence."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from whyrank.errors import BadInput
from whyrank.lm.base import LM, Generate, Prompt
from whyrank.prompts import Passage, Template, load
from whyrank.prompts.neutral import neutral
from whyrank.rankers.matter import LEAST_TOKENS, TOKENS_A_MESSAGE
from whyrank.reason.direct import carried
from whyrank.reason.phrases import QUOTE_LIMIT, clipped, number
from whyrank.types import Decomposition, Document, Hit, Query

PASSAGE_TOKENS = 1_500
"""Most tokens of a document that are shown: enough for a long page, and a book costs no more than that."""

CHARACTERS_A_TOKEN = 32
"""No more characters of a text are tokenised to find where it must be cut: hardly a token is longer."""

SENTENCES_SHOWN = 3
"""Sentences of each document that are shown with what they carry, the strongest first."""

DIRECT_FORM = ("reason", "quote")
COMPARISON_FORM = ("better", "reason", "quote_a", "quote_b")
SHORT_FORM = ("better",)
_LABELS = ("A", "B")


@dataclass(frozen=True, slots=True)
class Side:
    """A document as it is asked about, and its score taken apart, where that is known."""

    hit: Hit
    decomposition: Decomposition | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, and of each document in it the part that was shown: quotes can come from nowhere else."""

    request: Generate
    shown: tuple[Document, ...]


@dataclass(frozen=True)
class Writer:
    """Puts questions about the documents of one query to a model.

    Attributes:
        lm: the model.
        query: the query.
        max_tokens: most tokens of an answer; None for what the prompts suggest.
    """

    lm: LM
    query: Query
    max_tokens: int | None = None

    def why(self, side: Side) -> Asked:
        """Asks why a document answers the query."""
        return self._asked(load("why-this"), DIRECT_FORM, (side,), f"why/{side.hit.document.id}")

    def why_above(self, upper: Side, lower: Side) -> Asked:
        """Asks which of the two answers better, and why; the upper one is shown first, and is called A."""
        tag = f"above/{upper.hit.document.id}/{lower.hit.document.id}"
        return self._asked(load("why-above"), COMPARISON_FORM, (upper, lower), tag)

    def which_above(self, first: Side, second: Side) -> Asked:
        """Asks which of the two answers better, and for no more."""
        tag = f"which/{first.hit.document.id}/{second.hit.document.id}"
        return self._asked(load("which-above"), SHORT_FORM, (first, second), tag)

    def _asked(self, template: Template, form: Sequence[str], sides: tuple[Side, ...], tag: str) -> Asked:
        max_tokens = self.max_tokens or template.max_tokens
        limit = self._limit(template, sides, max_tokens)
        shown = tuple(self._shown(side.hit, limit) for side in sides)
        request = Generate(
            self._prompt(template, sides, shown, limit),
            max_tokens=max_tokens,
            schema=schema(form),
            tag=f"{self.query.id}/{tag}",
        )
        return Asked(request, shown)

    def _prompt(self, template: Template, sides: Sequence[Side], shown: Sequence[Document], limit: int) -> Prompt:
        labelled = list(zip(_LABELS, sides, shown, strict=False))
        cut = [label for label, side, d in labelled if d.full_text != side.hit.document.full_text]
        # Breaking control tokens up can make more tokens of a text, so it is cut once more.
        texts = [self.lm.tokens.cut(self._harmless(d.full_text), limit) for d in shown]
        passages = [Passage(label, text) for label, text in zip(_LABELS, texts, strict=False)]
        extra = {"note": _note(cut, len(sides)), "evidence": self._evidence(sides, shown)}
        known = {name: extra[name] for name in template.extra}
        return template.render(self._harmless(self.query.text), passages, extra=known)

    def _evidence(self, sides: Sequence[Side], shown: Sequence[Document]) -> str:
        """What the sentences of the documents add to their scores, strongest first; "" where no score is known."""
        lines = []
        for label, side, document in zip(_LABELS, sides, shown, strict=False):
            terms = side.decomposition.terms if side.decomposition else ()
            strongest = sorted(carried(terms), key=lambda c: -abs(c.contribution))
            inside = [c for c in strongest if c.span.end <= len(document.field_text(c.span.field)) and c.contribution]
            lines += [
                f"{label} {_signed(c.contribution)}: “{self._harmless(clipped(document.quote(c.span), QUOTE_LIMIT))}”"
                for c in inside[:SENTENCES_SHOWN]
            ]
        head = "What single sentences add to a score of relevance (+), or take from it (-):"
        return "\n\n" + "\n".join([head, *lines]) if lines else ""

    def _harmless(self, text: str) -> str:
        return neutral(text, self.lm.controls)

    def _shown(self, hit: Hit, limit: int) -> Document:
        """The beginning of what the ranker read, at most `limit` tokens: title and text at their old offsets."""
        whole = hit.document.full_text
        read = whole[: len(whole) - hit.cut]
        beginning = self.lm.tokens.cut(read[: CHARACTERS_A_TOKEN * limit], limit)
        title = hit.document.title
        if not title:
            return replace(hit.document, text=beginning)
        return replace(hit.document, title=beginning[: len(title)] or None, text=beginning[len(title) + 1 :])

    def _limit(self, template: Template, sides: Sequence[Side], max_tokens: int) -> int:
        """Most tokens of each document.

        Raises:
            BadInput: the context leaves no room for them.
        """
        if self.lm.context is None:
            return PASSAGE_TOKENS
        empty = self._prompt(template, sides, [replace(s.hit.document, title=None, text="") for s in sides], 0)
        evidence = self._evidence(sides, [s.hit.document for s in sides])
        texts = [empty] if isinstance(empty, str) else [message.text for message in empty]
        taken = sum(self.lm.tokens.count(text) + TOKENS_A_MESSAGE for text in [*texts, evidence]) + max_tokens
        share = (self.lm.context - taken) // len(sides)
        if share < LEAST_TOKENS:
            raise BadInput(
                f"query {self.query.id!r}: prompt, query and answer take {taken:,} of the {self.lm.context:,} tokens "
                f"that {self.lm.name} can hold, which leaves no room for a document; shorten the query, ask for "
                "shorter answers with max_tokens, or take a model with a longer context"
            )
        return min(share, PASSAGE_TOKENS)


def schema(form: Sequence[str]) -> str:
    """The JSON schema of an answer: an object of these texts, "better" being a label."""
    import json

    kinds = {
        name: {"type": "string", "enum": list(_LABELS)} if name == "better" else {"type": "string"} for name in form
    }
    return json.dumps({"type": "object", "properties": kinds, "required": list(form), "additionalProperties": False})


def _note(cut: Sequence[str], count: int) -> str:
    if not cut:
        return ""
    which = "the document" if count == 1 else "documents A and B" if len(cut) > 1 else f"document {cut[0]}"
    return f"\n(Of {which} only the beginning is shown.)"


def _signed(value: float) -> str:
    return f"{'+' if value > 0 else '-'}{number(abs(value))}"
