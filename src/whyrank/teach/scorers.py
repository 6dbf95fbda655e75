"""Which rankers are the teachers that settings name, and whether they give scores, before any is loaded."""

from collections.abc import Sequence
from typing import NamedTuple

from whyrank.config import AskSettings, Count, ModelSettings, Settings
from whyrank.errors import BadInput
from whyrank.rankers import STUDENTS
from whyrank.rankers.asking import LMReranker
from whyrank.rankers.building import KINDS, check_name, resolve
from whyrank.rankers.known import known_models
from whyrank.teach.settings import ListSettings
from whyrank.types import DEPTH, Reranker

GIVE_SCORES = (
    "give one that scores each document by itself: student, evidence, bi-encoder, a student of whyrank train, a "
    "classifier, or --ranker pointwise with a language model"
)


class ScoredLists(ListSettings):
    """Which lists are made of the candidates of a query: a score needs no small lists, so all stand in one."""

    window: Count = DEPTH


class ScoreSettings(Settings):
    """What `whyrank teach score` is told.

    Attributes:
        rankers: names of rankers that give scores.
        model: a language model, which scores documents one by one.
        ask: how it is asked.
        runs: TREC runs whose scores count as a teacher's.
        weights: of the rankers, then the model if no ranker asks it, then the runs; all 1 where none is given.
        lists: what is scored, and how it is cut into lists.
        threads: processor threads; as many as there are if None.
    """

    rankers: tuple[str, ...] = ()
    model: ModelSettings | None = None
    ask: AskSettings | None = None
    runs: tuple[str, ...] = ()
    weights: tuple[float, ...] = ()
    lists: ScoredLists = ScoredLists()
    threads: Count | None = None


class Scorer(NamedTuple):
    """A ranker that is to be loaded as a teacher.

    Attributes:
        named: what the user calls it.
        ranker: its name; None for what the model is by its own.
        model: the language model that it asks, if one was given.
        ask: how a language model is asked.
    """

    named: str
    ranker: str | None
    model: ModelSettings | None = None
    ask: AskSettings | None = None

    def load(self, threads: int | None = None) -> Reranker:
        """The ranker.

        Raises:
            BadInput: it gives no scores, or settings do not fit it.
            UnknownName, MissingFile, MissingExtra, Corrupt: as `whyrank.rankers.building.resolve`.
        """
        ranker = resolve(self.ranker, model=self.model, ask=self.ask, threads=threads).ranker
        check_scores(ranker)
        return ranker


def scorers(settings: ScoreSettings) -> list[Scorer]:
    """The rankers that settings name, in the order of their weights.

    Raises:
        UnknownName: there is no such ranker.
        BadInput: none is named and no run; one gives no scores, or is named twice; nothing asks as `ask` says.
    """
    if not (settings.rankers or settings.model or settings.runs):
        raise BadInput(
            "no teacher; name a ranker, such as --ranker evidence (see whyrank methods), a language model (--model) "
            "or a run (--teacher-run)"
        )
    found = []
    for name in settings.rankers:
        _check(name, settings.rankers)
        asks = name in KINDS or name in known_models()
        found.append(Scorer(name, name, *(settings.model, settings.ask) if asks else ()))
    if settings.model is not None and all(one.model is None for one in found):
        name = settings.model.name
        found.append(Scorer(name, None if name in STUDENTS else "pointwise", settings.model, settings.ask))
    if settings.ask is not None and all(one.ask is None for one in found):
        raise BadInput(
            "ask… says how a language model is asked, and no teacher is one; leave it out, or name a --model"
        )
    return found


def check_scores(ranker: Reranker) -> None:
    """Refuse a ranker that orders documents and gives them no scores.

    Raises:
        BadInput: it does.
    """
    if isinstance(ranker, LMReranker) and ranker.judge.kind != "pointwise":
        raise BadInput(f"{ranker.name} orders documents ({ranker.judge.kind}) and gives no scores; {GIVE_SCORES}")


def _check(name: str, named: Sequence[str]) -> None:
    check_name(name)
    known = known_models().get(name)
    kind = name if name in KINDS else known.kind if known is not None else "pointwise"
    if kind != "pointwise":
        raise BadInput(f"{name} orders documents ({kind}) and gives no scores; {GIVE_SCORES}")
    if named.count(name) > 1:
        raise BadInput(f"the ranker {name} is named {named.count(name)} times; name it once and weigh it")
