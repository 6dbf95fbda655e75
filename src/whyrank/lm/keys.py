"""By what an answer is found again: everything that can change it, and nothing else."""

import json
from hashlib import sha256

from whyrank.lm.base import Generate, Request
from whyrank.lm.records import request_record

FORM = "whyrank-answer-1"
"""Stands in every key; changed when the meaning of a request changes, so that no old answer is taken for a new one."""


def is_repeatable(request: Request) -> bool:
    """Whether asking again is meant to give the same answer.

    It is not for sampling without a seed: whoever asks five times wants five samples, and a cache (or a merge of
    equal requests) would give one of them five times.
    """
    return not isinstance(request, Generate) or request.temperature == 0 or request.seed is not None


def key_of(request: Request, model: str) -> bytes:
    """SHA-256 of the model, the kind of request and every field but the tag.

    Requests that are equal but for their tags share a key, all others differ: JSON tells a text from a conversation
    and one field from the next, whatever characters they hold.
    """
    record = request_record(request)
    if isinstance(request, Generate):
        record["temperature"] = float(request.temperature) + 0.0  # 0, 0.0 and -0.0 are one temperature
    canonical = json.dumps([FORM, model, record], sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return sha256(canonical.encode("utf-8", "surrogatepass")).digest()
