"""`whyrank serve` with a ranker whose turns begin with a word on standard error, and end with a line of standard input.

It is run as a program by `test_serving_process.py`.
"""

import sys
from collections.abc import Sequence
from typing import Any

from whyrank.cli.endings import main
from whyrank.cli.messages import say
from whyrank.rankers.outcome import in_order
from whyrank.serve import app
from whyrank.types import Ranking, Usage

made = app.create_app


class Held:
    """Ranks by length."""

    name = "held"

    def rerank_many(self, rankings: Sequence[Ranking], **_: Any) -> list[Ranking]:
        say("begun")
        sys.stdin.readline()
        return [
            in_order(ranking, [float(len(hit.document.text)) for hit in ranking], ranker=self.name, usage=Usage())
            for ranking in rankings
        ]


if __name__ == "__main__":
    app.create_app = lambda settings: made(settings, rankers={"held": Held()})  # type: ignore[misc,assignment]
    sys.exit(main(["serve", "--port", "0", "-c", "models=[{name: held}]", *sys.argv[1:]]))
