"""Every error whyrank raises, in one tree.

    WhyrankError
    ├── BadInput (ValueError)        what the caller gave cannot be used
    │   ├── BadRecord                a record in a file, named by path and line
    │   ├── DuplicateId              two documents or queries share an id
    │   ├── NoRoom                   a query leaves no room for documents in a model's context
    │   ├── OtherRanker              a ranking to explain was made by another ranker or version
    │   └── UnknownName              a ranker, format, algorithm or model we do not have
    ├── MissingFile (FileNotFoundError)
    ├── MissingExtra (ImportError)   an optional dependency is not installed
    ├── Corrupt (OSError)            an index or model file is damaged or incomplete
    ├── Unwritable (OSError)         a result could not be written; nothing was half-written
    └── ModelError (RuntimeError)    a language model gave no answer
        ├── ModelUnavailable         it could not be reached, is overloaded or too slow, after every retry
        ├── ModelRejected            it will not take this request as it is
        │   └── AccessDenied         it will take none: key, model name or address are wrong
        ├── UnusableReply            what came back is no answer in the form of its interface
        └── BudgetSpent              asking would go over the budget of tokens, money or time

A message says what was given, what is accepted and what to do. Each class is also the
standard exception it stands for, so callers may catch either.
"""

from collections.abc import Iterable
from typing import Any

LISTED = 30  # known names that an error lists; near matches are always named
LONGEST = 200  # characters of an unknown name that an error repeats


class WhyrankError(Exception):
    """Base of every error raised on purpose by whyrank."""


class BadInput(WhyrankError, ValueError):
    """What the caller gave cannot be used."""


class BadRecord(BadInput):
    """A record in a file is wrong; the message starts with ``path:line:``."""


class DuplicateId(BadInput):
    """Two documents (or two queries) share an id."""


class NoRoom(BadInput):
    """A query, with the prompt and the answer, leaves no room for documents in a model's context."""


class OtherRanker(BadInput):
    """The scores to be explained are not the ones this ranker gives: another ranker or version made them."""


class UnknownName(BadInput):
    """A name is not in the table it was looked up in; the message lists near matches."""


class MissingFile(WhyrankError, FileNotFoundError):
    """A path that was named does not exist."""


class MissingExtra(WhyrankError, ImportError):
    """An optional dependency is needed and not installed."""


class Corrupt(WhyrankError, OSError):
    """An index or model file is damaged, truncated or does not match its manifest."""


class Unwritable(WhyrankError, OSError):
    """A result could not be written (read-only, disk full); whatever stood there before is whole."""


class ModelError(WhyrankError, RuntimeError):
    """A language model gave no answer to a request. Backends return it in the place of a reply; it is never a text.

    Attributes:
        usage: what the tries cost all the same, a `whyrank.types.Usage`; None where nothing was asked.
    """

    usage: Any = None


class ModelUnavailable(ModelError):
    """It could not be reached, is overloaded, or too slow: every retry that was allowed has failed."""


class ModelRejected(ModelError):
    """It will not take this request as it is, so it was not asked again."""


class AccessDenied(ModelRejected):
    """It will take no request at all: the key, the name of the model or the address are wrong."""


class UnusableReply(ModelError):
    """What came back is no answer in the form of its interface: a page of HTML, half a JSON object."""


class BudgetSpent(ModelError):
    """Asking would go over the budget of tokens, money or time, so it was not asked."""


def unknown(kind: str, name: str, known: Iterable[str]) -> UnknownName:
    """Build the error for a name that is not in a table, near matches first.

    >>> str(unknown("ranker", "evidenze", ["evidence", "bi-encoder"]))
    "no ranker called 'evidenze'; did you mean evidence? known: bi-encoder, evidence"
    """
    from difflib import get_close_matches

    names = sorted(known)
    is_long = len(name) > LONGEST
    near = [] if is_long else get_close_matches(name, names, n=3, cutoff=0.5)
    shown = f"{name[:LONGEST]}…" if is_long else name
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    more = f" and {len(names) - LISTED:,} more" if len(names) > LISTED else ""
    return UnknownName(f"no {kind} called {shown!r}; {hint}known: {', '.join(names[:LISTED])}{more}")
