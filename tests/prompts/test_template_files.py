"""Shipped templates load and say where they are from; mistakes in a user's are named with their keys."""

from pathlib import Path

import pytest

from whyrank.errors import BadInput, MissingFile, UnknownName
from whyrank.prompts import known, load

HEAD = """\
kind = "listwise"
parser = "ranking"
max_tokens = 200
source = "me"
paper = "none"
licence = "CC0"
"""
MESSAGE = '[[message]]\nrole = "user"\ntext = "{query} {passages}"\n'


def problem(folder: Path, content: str) -> str:
    path = folder / "mine.toml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(BadInput) as caught:
        load(str(path))
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value).removeprefix(f"{path}: ")


@pytest.mark.parametrize("name", known())
def test_a_shipped_template_is_whole(name: str) -> None:
    template = load(name)
    assert template.name == name
    assert template.source
    assert template.paper
    assert template.licence
    assert load(name) is template
    likely = {"yes_no", "grade"}
    assert bool(template.choices) == (template.parser in likely or name == "duot5")
    if template.kind in ("setwise", "listwise"):
        assert template.size is None
    if template.parser == "grade":
        assert sorted(template.choices) == [str(grade) for grade in range(len(template.choices))]


def test_what_was_promised_is_there() -> None:
    promised = (
        "rankgpt rankvicuna rankzephyr first monot5 prp prp-t5 setwise setwise-logits rank-r1 rank-r1-v0.2 "
        "qwen3-reranker mxbai-rerank-v2 upr r2r-ranking r2r-direct r2r dear rank1 graded "
        "relevance-generation reasonrank"
    )
    assert set(promised.split()) <= set(known())


def test_only_what_was_read_is_called_verified() -> None:
    assert [name for name in known() if "unverified" in load(name).source] == ["graded"]


def test_a_template_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "my.prompt.toml"
    path.write_text(HEAD + MESSAGE, encoding="utf-8")
    template = load(str(path))
    assert (template.name, template.form, template.labels, template.choices) == ("my.prompt", "chat", "numbers", ())
    assert (template.instruction, template.passage_tokens, template.reasons) == (None, None, False)


def test_an_unknown_name_has_near_matches() -> None:
    with pytest.raises(UnknownName, match=r"no prompt called 'rank-gpt'; did you mean rankgpt"):
        load("rank-gpt")
    with pytest.raises(MissingFile):
        load("nowhere/mine.toml")


def test_what_is_no_toml_is_named(tmp_path: Path) -> None:
    assert "no TOML in UTF-8 (Expected '='" in problem(tmp_path, "kind listwise")


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    told = problem(tmp_path, 'kind = "listwize"\nmaxtokens = 3\nreasons = "yes"\n' + MESSAGE)
    assert "no key called 'maxtokens'; did you mean max_tokens" in told
    assert "'kind' is 'listwize'; give one of pointwise, pairwise, setwise, listwise, direct, comparison" in told
    assert "'reasons' is 'yes'; give true or false" in told
    assert "'parser' is missing; give one of ranking, " in told
    assert "'max_tokens' is missing; give a whole number above 0" in told
    assert "'licence' is missing" in told


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (HEAD, "form 'chat' has [[message]] blocks"),
        (HEAD + 'form = "text"\n', "form 'text' has one 'text'"),
        (HEAD + 'form = "text"\ntext = "{passages}"\n' + MESSAGE, "form 'text' has one 'text' and no [[message]]"),
        (HEAD + 'text = "{passages}"\n' + MESSAGE, "form 'chat' has [[message]] blocks and no 'text'"),
        (HEAD + 'message = "hello"\n', "form 'chat' has [[message]] blocks"),
        (HEAD + "message = [1]\n", "message 1 is 1; give a [[message]] block"),
        (HEAD + '[[message]]\nrole = "robot"\ntext = "{passages}"', "'message 1: role' is 'robot'; give one of system"),
        (HEAD + '[[message]]\nrole = "user"\n', "'message 1: text' is missing"),
        (
            HEAD + MESSAGE.replace("{query}", "{qeury}"),
            "'message 1: text': no field called '{qeury}'; did you mean {query}",
        ),
        (HEAD + MESSAGE.replace("{query}", "{instruction}"), "no field called '{instruction}'"),
        (HEAD + 'instruction = "x"\n' + MESSAGE, "'instruction' is given and no text has the field {instruction}"),
        (HEAD + 'instruction_form = "{passage}"\n' + MESSAGE, "'instruction_form' is '{passage}'"),
        (HEAD + 'passage = "{query}"\n' + MESSAGE, "'passage': no field called '{query}'"),
        (HEAD + MESSAGE.replace("{passages}", ""), "no text shows a passage"),
        (HEAD + 'extra = ["query"]\n' + MESSAGE, "'extra' is ['query']; give a list of names that are no fields"),
        (HEAD + 'choices = "yes"\n' + MESSAGE, "'choices' is 'yes'; give a list of texts"),
        (HEAD.replace("200", "true") + MESSAGE, "'max_tokens' is True; give a whole number"),
        (HEAD + MESSAGE + "each = true\n", "no field called '{passages}'"),
    ],
)
def test_a_mistake_is_named_with_its_key(tmp_path: Path, content: str, told: str) -> None:
    assert told in problem(tmp_path, content)
