"""The shell of every page: one file, no network, and a policy that runs and loads nothing but what is named by hash."""

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from whyrank.report.html_card import safe


def page(title: str, body: str, *, styles: Sequence[str], scripts: Sequence[str]) -> str:
    """A whole HTML document.

    Args:
        title: foreign text.
        body: finished HTML.
        styles: names of our own style sheets, put together in this order.
        scripts: names of our own scripts, run one after the other.
    """
    style, script = "\n".join(map(asset, styles)), "\n".join(map(asset, scripts))
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; base-uri 'none'; form-action 'none'"
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n'
        f"<title>{safe(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n{body}"
        f"<script>{script}</script>\n</body>\n</html>\n"
    )


@cache
def asset(name: str) -> str:
    """The text of a style sheet or script of this package."""
    # Browsers hash a style after turning CRLF into LF; a checkout with CRLF must give the same page.
    return files("whyrank.report").joinpath(name).read_text(encoding="utf-8").replace("\r\n", "\n")


def _hash(content: str) -> str:
    digest = base64.b64encode(hashlib.sha256(content.encode("utf-8")).digest()).decode("ascii")
    return f"'sha256-{digest}'"
