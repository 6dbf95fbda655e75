"""Sentences and terms of a text, with exact offsets. Pure."""

from whyrank.text.sentences import split_sentences
from whyrank.text.terms import LANGUAGES, Token, analyze, tokens

__all__ = ["LANGUAGES", "Token", "analyze", "split_sentences", "tokens"]
