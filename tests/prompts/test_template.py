"""What a template renders, worked out by hand."""

from pathlib import Path

import pytest

from whyrank.errors import BadInput
from whyrank.lm.base import Message, Prompt
from whyrank.prompts import Passage, Template, known, load

FRUIT = [Passage("1", "Apples keep."), Passage("2", "Bananas rot.")]
PAIR = [Passage("A", "Apples keep."), Passage("B", "Bananas rot.")]


def shown(template: Template, count: int) -> list[Passage]:
    return [Passage(template.label(place), f"text {place}") for place in range(count)]


def texts(prompt: Prompt) -> list[str]:
    return [prompt] if isinstance(prompt, str) else [message.text for message in prompt]


def made(folder: Path, body: str, head: str = "") -> Template:
    path = folder / "mine.toml"
    path.write_text(
        'kind = "listwise"\nparser = "ranking"\nmax_tokens = 9\nsource = "s"\npaper = "p"\nlicence = "l"\n'
        f"{head}\n{body}\n",
        encoding="utf-8",
    )
    return load(str(path))


def test_a_conversation_with_a_turn_for_each_passage() -> None:
    assert load("rankgpt").render("what keeps", FRUIT) == (
        Message(
            "system",
            "You are RankGPT, an intelligent assistant that can rank passages based on their relevancy to the query.",
        ),
        Message(
            "user",
            "I will provide you with 2 passages, each indicated by number identifier []. \n"
            "Rank the passages based on their relevance to query: what keeps.",
        ),
        Message("assistant", "Okay, please provide the passages."),
        Message("user", "[1] Apples keep."),
        Message("assistant", "Received passage [1]."),
        Message("user", "[2] Bananas rot."),
        Message("assistant", "Received passage [2]."),
        Message(
            "user",
            "Search Query: what keeps. \nRank the 2 passages above based on their relevance to the search query. The "
            "passages should be listed in descending order using identifiers. The most relevant passages should be "
            "listed first. The output format should be [] > [], e.g., [1] > [2]. Only response the ranking results, "
            "do not say any word or explain.",
        ),
    )


def test_a_window_in_one_message() -> None:
    assert texts(load("rankzephyr").render("what keeps", FRUIT))[1] == (
        "I will provide you with 2 passages, each indicated by a numerical identifier []. Rank the passages based on "
        "their relevance to the search query: what keeps.\n[1] Apples keep.\n[2] Bananas rot.\nSearch Query: what "
        "keeps.\nRank the 2 passages above based on their relevance to the search query. All the passages should be "
        "included and listed using identifiers, in descending order of relevance. The output format should be [] > "
        "[], e.g., [2] > [1], Answer concisely and directly and only respond with the ranking results, do not say "
        "any word or explain."
    )


def test_a_pair() -> None:
    assert load("prp-t5").render("what keeps", PAIR) == (
        'Given a query "what keeps", which of the following two passages is more relevant to the query?\n\n'
        'Passage A: "Apples keep."\n\nPassage B: "Bananas rot."\n\nOutput Passage A or Passage B:'
    )
    assert load("duot5").render("what keeps", FRUIT) == (
        "Query: what keeps Document0: Apples keep. Document1: Bananas rot. Relevant:"
    )


def test_a_set() -> None:
    assert load("setwise-logits").render("what keeps", PAIR) == (
        Message(
            "user",
            'Given a query "what keeps", which of the following passages is the most relevant one to the query?\n\n'
            'Passage A: "Apples keep."\n\nPassage B: "Bananas rot."\n\n'
            "Output only the passage label of the most relevant passage:",
        ),
        Message("assistant", "Passage:"),
    )


def test_one_passage() -> None:
    assert load("monot5").render("what keeps", FRUIT[:1]) == "Query: what keeps Document: Apples keep. Relevant:"


def test_the_instruction_is_the_default_or_the_users() -> None:
    qwen = load("qwen3-reranker")
    start = (
        "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and the Instruct "
        'provided. Note that the answer can only be "yes" or "no".<|im_end|>\n<|im_start|>user\n<Instruct>: '
    )
    end = "\n<Query>: what keeps\n<Document>: Apples keep.<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
    default = "Given a web search query, retrieve relevant passages that answer the query"
    assert qwen.render("what keeps", FRUIT[:1]) == start + default + end
    assert qwen.render("what keeps", FRUIT[:1], instruction="Find fruit") == start + "Find fruit" + end


