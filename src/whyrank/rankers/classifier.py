"""A sequence classifier with one logit as a ranker: DeAR's first stage, cross-encoders, and what `whyrank train` makes.

A score is the logit of a query and one document, so it belongs to those two: the same whatever stands beside them, to
the bit in isolated mode, to 1e-5 in fast mode.
"""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from whyrank._extras import require
from whyrank.errors import BadInput
from whyrank.lm.transformers_work import Reading, jobs
from whyrank.rankers.classifier_folder import KIND, fetched, peeked, read_classifier
from whyrank.rankers.known import full_id, known_classifiers
from whyrank.rankers.outcome import check_depth
from whyrank.rankers.pair_format import PairFormat
from whyrank.rankers.pair_reading import Mode, PairRead, check_reading, reranked, within_memory
from whyrank.rankers.student import HALF_PRECISION, TOLERANCES
from whyrank.rankers.student_folder import is_student
from whyrank.types import Progress, Ranking

if TYPE_CHECKING:
    from whyrank.rankers.classifier_network import ClassifierNetwork

_PURPOSE = "a sequence classifier"


class ClassifierRanker:
    """Reranks by the logit of a sequence classifier; implements `Reranker`. Made by `load_classifier`.

    Args:
        network: with the format of its pairs.
        model: its folder or id, for the name.
        mode: "fast" reads pairs of similar length in one batch, and what the documents of a query begin with once,
            with differences in the last digits; "isolated" reads each pair alone.
        batch_tokens: most tokens of a batch, padding included.

    Attributes:
        name: model and fingerprint: other weights, another format, dtype or mode have another name.
        mode: as given.
        tolerance: how far two scores of the same pair may lie apart, of 1 or of the score if that is more: by which
            batches they were read in. 0 in isolated mode.
        network: as given.
    """

    def __init__(
        self,
        network: "ClassifierNetwork",
        model: str,
        *,
        mode: Mode = "fast",
        batch_tokens: int = 16_384,
    ) -> None:
        check_reading(mode, batch_tokens)
        dtype = str(network.model.base_model.dtype).removeprefix("torch.")
        self.network = network
        self.mode = mode
        self.tolerance = 0.0 if mode == "isolated" else TOLERANCES.get(dtype, HALF_PRECISION)
        self._batch_tokens = batch_tokens if mode == "fast" else 1
        self._shares = mode == "fast" and network.can_share
        made_of = [network.fingerprint, asdict(network.fmt), dtype, mode]
        digest = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:12]
        self.name = f"{KIND}/{model.rstrip('/').rpartition('/')[2]}@{digest}"

    def rerank_many(
        self, rankings: Sequence[Ranking], *, depth: int | None = None, progress: Progress | None = None
    ) -> list[Ranking]:
        """Rerank each list; what was cut of a document is noted. A pair that comes again is read once.

        Args:
            rankings: candidates in first-stage order.
            depth: candidates read per query; the rest keep their order below.
            progress: called with (distinct pairs read, distinct pairs to read).

        Raises:
            BadInput: a depth below 1, or a model whose logits are no numbers.
            ModelUnavailable: memory does not suffice.
        """
        check_depth(depth)
        return reranked(
            rankings,
            lambda pairs: self._read(pairs, progress),
            text_of=self.network.fmt.text_of,
            depth=depth,
            ranker=self.name,
        )

    def rerank(self, ranking: Ranking, *, depth: int | None = None) -> Ranking:
        """Rerank one list."""
        return self.rerank_many([ranking], depth=depth)[0]

    def score_many(self, pairs: Sequence[tuple[str, str]], progress: Progress | None = None) -> list[float]:
        """One logit for each query and text of a document, in order.

        Raises:
            BadInput: logits that are no numbers.
            ModelUnavailable: memory does not suffice.
        """
        return [one.score for one in self._read(pairs, progress)]

    def _read(self, pairs: Sequence[tuple[str, str]], progress: Progress | None) -> list[PairRead]:
        import torch

        distinct = list(dict.fromkeys(pairs))
        rows = self.network.rows(distinct)
        readings = [Reading(n, list(row.tokens), len(row.tokens) - 1, (), True) for n, row in enumerate(rows)]
        found: dict[tuple[str, str], PairRead] = {}
        for job in jobs(readings, limit=self._batch_tokens, shares=self._shares, vocabulary=1):
            prefix, cached = None, 0
            for batch in job.batches:
                own = [rows[reading.place] for reading in batch]
                with torch.inference_mode(), within_memory(self.name, self._batch_tokens):
                    if job.prefix and prefix is None:
                        prefix = self.network.prefix(job.prefix)
                    scores = self.network.scores(own, prefix).tolist()
                for reading, row, score in zip(batch, own, scores, strict=True):
                    self._check(score, distinct[reading.place])
                    found[distinct[reading.place]] = PairRead(score, len(row.tokens), row.left_out, cached)
                    cached = len(job.prefix)
                if progress:
                    progress(len(found), len(distinct))
        again = {pair: one._replace(cached=one.tokens) for pair, one in found.items()}
        return [found.pop(pair, again[pair]) for pair in pairs]

    def _check(self, score: float, pair: tuple[str, str]) -> None:
        if not math.isfinite(score):
            raise BadInput(
                f"{self.name} gives the logit {score} for the query {pair[0][:60]!r}, document {pair[1][:60]!r}; "
                "its weights are damaged, or its dtype is too narrow: give dtype float32 or bfloat16"
            )


def load_classifier(
    id_or_folder: str | Path,
    *,
    base: str | None = None,
    device: str | None = None,
    dtype: str = "auto",
    mode: Mode = "fast",
    batch_tokens: int = 16_384,
    fmt: PairFormat | None = None,
    threads: int | None = None,
) -> ClassifierRanker:
    """Load a sequence classifier with one logit: a whole one, or a LoRA adapter, which is merged into its base.

    Args:
        id_or_folder: a folder in the form of transformers or peft, or an id on the hub.
        base: of an adapter, the model that it is put on; None for the one of the table or the one that it names.
        device: as torch names it; None takes a GPU where there is one.
        dtype: "auto" as the weights are stored, or a dtype of torch.
        mode: as `ClassifierRanker`.
        batch_tokens: as `ClassifierRanker`.
        fmt: how pairs are written; None for what its folder or the table says, else for the tokenizer's own form.
        threads: of torch, for the whole process; None leaves them as they are.

    Raises:
        MissingExtra: torch, transformers or peft are not installed.
        MissingFile: the model or its base is not there and cannot be fetched.
        Corrupt: a file is damaged or absent.
        BadInput: no sequence classifier with one logit and a tokenizer; an argument outside its range.
    """
    torch = require("torch", extra="hf", purpose=_PURPOSE)
    require("transformers", extra="hf", purpose=_PURPOSE)
    from whyrank.rankers.classifier_opening import open_network

    named = full_id(str(id_or_folder))
    known = known_classifiers().get(named)
    if is_student(peeked(named)):
        named = str(fetched(named))
        trained = read_classifier(named)
        fmt = fmt or trained.pair
    elif known is not None:
        base, fmt = base or known.base or None, fmt or known.pair
    if threads is not None:
        torch.set_num_threads(threads)
    network = open_network(named, fmt, base=base, device=device, dtype=dtype)
    return ClassifierRanker(network, full_id(str(id_or_folder)), mode=mode, batch_tokens=batch_tokens)
