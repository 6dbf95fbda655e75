"""Prompts: text, not code. One TOML file per published format, with its source, its fields and its parser.

template = load("rankgpt")
prompt = template.render("how long do apples keep", [Passage("1", "Apples keep for months."), …])
"""

from whyrank.prompts.reading import known, load
from whyrank.prompts.template import Passage, Template

__all__ = ["Passage", "Template", "known", "load"]
