"""Texts to token ids: long texts become overlapping passages, nothing is truncated in silence."""

from collections.abc import Sequence
from dataclasses import dataclass

from tokenizers import Tokenizer

CLS, SEP = 101, 102


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of a text, ready for the body.

    Attributes:
        ids: token ids with the two markers, ``[CLS] … [SEP]``; length T ≥ 2.
        offsets: code points [start, end) of each of the T − 2 tokens between the markers, in the whole text.
    """

    ids: tuple[int, ...]
    offsets: tuple[tuple[int, int], ...]


def cut(tokens: int, window: int, overlap: int) -> list[tuple[int, int]]:
    """Token ranges of at most `window` that cover ``range(tokens)``, neighbours sharing at least `overlap`.

    The ranges are of equal length and evenly spread: no text ends in a passage of three words, and little more than
    the overlaps is read twice.

    >>> cut(10, 6, 2)
    [(0, 6), (4, 10)]
    >>> cut(8, 6, 2)
    [(0, 5), (3, 8)]
    """
    if tokens <= window:
        return [(0, tokens)]
    count = -(-(tokens - overlap) // (window - overlap))
    length = -(-(tokens + (count - 1) * overlap) // count)
    last = tokens - length
    return [(last * i // (count - 1), last * i // (count - 1) + length) for i in range(count)]


def harmless(text: str) -> str:
    """Lone surrogates, which no encoder can write, become U+FFFD; offsets stay as they were."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return "".join("�" if "\ud800" <= c <= "\udfff" else c for c in text)
    return text


class Cutter:
    """Turns texts into passages with the body's own tokenizer.

    Args:
        tokenizer: the body's. Its truncation and padding are switched off, and markers such as "[SEP]" that stand in
            a text are read as plain characters: a document can never forge one.
        window: tokens a passage, the two markers included.
        overlap: tokens that neighbouring passages of one text share, at least.
    """

    def __init__(self, tokenizer: Tokenizer, *, window: int, overlap: int) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        tokenizer.encode_special_tokens = True
        self._tokenizer = tokenizer
        self.window = window
        self.overlap = overlap

    def passages(self, texts: Sequence[str]) -> list[list[Passage]]:
        """The passages of each text, in order; a text without tokens has one, of the two markers."""
        return [
            [
                Passage((CLS, *ids[a:b], SEP), tuple(offsets[a:b]))
                for a, b in cut(len(ids), self.window - 2, self.overlap)
            ]
            for ids, offsets in self.tokens(texts)
        ]

    def tokens(self, texts: Sequence[str]) -> list[tuple[list[int], list[tuple[int, int]]]]:
        """Ids and offsets of each text's tokens, without markers and uncut."""
        read = self._tokenizer.encode_batch([harmless(t) for t in texts], add_special_tokens=False)
        return [(one.ids, one.offsets) for one in read]

    def continuing_pieces(self) -> frozenset[int]:
        """Ids of the word pieces that continue a word ("##ing")."""
        return frozenset(i for piece, i in self._tokenizer.get_vocab().items() if piece.startswith("##"))
