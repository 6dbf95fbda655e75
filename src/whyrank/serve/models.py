"""The models of a server: opened once, named by settings and never by a request."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from whyrank.errors import unknown
from whyrank.lm.base import LM
from whyrank.rankers.building import Resolved, resolve
from whyrank.serve.batching import Batcher, Turn
from whyrank.serve.problems import Refused
from whyrank.serve.settings import Limits, Served, ServeSettings
from whyrank.types import Reranker, Scorer


@dataclass(frozen=True, slots=True)
class Model:
    """A ranker that is served.

    Attributes:
        name: what requests call it.
        ranker: it.
        writer: a language model that writes its reasons; None where its scores are taken apart, or it has none.
        batcher: its queue.
    """

    name: str
    ranker: Reranker
    writer: LM | None
    batcher: Batcher

    @property
    def is_taken_apart(self) -> bool:
        """Whether its scores can be taken apart, so that each reason follows from numbers."""
        return self.writer is None and isinstance(self.ranker, Scorer)


class Models:
    """All models of a server by name.

    Args:
        settings: which.
        on_turn: told of every turn of a model's worker.
        rankers: rankers that are open already, by the labels of the settings.

    Raises:
        WhyrankError: what `whyrank.rankers.building.resolve` says to one of the settings.
    """

    def __init__(
        self,
        settings: ServeSettings,
        on_turn: Callable[[str, Turn], None],
        rankers: Mapping[str, Reranker] | None = None,
    ) -> None:
        opened = [(served, _opened(served, settings, rankers or {})) for served in settings.models]
        self.all: Sequence[Model] = [
            _running(served.label, found, settings.limits, on_turn) for served, found in opened
        ]
        self._by_name = {
            name: model
            for (served, _), model in zip(opened, self.all, strict=True)
            for name in (served.label, *served.aliases)
        }

    def named(self, name: str | None) -> Model:
        """The model that a request names, or the first.

        Raises:
            Refused: there is none of this name; near matches are listed.
        """
        if name is None:
            return self.all[0]
        if name not in self._by_name:
            raise Refused("not_found", str(unknown("model", name, self._by_name)), param="model")
        return self._by_name[name]

    @property
    def names(self) -> dict[str, Model]:
        """Every name that a request may use, and its model."""
        return dict(self._by_name)

    @property
    def busy(self) -> list[str]:
        """Names of those whose worker has not ended."""
        return [model.name for model in self.all if model.batcher.is_alive]

    def refuse(self) -> None:
        """Have every worker end after its turn; what waits is refused."""
        for model in self.all:
            model.batcher.refuse()

    def close(self, wait_s: float = 5.0) -> None:
        """End the workers, and close what rankers hold; one that is still read with after `wait_s` stays open."""
        self.refuse()
        for model in self.all:
            close: Any = getattr(model.ranker, "close", None)
            if model.batcher.close(wait_s) and close is not None:
                close()


def _opened(served: Served, settings: ServeSettings, rankers: Mapping[str, Reranker]) -> Resolved:
    if served.label in rankers:
        return Resolved(rankers[served.label])
    return resolve(served.ranker, model=served.model, ask=served.ask, threads=settings.threads)


def _running(label: str, found: Resolved, limits: Limits, on_turn: Callable[[str, Turn], None]) -> Model:
    batcher = Batcher(found.ranker, limits, lambda turn: on_turn(label, turn))
    return Model(label, found.ranker, found.writer, batcher)
