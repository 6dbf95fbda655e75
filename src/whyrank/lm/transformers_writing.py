"""How a model writes: `generate` of transformers, with an end, a temperature and a seed for each row of a batch."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import LongTensor, Tensor
from transformers import LogitsProcessor, LogitsProcessorList, StoppingCriteria, StoppingCriteriaList

from whyrank.lm.transformers_work import Row, Written, first_stop, reasoning_tokens


class Writer:
    """Writes with a model, and reads off what was written.

    Args:
        model: of transformers, its `generation_config` naming the tokens that begin, end and pad.
        tokenizer: its own.
        is_seq2seq: the rows are read by an encoder.
    """

    def __init__(self, model: Any, tokenizer: Any, *, is_seq2seq: bool) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._is_seq2seq = is_seq2seq
        self._pad = model.generation_config.pad_token_id
        self._ends = frozenset(model.generation_config.eos_token_id or ())

    @torch.inference_mode()
    def write(self, rows: Sequence[Row]) -> list[Written]:
        """Write one answer for each row, all in one batch.

        What a model goes on from is padded on the left, so that all rows end where they go on; what an encoder reads
        is padded on the right, so that its positions stay.
        """
        longest = max(len(row.tokens) for row in rows)
        gaps = [longest - len(row.tokens) for row in rows]
        tokens = [self._padded(row.tokens, [self._pad] * gap) for row, gap in zip(rows, gaps, strict=True)]
        mask = [self._padded([1] * (longest - gap), [0] * gap) for gap in gaps]
        ends = _Ends(rows, 1 if self._is_seq2seq else longest, self._ends, self._tokenizer)
        self._model.generate(
            torch.tensor(tokens, device=self._model.device),
            attention_mask=torch.tensor(mask, device=self._model.device),
            max_new_tokens=max(row.max_tokens for row in rows),
            do_sample=False,  # the sampler leaves one token to be greedy about
            logits_processor=LogitsProcessorList([_Sampler(rows)] if any(row.temperature > 0 for row in rows) else []),
            stopping_criteria=StoppingCriteriaList([ends]),
        )
        return [ends.found[place] for place in range(len(rows))]

    def _padded(self, values: list[int], padding: list[int]) -> list[int]:
        return values + padding if self._is_seq2seq else padding + values

    def text(self, written: Written, stop: Sequence[str]) -> str:
        """What was written, up to the first of the stop texts and without the token that ended it."""
        tokens = written.tokens[:-1] if written.tokens[-1] in self._ends else written.tokens
        text: str = self._tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text[: first_stop(text, stop)]

    def seeds(self, seed: int | None, count: int) -> list[int | None]:
        """A seed for each of `count` answers; the first ones are the same however many there are."""
        if seed is None:
            return [None] * count
        drawn = torch.randint(2**62, (count,), generator=torch.Generator().manual_seed(seed))
        return [int(value) for value in drawn]

    def reasoning_tokens(self, written: Written) -> int:
        """How many of its tokens are reasoning, for an answer that has some."""
        return reasoning_tokens(written.tokens, self._tokenizer.decode)


class _Ends(StoppingCriteria):
    """Ends each row by itself, and keeps what it had written then."""

    def __init__(self, rows: Sequence[Row], start: int, end_tokens: frozenset[int], tokenizer: Any) -> None:
        self._rows = rows
        self._start = start
        self._end_tokens = end_tokens
        self._tokenizer = tokenizer
        self.found: dict[int, Written] = {}

    def __call__(self, input_ids: LongTensor, scores: Tensor, **_how: Any) -> Tensor:  # noqa: ARG002
        written = input_ids[:, self._start :].tolist()
        for place, (row, tokens) in enumerate(zip(self._rows, written, strict=True)):
            if place in self.found:
                continue
            if tokens[-1] in self._end_tokens or self._stops(row, tokens):
                self.found[place] = Written(tokens, "stop")
            elif len(tokens) >= row.max_tokens:
                self.found[place] = Written(tokens, "length")
        return torch.tensor([place in self.found for place in range(len(self._rows))], device=input_ids.device)

    def _stops(self, row: Row, tokens: list[int]) -> bool:
        if not row.stop:
            return False
        # A token is at least one byte, and a few more for one that only completes a character.
        reach = max(len(stop.encode()) for stop in row.stop) + 4
        tail = self._tokenizer.decode(tokens[-reach:], skip_special_tokens=True)
        return any(stop in tail for stop in row.stop)


class _Sampler(LogitsProcessor):
    """Draws the next token of each row with a generator of its own, so that neighbours change nothing."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows
        self._generators = [torch.Generator() for _ in rows]
        for row, generator in zip(rows, self._generators, strict=True):
            if row.seed is None:
                generator.seed()
            else:
                generator.manual_seed(row.seed)

    def __call__(self, input_ids: LongTensor, scores: Tensor) -> Tensor:  # noqa: ARG002
        scores = scores.clone()
        for place, (row, generator) in enumerate(zip(self._rows, self._generators, strict=True)):
            if row.temperature > 0:
                chances = torch.softmax(scores[place].double().cpu() / row.temperature, dim=0)
                drawn = int(torch.multinomial(chances, 1, generator=generator))
                scores[place] = -torch.inf
                scores[place, drawn] = 0.0
        return scores