def test_an_empty_instruction_leaves_nothing_behind() -> None:
    rank1 = load("rank1")
    assert "\nQuery: what keeps\nPassage: " in str(rank1.render("what keeps", FRUIT[:1]))
    assert "\nQuery: what keeps in winter\nPassage: " in str(
        rank1.render("what keeps", FRUIT[:1], instruction="in winter")
    )
    mxbai = load("mxbai-rerank-v2")
    assert "user\nquery: what keeps\ndocument: " in str(mxbai.render("what keeps", FRUIT[:1]))
    assert "user\ninstruction: in {query}\nquery: what keeps\n" in str(
        mxbai.render("what keeps", FRUIT[:1], instruction="in {query}")
    )


def test_every_field_and_what_is_no_field(tmp_path: Path) -> None:
    template = made(
        tmp_path,
        "[[message]]\nrole = \"user\"\ntext = '''{count} of {labels}, {first_label} to {last_label}: {passages} "
        "100 % {{query}} {\"json\": {}} {note}'''\n"
        '[[message]]\nrole = "user"\neach = true\ntext = "{label} of {labels}: {passage}? {query} {instruction}"',
        'extra = ["note"]\ninstruction = "now"\npassage = "<{label}={passage}>"\njoin = "; "',
    )
    assert template.render("q", FRUIT, extra={"note": "%s {count}"}) == (
        Message(
            "user",
            '2 of 1, 2, 1 to 2: <1=Apples keep.>; <2=Bananas rot.> 100 % {query} {"json": {}} %s {count}',
        ),
        Message("user", "1 of 1, 2: Apples keep.? q now"),
        Message("user", "2 of 1, 2: Bananas rot.? q now"),
    )


HOSTILE = "{query} {passages} {{count}} %(query)s %s %% {0} $query \\1 {label}"


@pytest.mark.parametrize("name", known())
def test_a_value_is_never_read_as_a_template(name: str) -> None:
    template = load(name)
    count = template.size or 2
    passages = [Passage(template.label(place), f"{HOSTILE} {place}") for place in range(count)]
    extra = dict.fromkeys(template.extra, HOSTILE)
    prompt = template.render("Q" + HOSTILE, passages, extra=extra)
    text = "\n".join(texts(prompt))
    for passage in passages:
        assert text.count(passage.text) == 1
    if template.parser != "likelihood":
        assert "Q" + HOSTILE in text


@pytest.mark.parametrize("name", [name for name in known() if load(name).size is None])
@pytest.mark.parametrize("count", [0, 1, 20])
def test_any_number_of_passages(name: str, count: int) -> None:
    template = load(name)
    prompt = template.render("query", shown(template, count))
    text = "\n".join(texts(prompt))
    assert [place for place in range(30) if f"text {place}\n" in f"{text}\n".replace('"', "\n")] == list(range(count))


@pytest.mark.parametrize("name", [name for name in known() if load(name).size is not None])
def test_the_wrong_number_of_passages_is_an_error(name: str) -> None:
    template = load(name)
    wrong = 3 - (template.size or 0)
    with pytest.raises(BadInput, match=f"shows {template.size} at a time; it was given {wrong}"):
        template.render("query", shown(template, wrong), extra=dict.fromkeys(template.extra, ""))


def test_numbers_in_brackets_become_round_where_the_source_does_so() -> None:
    passages = [Passage("1", "see [2] and [x]")]
    late, early = (texts(load(name).render("what [1] is", passages))[1] for name in ("rankvicuna", "rankvicuna-early"))
    assert "query: what (1) is.\n\n[1] see (2) and [x]\n" in late
    assert "query: what [1] is.\n\n[1] see [2] and [x]\n" in early


def test_labels() -> None:
    assert [load("rankgpt").label(place) for place in (0, 1, 99)] == ["1", "2", "100"]
    assert [load("first").label(place) for place in (0, 25)] == ["A", "Z"]
    with pytest.raises(BadInput, match="'first' calls passages A to Z; show it at most 26"):
        load("first").label(26)


def test_an_instruction_that_has_no_place_is_an_error() -> None:
    with pytest.raises(BadInput, match="'rankgpt' has no field for an instruction"):
        load("rankgpt").render("q", FRUIT, instruction="Find fruit")


def test_extra_fields_are_given_exactly(tmp_path: Path) -> None:
    template = made(tmp_path, '[[message]]\nrole = "user"\ntext = "{passages} {note}"', 'extra = ["note"]')
    with pytest.raises(BadInput, match=r"takes the extra fields note; it was given \(none\)"):
        template.render("q", FRUIT)
    with pytest.raises(BadInput, match="takes the extra fields note; it was given note, other"):
        template.render("q", FRUIT, extra={"note": "", "other": ""})
