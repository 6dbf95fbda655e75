"""`whyrank mcp` with a ranker whose turns begin with a word on standard error, and never end.

It is run as a program by `test_mcp.py`.
"""

import sys
import threading
from collections.abc import Sequence
from functools import partial
from typing import Any

from whyrank.cli.endings import main
from whyrank.cli.messages import say
from whyrank.serve import mcp
from whyrank.types import Ranking


class Held:
    """Ranks nothing."""

    name = "held"

    def rerank_many(self, rankings: Sequence[Ranking], **_: Any) -> list[Ranking]:
        say("begun")
        threading.Event().wait()
        return list(rankings)


if __name__ == "__main__":
    mcp.Tools = partial(mcp.Tools, rankers={"held": Held()})  # type: ignore[misc,assignment]
    sys.exit(main(["mcp", "-q", "-c", "models=[{name: held}]"]))
