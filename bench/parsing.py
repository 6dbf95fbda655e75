"""Parsing of model answers: a fuzz of made-up answers, and speed.

    python bench/parsing.py --fuzz 1000000          no exception, always a permutation; counts by status
    python bench/parsing.py                         microseconds an answer, plain and untidy

Answers are made from the forms that models use (chains, lists, tables, JSON, prose, reasoning, refusals, errors),
then broken: pieces dropped, doubled, swapped and cut, signs replaced, random characters of all of Unicode put in.
The same seed gives the same answers.
"""

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice

from whyrank.rankers.parsing import Parsed, ranking
from whyrank.rankers.ranking_forms import Labels

SIGNS = (
    " > ",
    ">",
    " < ",
    " = ",
    ", ",
    " → ",
    " &gt; ",
    "\n",
    " >\n",
    " ",
    "",
    " ≻ ",
    "; ",
    " - ",
    " > ... > ",
    " and ",
)
FRAMES = ("[{}]", "{}", "Passage {}", "[Passage {}]", "**[{}]**", "({})", "【{}】", "[[{}]]", '"[{}]"', "doc{}", "#{}")
INTROS = (
    *("", "", "Ranking: ", "Here is the ranking:\n", "I'm sorry, but I cannot rank these.\n", "### Final Reranking:\n"),
    *(
        "Of the 20 passages, 3 are from 2019. ",
        "From least to most relevant: ",
        "Initial ranking: ",
        "Top 3: ",
        "e.g. ",
    ),
)
WRAPS = (
    *(
        "{}",
        "{}",
        "{}",
        "<answer>{}</answer>",
        "[Start] {} [End]",
        "<think>{}</think>{}",
        "<think>{}",
        "```json\n{}\n```",
    ),
    *(
        "\\boxed{{{}}}",
        "{}\n\n{}",
        "{} Explanation: [2] names 4 of 5.",
        "Error 429: Limit 3, Used 3. {}",
        "{}<|im_end|>{}",
    ),
)


def chain(lots: random.Random, names: list[str]) -> str:
    """Identifiers between signs, mostly of one kind."""
    frame, sign = lots.choice(FRAMES), lots.choice(SIGNS)
    return "".join(frame.format(name) + (sign if lots.random() < 0.95 else lots.choice(SIGNS)) for name in names)


def lines(lots: random.Random, names: list[str]) -> str:
    """A list of lines, numbered or not, with remarks or none."""
    frame, remark = lots.choice(FRAMES), lots.choice(("", "", ": names the year 1999", " - Score: 7", " (9/10)"))
    number = lots.choice(("{}. ", "{}) ", "- ", "", "Rank {}: ", "### {}. ", "* "))
    return "\n".join(number.format(i + 1) + frame.format(name) + remark for i, name in enumerate(names))


def table(lots: random.Random, names: list[str]) -> str:
    """A table with ranks or scores."""
    head = lots.choice(("| Rank | Passage |", "| Passage | Score |", "| # | Document | Why |"))
    return f"{head}\n|---|---|\n" + "\n".join(f"| {i + 1} | [{name}] | x |" for i, name in enumerate(names))


def json_text(lots: random.Random, names: list[str]) -> str:
    """JSON with keys and slips of many kinds."""
    key, mark = lots.choice(("ranking", "order", "error", "results", "x")), lots.choice(('"', "'", ""))
    items = lots.choice(("{}", '"[{}]"', '{{"id": {}, "score": 0.5}}', '{{"rank": 1, "passage": "{}"}}', "[{}]"))
    body = ", ".join(items.format(name) for name in names) + lots.choice(("", "", ","))
    return f"{{{mark}{key}{mark}: [{body}]}}"


def prose(lots: random.Random, names: list[str]) -> str:
    """Sentences that order, or only mention, passages."""
    link = lots.choice(
        (", followed by [{}]", ", then [{}]", " and [{}] is not", ". Passage {} covers 2 of 3 needs", " over [{}]")
    )
    return f"The most relevant is [{names[0]}]" + "".join(link.format(name) for name in names[1:])


