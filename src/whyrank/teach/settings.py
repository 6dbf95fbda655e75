"""What `whyrank teach ask` is told: which lists are made of the candidates, and how the teacher is asked."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from whyrank.config import Count, ModelSettings, Settings
from whyrank.teach.records import Mode

PROMPTS: Mapping[Mode, str] = {"ranking": "r2r-ranking", "direct": "r2r-direct", "both": "r2r"}
"""What is asked for → the prompt that asks for it."""
Amount = Annotated[int, Field(ge=0)]


class ListSettings(Settings):
    """Which lists are made of the candidates of a query.

    Attributes:
        depth: the first so many candidates are shown.
        window: documents in a list, hard negatives aside.
        stride: how far apart two lists of a query begin; None for `window`, so that none is shown twice.
        negatives: hard negatives in each list: candidates from below the depth, drawn by lot.
        shuffles: further orders in which each list is shown, drawn by lot.
        seed: of all lots.
    """

    depth: Count = 20
    window: Count = 5
    stride: Count | None = None
    negatives: Amount = 0
    shuffles: Amount = 0
    seed: int = 0


class TeachSettings(Settings):
    """How a teacher is asked.

    Attributes:
        mode: "ranking", an order; "direct", of each document also why it stands there and the sentence that answers;
            "both", also how it compares with the others.
        lists: what is shown.
        passage_tokens: most tokens of a document that are shown; None for what the prompt says.
        reasoning_tokens: most tokens of reasoning before an answer, for models that reason.
        attempts: how often is asked again for an answer that ranks nothing.
        model: the teacher.
    """

    mode: Mode = "both"
    lists: ListSettings = ListSettings()
    passage_tokens: Count | None = None
    reasoning_tokens: Amount = 0
    attempts: Amount = 1
    model: ModelSettings
