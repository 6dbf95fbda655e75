"""A figure as a part of a page: its colours are those of the page, light or dark, and it needs no inline style.

A policy that forbids inline styles would leave the pictures of matplotlib black, so each declaration becomes an
attribute.
"""

import io
from html import escape
from xml.etree import ElementTree

from whyrank._extras import require
from whyrank.report.html_card import safe
from whyrank.report.plot_style import LIGHT, Figure, any_script

# The order counts: the first two of the series are also "better" and "worse".
_VARIABLES = {
    **{colour: f"var(--p{number})" for number, colour in enumerate(LIGHT.series, 1)},
    LIGHT.paper: "var(--card)",
    LIGHT.ink: "var(--ink)",
    LIGHT.soft: "var(--soft)",
    LIGHT.line: "var(--line)",
    LIGHT.better: "var(--better)",
    LIGHT.worse: "var(--worse)",
}
_DROPPED = {"metadata", "style"}
_NO_ATTRIBUTE = {"font", "font-family", "white-space"}


def inline_svg(figure: Figure, *, anchor: str, label: str) -> str:
    """The figure, made with the theme `LIGHT`, as an `svg` element.

    Args:
        figure: what a function of `plots` gives.
        anchor: start of the ids inside it; each figure of a page needs its own.
        label: what it shows, for those who do not see it; foreign text.
    """
    matplotlib = require("matplotlib", extra="plots", purpose="a plot")
    out = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "whyrank", "svg.fonttype": "none"}), any_script():
        figure.savefig(out, format="svg", metadata={"Date": None}, facecolor="none")
    root = ElementTree.fromstring(out.getvalue())  # noqa: S314 — matplotlib wrote it just now
    box = escape(root.get("viewBox", ""), quote=True)
    inside = "".join(_element(child, anchor) for child in root)
    return f'<svg class="plot" viewBox="{box}" role="img" aria-label="{safe(label)}">{inside}</svg>'


def _element(element: ElementTree.Element, anchor: str) -> str:
    name = _local(element.tag)
    if name in _DROPPED:
        return ""
    attributes = "".join(f' {k}="{escape(v, quote=True)}"' for k, v in _attributes(element, name, anchor).items())
    inside = escape((element.text or "").strip("\n"), quote=False) if name == "text" else ""
    inside += "".join(_element(child, anchor) for child in element)
    if not inside:
        return "" if name in {"g", "defs", "text"} else f"<{name}{attributes}/>"
    return f"<{name}{attributes}>{inside}</{name}>"


def _attributes(element: ElementTree.Element, name: str, anchor: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in element.attrib.items():
        match _local(key):
            case "style":
                found.update(_declared(value))
            case "href":
                found["href"] = f"#{anchor}-{value.removeprefix('#')}"
            case "id":
                # Groups are named too; only what is referred to needs its name.
                if name != "g":
                    found["id"] = f"{anchor}-{value}"
            case "clip-path":
                found["clip-path"] = value.replace("url(#", f"url(#{anchor}-")
            case plain:
                found[plain] = _VARIABLES.get(value, value)
    return found


def _declared(style: str) -> dict[str, str]:
    pairs = (part.partition(":") for part in style.split(";") if ":" in part)
    return {
        key.strip(): _VARIABLES.get(value.strip(), value.strip())
        for key, _, value in pairs
        if key.strip() not in _NO_ATTRIBUTE
    }


def _local(name: str) -> str:
    return name.rpartition("}")[2]
