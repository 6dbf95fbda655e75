"""What a server is told: which rankers it serves under which names, and its limits."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from whyrank.config import AskSettings, Count, ModelSettings, Secret, Settings
from whyrank.rankers import DEFAULT

Positive = Annotated[float, Field(gt=0)]


class Served(Settings):
    """A ranker that is served: its name alone, or a mapping.

    Attributes:
        name: what requests call it; by default the ranker's name, or that of its model.
        aliases: other names that requests may use, such as those that a client has built in.
        ranker: a name that `whyrank methods` lists, or the folder of a trained student; with a model, None is what the
            model is made for.
        model: a language model that ranks, or writes the reasons of a ranker of ours.
        ask: how it is asked to rank.
    """

    name: str = ""
    aliases: tuple[str, ...] = ()
    ranker: str | None = None
    model: ModelSettings | None = None
    ask: AskSettings | None = None

    @property
    def label(self) -> str:
        """What requests call it."""
        if self.name or self.model is None:
            return self.name or self.ranker or DEFAULT
        return self.ranker or self.model.name.partition(":")[2] or self.model.name


class Limits(Settings):
    """What a request may hold, and how much may wait. Tokens are estimated, towards more.

    Attributes:
        body_bytes: of a request.
        documents: of a request.
        query_tokens: of a query.
        tokens: of a request: those of each document, and those of the query once for each.
        under_way: requests that are read or answered at the same time; one more is refused with 429.
        waiting: requests of a model that wait for their turn; one more is refused with 429.
        waiting_tokens: tokens of a model that wait for their turn.
        wait_s: seconds that a request may wait for its turn, by the measured pace; one that would wait longer is
            refused with 429. By default as long as it can be answered within `seconds`.
        batch_tokens: tokens that one turn takes; a larger request is read in several turns, between which others have
            theirs, or, where the ranker reads a list as a whole, is a turn of its own.
        seconds: that an answer may take from the first byte of the request; after it the request gets 504.
        drain_s: seconds that begun requests have when the server is told to stop.
    """

    body_bytes: Count = 10_000_000
    documents: Count = 1_000
    query_tokens: Count = 4_000
    tokens: Count = 1_000_000
    under_way: Count = 1_024
    waiting: Count = 256
    waiting_tokens: Count = 4_000_000
    wait_s: Positive | None = None
    batch_tokens: Count = 16_000
    seconds: Positive = 30.0
    drain_s: Positive = 30.0


LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
"""What this machine is called by itself."""


def _served(value: Any) -> Any:
    return {"ranker": value} if isinstance(value, str) else value


class ServeSettings(Settings):
    """A server.

    Attributes:
        host: the address it listens at; by default nobody but this machine reaches it.
        port: the port; 0 takes a free one.
        models: what is served; the first is used where a request names none.
        corpora: indexes of `whyrank index` that can be searched: name → folder.
        token: what requests must bring as a bearer token; nothing if None.
        hosts: names under which browsers may reach a server that listens to this machine alone and wants no token,
            beside those of this machine: what a proxy before it is called.
        threads: processor threads of our own rankers; as many as there are if None.
        limits: what a request may hold, and how much may wait.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8000
    models: Annotated[tuple[Annotated[Served, BeforeValidator(_served)], ...], Field(min_length=1)] = (Served(),)
    corpora: Mapping[str, str] = {}
    token: Secret | None = None
    hosts: tuple[str, ...] = ()
    threads: Count | None = None
    limits: Limits = Limits()

    @property
    def trusted(self) -> frozenset[str] | None:
        """Names that a request must come under; None for any, where a token or an open address says who may ask.

        Else any page that a person visits could have a browser ask this server, under a name that points here.
        """
        if self.token is not None or self.host not in LOOPBACK:
            return None
        return LOOPBACK | frozenset(name.lower() for name in self.hosts)

    @model_validator(mode="after")
    def _names_differ(self) -> "ServeSettings":
        names = [name for served in self.models for name in (served.label, *served.aliases)]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two models are called {twice[0]!r}; give one another name")
        if "" in names:
            raise ValueError("a model has an empty alias; give it a name")
        return self
