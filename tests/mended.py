"""Text as the authors of RankLLM showed it to their models."""

import re
from html import unescape

_WRONGLY_DECODED = re.compile("[\x80-\xff]{2,}")
_PLAINER = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "ﬁ": "fi", "\ufeff": ""})


def mended(text: str) -> str:
    """Text as ftfy mends it, as far as the passages of TREC DL 2019 need it, with one space for white space.

    The source shows mended text, and our passages are as MS MARCO has them: UTF-8 that was read as Latin-1 is read
    as UTF-8, quotes are made straight, ligatures and HTML's entities resolved, byte order marks dropped.
    """

    def decoded(match: re.Match[str]) -> str:
        return match[0].encode("latin-1").decode("utf-8", errors="replace")

    return " ".join(unescape(_WRONGLY_DECODED.sub(decoded, text).translate(_PLAINER)).split())
