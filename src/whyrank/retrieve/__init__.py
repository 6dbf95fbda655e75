"""The first stage: candidates from a collection."""

from whyrank.retrieve.bm25 import BM25

__all__ = ["BM25"]
