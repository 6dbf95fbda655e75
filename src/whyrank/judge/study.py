"""An experiment with its items: which queries are drawn, and what must not change once judging began."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from random import Random

from whyrank.errors import BadInput
from whyrank.formats import read_rankings
from whyrank.formats.json_values import dumps
from whyrank.formats.problems import some
from whyrank.judge.items import Item, digest, has_reasons, items_of
from whyrank.judge.settings import JudgeSettings
from whyrank.types import Document, Ranking


@dataclass(frozen=True)
class Study:
    """An experiment that can be judged.

    Attributes:
        settings: what was asked for.
        rankings: system → its rankings of the queries that were drawn, in the order in which they are judged.
        items: all that is to be judged, in that order.
        silent: system → how many queries are left out because it says nothing of them, though all systems rank them.
    """

    settings: JudgeSettings
    rankings: Mapping[str, Sequence[Ranking]]
    items: tuple[Item, ...]
    silent: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def by_id(self) -> Mapping[str, Item]:
        """Items by their ids."""
        return {item.id: item for item in self.items}

    @cached_property
    def telling(self) -> tuple[str, ...]:
        """Systems whose name stands in their own words and in no other's, so that a judge may know them by it."""
        words: dict[str, str] = dict.fromkeys(self.settings.systems, "")
        for item in self.items:
            for name, said in item.reasons.items():
                turn = said.comparison.counterfactual if said.comparison else None
                told = (said.direct, said.comparison, turn)
                words[name] += "".join(f"{own.text} " for own in told if own is not None).casefold()
        others = {name: "".join(own for other, own in words.items() if other != name) for name in words}
        return tuple(name for name in words if name.casefold() in words[name] and name.casefold() not in others[name])

    @cached_property
    def fixed(self) -> Mapping[str, str]:
        """What answers rest on, by name: with another value, they would be answers to something else."""
        own = self.settings
        drawn = [ranking.query.id for ranking in next(iter(self.rankings.values()))]
        chosen = f"{own.queries or 'all'}, depth {own.depth}, seed {own.seed}: {digest(drawn)[:8]}"
        said = {
            f"what {name!r} says": digest([[i.id, i.reasons[name].words] for i in self.items if name in i.reasons])[:8]
            for name in own.systems
        }
        return {
            "systems": dumps(sorted(own.systems)),
            "questions": dumps([(question.id, question.ask, question.answers) for question in own.questions]),
            "grades": dumps(own.grades),
            "prefer": str(own.prefers),
            "queries": chosen,
            **said,
            "queries and documents": digest([item.id for item in self.items])[:8],
        }


def open_study(settings: JudgeSettings) -> Study:
    """Read the systems' rankings, draw the queries, and put the items together.

    Raises:
        MissingFile, BadInput, BadRecord: a file cannot be used; it has no reasons where reasons are asked about; the
            systems have no query in common; they mean different texts by one id; there is nothing to ask.
    """
    read = {name: _read(name, file, settings) for name, file in settings.systems.items()}
    rankings = drawn(read, settings)
    _check_same(rankings)
    items = items_of(
        rankings,
        depth=settings.depth,
        seed=settings.seed,
        with_grades=bool(settings.grades),
        with_reasons=settings.looks_at_reasons,
    )
    asked = tuple(item for item in items if item.kind == "grade" or settings.questions or item.is_pair)
    if not asked:
        raise BadInput("no document has two different reasons, and nothing else is asked; give questions or grades")
    return Study(settings, rankings, asked, _silent(read, settings))


def _silent(read: Mapping[str, Sequence[Ranking]], settings: JudgeSettings) -> dict[str, int]:
    ranked = set.intersection(*({r.query.id for r in own if r.hits} for own in read.values()))
    counts = {
        name: sum(r.query.id in ranked and not _is_usable(r, settings) for r in own) for name, own in read.items()
    }
    return {name: count for name, count in counts.items() if count}


def drawn(read: Mapping[str, Sequence[Ranking]], settings: JudgeSettings) -> dict[str, list[Ranking]]:
    """The rankings of the queries that are judged: drawn from those that all systems have, and can be asked about.

    Raises:
        BadInput: there are none.
    """
    usable = [{r.query.id: r for r in own if _is_usable(r, settings)} for own in read.values()]
    common = sorted(set.intersection(*map(set, usable)))
    if not common:
        counts = ", ".join(f"{name!r} has {len(own)}" for name, own in zip(read, usable, strict=True))
        with_reasons = " with reasons" if settings.looks_at_reasons else ""
        raise BadInput(
            f"the systems have no query{with_reasons} in common ({counts}; the first: {some(sorted(usable[0]), 3)}); "
            "give results of the same queries"
        )
    Random(settings.seed).shuffle(common)  # noqa: S311 - a draw, no secret
    chosen = common[: settings.queries]
    return {name: [own[query] for query in chosen] for name, own in zip(read, usable, strict=True)}


def _read(name: str, file: str, settings: JudgeSettings) -> list[Ranking]:
    found = read_rankings(file, format="rankings")
    if settings.looks_at_reasons and not any(has_reasons(ranking, settings.depth) for ranking in found):
        raise BadInput(
            f"{file}: system {name!r} gives no reason for the best {settings.depth} of any query; write them with "
            f"whyrank rerank --explain {settings.depth} --format jsonl, or ask for grades alone: questions: [], "
            "prefer: false"
        )
    return found


def _is_usable(ranking: Ranking, settings: JudgeSettings) -> bool:
    return bool(ranking.hits) and (not settings.looks_at_reasons or has_reasons(ranking, settings.depth))


def _check_same(rankings: Mapping[str, Sequence[Ranking]]) -> None:
    """One id, one text, whichever system speaks of it.

    Raises:
        BadInput: two systems mean different texts.
    """
    for own in zip(*rankings.values(), strict=True):
        seen: dict[str, tuple[str, Document]] = {}
        for system, ranking in zip(rankings, own, strict=True):
            if ranking.query.text != own[0].query.text:
                raise BadInput(
                    f"query {ranking.query.id!r} is not the same text in {next(iter(rankings))!r} and {system!r}; give "
                    "results of the same queries"
                )
            for document in ranking.documents:
                first, known = seen.setdefault(document.id, (system, document))
                if (known.title, known.text) != (document.title, document.text):
                    raise BadInput(
                        f"document {document.id!r} of query {ranking.query.id!r} is not the same text in {first!r} and "
                        f"{system!r}; give results over the same documents"
                    )
