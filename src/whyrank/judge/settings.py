"""What an experiment with judges may say."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from whyrank.config import Count, Secret, Settings, named_by_stem
from whyrank.judge.records import BETTER, GRADE
from whyrank.serve.settings import ServeSettings

MOST_ANSWERS = 9
"""Answers of a question: each has a digit key."""
_ID = re.compile(r"[A-Za-z][\w.-]{0,39}")


def _word(given: Any) -> Any:
    """What a person means by an answer that YAML reads as something else: yes, no, 1."""
    if isinstance(given, bool):
        return "yes" if given else "no"
    return str(given) if isinstance(given, int | float) else given


def _name(given: Any) -> Any:
    """What a person means who calls a question true."""
    return str(given).lower() if isinstance(given, bool) else given


def _systems(value: Any) -> Any:
    return named_by_stem(value, "system")


def _differ(what: str, names: Sequence[str]) -> None:
    if twice := sorted({name for name in names if list(names).count(name) > 1}):
        raise ValueError(f"{twice[0]!r} stands twice among the {what}; give one another name")


Word = Annotated[str, BeforeValidator(_word), Field(min_length=1, max_length=80)]


class Question(Settings):
    """A question that is asked of what a system says about a document.

    Attributes:
        id: what tables call it.
        ask: the question, as the judge reads it.
        answers: from worst to best.
    """

    id: Annotated[str, BeforeValidator(_name)]
    ask: Annotated[str, Field(min_length=1, max_length=300)]
    answers: Annotated[tuple[Word, ...], Field(min_length=2, max_length=MOST_ANSWERS)]

    @model_validator(mode="after")
    def _names_differ(self) -> "Question":
        if not _ID.fullmatch(self.id) or self.id in (GRADE, BETTER):
            raise ValueError(
                f"a question has the id {self.id!r}; ids begin with a letter, go on with letters, digits and . _ -, "
                f"have at most 40 of them, and are not {GRADE!r} or {BETTER!r}"
            )
        _differ(f"answers of the question {self.id!r}", self.answers)
        return self


QUESTIONS = (
    Question(id="true", ask="Is the reason true to the document?", answers=("no", "partly", "yes")),
    Question(id="explains", ask="Does it explain why the document stands here?", answers=("no", "partly", "yes")),
    Question(id="useful", ask="Would it help you to decide?", answers=("no", "a little", "yes")),
)
GRADES = ("not relevant", "related", "relevant", "perfectly relevant")


class JudgeSettings(Settings):
    """An experiment with judges.

    Attributes:
        title: what the page is called.
        systems: name → its rankings with reasons, as `whyrank rerank --explain` and `whyrank explain` write them.
        queries: how many, drawn with the seed from those that all systems have; all of these if None.
        depth: hits of each system that are looked at.
        overlap: judges that are wanted for each item.
        seed: of the queries that are drawn, of the order of documents, and of the sides.
        grades: how relevant a document may be, from worst to best; () for no grading.
        questions: what is asked of each reason; () for none.
        prefer: whether is asked which of two reasons is better, where two stand side by side.
        store: the file in which answers are kept.
        host: the address that the page is served at; by default nobody but this machine reaches it.
        port: its port; 0 takes a free one.
        token: what a judge must give to reach the page's questions; nothing if None.
        hosts: further names under which browsers may reach a page that is served to this machine alone.
    """

    title: Annotated[str, Field(min_length=1, max_length=200)] = "Which reasons do people trust?"
    systems: Annotated[Mapping[str, str], BeforeValidator(_systems), Field(min_length=1)]
    queries: Count | None = 30
    depth: Count = 3
    overlap: Count = 2
    seed: Annotated[int, Field(ge=0)] = 0
    grades: Annotated[tuple[Word, ...], Field(max_length=MOST_ANSWERS)] = GRADES
    questions: tuple[Question, ...] = QUESTIONS
    prefer: bool = True
    store: Annotated[str, Field(min_length=1)] = "judgements.sqlite"
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8000
    token: Secret | None = None
    hosts: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _is_an_experiment(self) -> "JudgeSettings":
        if "" in self.systems:
            raise ValueError("a system has an empty name; give it another")
        _differ("ids of questions", [question.id for question in self.questions])
        _differ("grades", self.grades)
        if len(self.grades) == 1:
            raise ValueError("'grades' holds one grade; give two or more, or [] for no grading")
        if not self.grades and not self.looks_at_reasons:
            raise ValueError("nothing is asked; give grades, questions, or two systems and prefer: true")
        return self

    @property
    def prefers(self) -> bool:
        """Whether it can come to a question which of two is better."""
        return self.prefer and len(self.systems) > 1

    @property
    def looks_at_reasons(self) -> bool:
        """Whether anything is asked about reasons; else documents are graded and nothing more."""
        return bool(self.questions) or self.prefers

    @property
    def served(self) -> ServeSettings:
        """Where the page is served and who may reach it, as the server of rankings takes it."""
        return ServeSettings(host=self.host, port=self.port, token=self.token, hosts=self.hosts)
