r"""Text from documents, made harmless and still honest: what could act on a terminal or a page is shown instead.

Documents, queries and model output are hostile data. A control character is never dropped, which would hide it,
nor passed on, which would run it; it is drawn: ␛ or, where the output cannot hold that, ``\x1b``.
"""

import re
from functools import partial

# Control characters but tab and the line breaks; embeddings, overrides and isolates of writing direction;
# interlinear and tag characters, which hide text from eyes; lone surrogates, which no encoding can hold. Joiners and
# the plain direction marks stay: emoji, Persian and Hebrew need them.
_ACTIVE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u206f\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)
_BREAKS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_SPACE = re.compile("[^\\S\x1c-\x1f]+")
_PLAIN = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "–": "-", "—": "-", "−": "-", "…": "...", "·": "-"})


def visible(text: str, *, encoding: str = "utf-8") -> str:
    r"""`text` with everything drawn that would act, and nothing in it that `encoding` cannot hold.

    Line breaks of every kind become newlines; tabs stay. The length may change: cut spans out first.

    >>> visible("red: \x1b[31m")
    'red: ␛[31m'
    >>> visible("naïve “ü”", encoding="ascii")
    'na\\xefve "\\xfc"'
    """
    lines = _BREAKS.sub("\n", text)
    unicode = is_unicode(encoding)
    shown = _ACTIVE.sub(partial(_drawn, pictures=unicode), lines)
    if unicode:
        return shown
    try:
        return shown.encode(encoding, "strict").decode(encoding)
    except UnicodeEncodeError:
        return shown.translate(_PLAIN).encode(encoding, "backslashreplace").decode(encoding)


def flat(text: str) -> str:
    r"""`text` on one line: every run of white space becomes one space.

    >>> flat("two\n\n lines\t")
    'two lines '
    """
    return _SPACE.sub(" ", text)


def clipped(text: str, limit: int) -> str:
    """`text` flat and at most `limit` characters long, cut at a word's end and marked with an ellipsis.

    >>> clipped("one two three", 9)
    'one two…'
    """
    # A document can have a million characters; what lies far beyond the limit cannot be shown anyway.
    near = text[: 4 * limit + 64]
    line = flat(near).strip()
    if len(line) <= limit and near == text:
        return line
    head = line[: max(limit - 1, 1)]
    cut = head.rfind(" ")
    return (head[:cut] if cut > limit // 2 else head).rstrip() + "…"


def is_unicode(encoding: str) -> bool:
    """Whether an output encoding holds every character."""
    return encoding.lower().replace("-", "").replace("_", "").startswith(("utf", "gb18030"))


def _drawn(match: re.Match[str], *, pictures: bool) -> str:
    code = ord(match[0])
    if pictures and code < 0x20:
        return chr(0x2400 + code)
    if pictures and code == 0x7F:
        return "␡"
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
