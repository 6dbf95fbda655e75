"""Counting tokens of a model whose tokenizer is not here: an estimate that errs towards more."""

import re

_TOKEN = re.compile(r"[A-Za-z]{1,4}|[0-9]|[^\w\s]|_|\n+", re.ASCII)
_WIDE = re.compile(r"[^\x00-\x7f]")
LETTERS_A_TOKEN = 4
"""English words of up to four letters are one token to the tokenizers in use; longer ones are a few."""
LONG = 16
"""Characters a token: a text longer than so many times its limit is not counted as a whole before it is cut."""


class EstimatedTokens:
    """Tokens as a byte-pair tokenizer of a big model would have them, at least.

    A word counts one token for each four letters begun, a digit, a sign and a character outside ASCII one each. Over
    English text that is about a third more than what current models count, and never much less in any script.
    """

    is_exact = False

    def count(self, text: str) -> int:
        """At least about as many tokens as `text` has."""
        return len(_TOKEN.findall(text)) + (0 if text.isascii() else len(_WIDE.findall(text)))

    def cut(self, text: str, limit: int) -> str:
        """The longest beginning, by whole words, with at most `limit` estimated tokens."""
        if len(text) <= limit or (len(text) <= LONG * limit and self.count(text) <= limit):
            return text
        spent, end = 0, 0
        for match in re.finditer(r"\s*\S+", text):
            spent += self.count(match[0])
            if spent > limit:
                break
            end = match.end()
        if end == 0 < limit:  # one very long word, or a script that has no spaces
            end = _characters(text, limit, self)
        return text[:end]


def _characters(text: str, limit: int, tokens: EstimatedTokens) -> int:
    low, high = 0, min(len(text), limit * LETTERS_A_TOKEN)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if tokens.count(text[:middle]) <= limit else (low, middle - 1)
    return low