FORMS: tuple[Callable[[random.Random, list[str]], str], ...] = (
    chain,
    chain,
    chain,
    lines,
    lines,
    table,
    json_text,
    prose,
)


def answers(seed: int) -> Iterator[tuple[str, int, Labels]]:
    """Endless answers, with the number of documents and the kind of labels they are read for."""
    lots = random.Random(seed)
    while True:
        n = lots.choice((0, 1, 2, 3, 5, 10, 20, 20))
        labels: Labels = "letters" if lots.random() < 0.15 else "numbers"
        yield broken(lots, written(lots, n, labels)), n, labels


def written(lots: random.Random, n: int, labels: Labels) -> str:
    """An answer as a model might give it."""
    parts = []
    for _ in range(2):
        order = lots.sample(range(1, n + 1), lots.randint(min(n, 1), n)) or [1]
        if lots.random() < 0.2:
            order += [lots.choice((0, n + 1, 99, 2019, order[0], 10**12))]
        names = [chr(ord("A") + i % 26) if labels == "letters" else str(i) for i in order]
        parts.append(lots.choice(INTROS) + lots.choice(FORMS)(lots, names))
    return lots.choice(WRAPS).format(*parts)


def broken(lots: random.Random, text: str) -> str:
    """The answer with some of its pieces damaged, and now and then with random characters instead of some."""
    for _ in range(lots.choice((0, 0, 1, 2, 4))):
        a, b = sorted(lots.randrange(len(text) + 1) for _ in range(2))
        c = min(len(text), a + lots.randrange(6))
        strange = "".join(chr(lots.randrange(0x110000)) for _ in range(lots.randrange(4)))
        text = lots.choice(
            (text[:b], text[a:], text[:a] + text[c:], text[:b] + text[a:], text[:a] + strange + text[c:])
        )
    return text


def check(text: str, n: int, labels: Labels) -> Parsed:
    """Parse, and hold the result to what it promises for every text."""
    parsed = ranking(text, n, labels=labels)
    is_sound = sorted(parsed.order) == list(range(n)) and (parsed.status == "ok") == (parsed.repairs == ())
    moved = parsed.order != tuple(range(n))
    if not is_sound or (moved and parsed.status in ("error", "refused")) or not 0 <= parsed.named <= n:
        sys.exit(f"broken promise for n={n}, {labels}: {text!r} gives {parsed}")
    return parsed


def fuzz(count: int, seed: int) -> None:
    """Parse `count` made-up answers and print what came of them."""
    statuses: Counter[str] = Counter()
    spent = 0.0
    for text, n, labels in islice(answers(seed), count):
        start = time.process_time()
        statuses[check(text, n, labels).status] += 1
        spent += time.process_time() - start
    told = ", ".join(f"{status} {statuses[status]:,}" for status in sorted(statuses))
    print(f"{count:,} answers, seed {seed}: no exception, always a permutation; {told}")
    print(f"{count / spent:,.0f} answers a CPU second")


def speed() -> None:
    """Time plain and untidy answers about 20 documents."""
    lots = random.Random(1)
    plain = [" > ".join(f"[{i}]" for i in lots.sample(range(1, 21), 20)) for _ in range(2000)]
    untidy = [text for text, n, labels in islice(answers(1), 4000) if n == 20 and labels == "numbers"]
    for name, texts in (("plain chain", plain), ("untidy", untidy)):
        start = time.process_time()
        for text in texts:
            ranking(text, 20)
        print(f"{name}: {(time.process_time() - start) / len(texts) * 1e6:.0f} us an answer of {len(texts)}")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--fuzz", type=int, metavar="COUNT", help="answers to make up and parse")
    arguments.add_argument("--seed", type=int, default=0)
    given = arguments.parse_args()
    fuzz(given.fuzz, given.seed) if given.fuzz else speed()
