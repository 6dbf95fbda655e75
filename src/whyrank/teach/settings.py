"""What `whyrank teach ask` is told: which lists are made of the candidates, and how the teacher is asked."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, model_validator

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
        prompt: a prompt that asks for an order, and perhaps for thoughts before it, such as "dear"; None for that of
            `mode`. With a prompt the mode is "ranking".
        lists: what is shown.
        passage_tokens: most tokens of a document that are shown; None for what the prompt says.
        reasoning_tokens: most tokens of reasoning before an answer, for models that reason; 0 for what the prompt says.
        attempts: how often is asked again for an answer that ranks nothing.
        model: the teacher.
    """

    mode: Mode = "both"
    prompt: str | None = None
    lists: ListSettings = ListSettings()
    passage_tokens: Count | None = None
    reasoning_tokens: Amount = 0
    attempts: Amount = 1
    model: ModelSettings

    @model_validator(mode="before")
    @classmethod
    def _with_a_prompt(cls, values: Any) -> Any:
        if not isinstance(values, Mapping) or values.get("prompt") is None:
            return values
        if values.get("mode", "ranking") != "ranking":
            both = f"prompt {values['prompt']!r} asks for an order, and mode is {values['mode']!r}"
            raise ValueError(f"{both}; leave one out")
        return {**values, "mode": "ranking"}
