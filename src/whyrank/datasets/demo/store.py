"""The demo collection as a store, so that `datasets.load("demo")` gives what every other name gives."""

from collections.abc import Collection, Iterator
from functools import cached_property
from typing import NamedTuple

from whyrank.datasets.collection import Entries, Judged, judgements
from whyrank.datasets.demo import Demo, load_demo
from whyrank.errors import unknown
from whyrank.types import Document, Query


class About(NamedTuple):
    """What the catalogue says of others."""

    name: str
    about: str
    licence: str


DEMO = About("demo", "six everyday questions and forty short texts, part of whyrank; to try things on", "Apache-2.0")


class DemoStore:
    """The demo collection; it has no runs."""

    def queries(self) -> tuple[Query, ...]:
        """The six questions."""
        return self._demo.queries

    def judged(self) -> Judged:
        """Grades 0 to 2; nothing is excluded."""
        return judgements(self._demo.qrels)

    def documents(self) -> Iterator[Document]:
        """All texts."""
        return iter(self._demo.documents)

    def texts(self, ids: Collection[str]) -> dict[str, Document]:
        """The texts with these ids."""
        return {document.id: document for document in self._demo.documents if document.id in ids}

    def runs(self) -> tuple[str, ...]:
        """None."""
        return ()

    def entries(self, run: str) -> Entries:
        """Never there.

        Raises:
            UnknownName: always.
        """
        raise unknown("run", run, ())

    @cached_property
    def _demo(self) -> Demo:
        return load_demo()
