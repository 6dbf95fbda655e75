"""Untidy answers as models give them, each with what a careful reader takes from it. All texts are our own.

The order lists identifiers from 1 on, as far as the answer places them; the rest follows as it was.
"""

from typing import NamedTuple

import pytest

from whyrank.rankers.parsing import ParseStatus, ranking


class Case(NamedTuple):
    """An answer about `n` documents, the identifiers it places, best first, and what must be said of it."""

    text: str
    placed: list[int]
    status: ParseStatus
    n: int = 3


OK: ParseStatus = "ok"
REPAIRED: ParseStatus = "repaired"
REFUSED: ParseStatus = "refused"
TRUNCATED: ParseStatus = "truncated"
ERROR: ParseStatus = "error"

REASONING = [
    Case("<think>Maybe [1] > [2] > [3].</think>\n\n[2] > [1] > [3]", [2, 1, 3], OK),
    Case("Maybe [1] > [2] > [3].\n</think>\n\n[2] > [1] > [3]", [2, 1, 3], OK),
    Case("<think>\nSo it is [2] > [1] > [3], or is it", [], TRUNCATED),
    Case("<thinking>[1] > [2] > [3]</thinking>[2] > [1] > [3]", [2, 1, 3], OK),
    Case("[THINK][1] > [2][/THINK][2] > [1] > [3]", [2, 1, 3], OK),
    Case("◁think▷[1] > [2] > [3]◁/think▷[2] > [1] > [3]", [2, 1, 3], OK),
    Case("<answer>[2] > [1] > [3]</answer>\n<reasoning>[1] > [3] was close</reasoning>", [2, 1, 3], OK),
    Case("<think>hm</think><answer>\n1. [2]\n2. [1]\n3. [3]\n</answer>", [2, 1, 3], OK),
    Case("<think>The tag is <answer>.</think> <answer> 2 > 1 > 3 </answer>", [2, 1, 3], OK),
    Case("<answer>[2, 1, 3]</answer>", [2, 1, 3], OK),
    Case("<answer>2 1 3</answer>", [2, 1, 3], OK),
    Case("<answer>[2]\n[1]</answer>", [2, 1], REPAIRED),
    Case("<ranking>2, 1, 3</ranking>", [2, 1, 3], OK),
    Case("<think>a</think>\nThe final answer is $\\boxed{[2] > [1] > [3]}$.", [2, 1, 3], OK),
    Case("Draft [1] > [2] > [3]. \\boxed{2, 1, 3}", [2, 1, 3], OK),
    Case("<|channel|>analysis<|message|>[1] > [2]?<|end|><|channel|>final<|message|>[2] > [1] > [3]", [2, 1, 3], OK),
    Case("analysisWe compare [1] > [2].assistantfinal[2] > [1] > [3]", [2, 1, 3], OK),
    Case("[2] > [1] > [3]<|im_end|>\n<|im_start|>user\n[1] > [2] > [3]", [2, 1, 3], OK),
    Case("[2] > [1] > [3]\n\nUser: now the other way\nAssistant: [3] > [1] > [2]", [2, 1, 3], OK),
    Case("2 > 1 > 3</s>", [2, 1, 3], OK),
]

JSON = [
    Case('Sure!\n```json\n{"ranking": [2, 1, 3,],}\n```\nHope it helps.', [2, 1, 3], OK),
    Case("{'ranking': ['[2]', '[1]', '[3]']}", [2, 1, 3], OK),
    Case('{"ranking": ["[2]", "[1]", "[3]"], "explanation": "[1] > [2] was close in 2019"}', [2, 1, 3], OK),
    Case("```python\nranking = [2, 1, 3]\n```", [2, 1, 3], OK),
    Case("[[2], [1], [3]]", [2, 1, 3], OK),
    Case('{"result": {"ranking": [2, 1, 3]}}', [2, 1, 3], OK),
    Case('[{"rank": 2, "id": 1}, {"rank": 1, "id": 2}, {"rank": 3, "id": 3}]', [2, 1, 3], OK),
    Case('{"results": [{"id": 1, "score": 0.2}, {"id": 2, "score": 0.9}, {"id": 3, "score": 0.1}]}', [2, 1, 3], OK),
    Case('{"rank": 1, "id": 2}\n{"rank": 2, "id": 1}\n{"rank": 3, "id": 3}', [2, 1, 3], OK),
    Case('{"ranking": [2, 1, ', [2, 1], TRUNCATED),
    Case('```json\n{"ranking": [{"id": 2, "why": "x"}, {"id": 1, "why": "y', [2], TRUNCATED),
    Case('{"1": "[2]", "2": "[1]", "3": "[3]"}', [2, 1, 3], OK),
    Case('{"ranking": [1, 2, 3]}\nWait, I mixed two up. Corrected:\n{"ranking": [2, 1, 3]}', [2, 1, 3], REPAIRED),
    Case('{"ranking": [1, 2, 3]}\nOn reflection: [2] > [1] > [3]', [2, 1, 3], REPAIRED),
    Case('{"name": "rank", "arguments": {"order": [2, 1, 3]}}', [2, 1, 3], OK),
    Case('{"ranking": [1, 0, 2]}', [2, 1, 3], REPAIRED),
    Case('{"error": {"code": 429, "message": "Limit 3, Used 3. Try again in 20s"}}', [], ERROR, 20),
    Case('{"relevant": true, "year": 2019, "count": 3}', [], ERROR, 20),
]

SIGNS = [
    Case("2>1>3", [2, 1, 3], OK),
    Case("The ranking is 2 > 1 > 3.", [2, 1, 3], OK),
    Case("2 > 1 > 3 (others not relevant)", [2, 1, 3], REPAIRED, 5),
    Case("So I settle on 2 > 1 > 3, as passage 1 has 4 dates.", [2, 1, 3], OK),
    Case("Passage 2 > Passage 1 > Passage 3 because 2 is newer.", [2, 1, 3], OK),
    Case("doc2 > doc1 > doc3", [2, 1, 3], OK),
    Case("P2 > P1 > P3", [2, 1, 3], OK),
    Case("#2 > #1 > #3", [2, 1, 3], OK),
    Case("(2) > (1) > (3)", [2, 1, 3], OK),
    Case("[Doc 2] > [Doc 1] > [Doc 3]", [2, 1, 3], OK),
    Case("[[2]] > [[1]] > [[3]]", [2, 1, 3], OK),
    Case("[2: Gardens] > [1: Parks] > [3: Roads]", [2, 1, 3], OK),
    Case("[2] &gt; [1] &gt; [3]", [2, 1, 3], OK),
    Case("\\[2\\] \\> \\[1\\] \\> \\[3\\]", [2, 1, 3], OK),
    Case("$[2] \\succ [1] \\succ [3]$", [2, 1, 3], OK),
    Case("【2】＞【1】＞【3】", [2, 1, 3], OK),
    Case("［２］ > ［１］ > ［３］", [2, 1, 3], OK),
    Case("[2] (direct) > [1] (partly, 2 of 3 needs) > [3] (off topic)", [2, 1, 3], OK),
    Case("[2] (0.95) > [1] (0.80) > [3] (0.1)", [2, 1, 3], OK),
    Case("[2] > [1] = [3]", [2, 1, 3], OK),
    Case("[4] > [2] > [1], [3]", [4, 2, 1, 3], OK, 4),
    Case("```\n[2] > [1] > [3]\n```", [2, 1, 3], OK),
    Case("> [2] > [1] > [3]", [2, 1, 3], OK),
    Case("> 2 > 1 > 3", [2, 1, 3], OK),
    Case("[2]\n>\n[1]\n>\n[3]", [2, 1, 3], OK),
    Case("[2]\n↓\n[1]\n↓\n[3]", [2, 1, 3], OK),
    Case("[3] < [1] < [2]", [2, 1, 3], REPAIRED),
    Case("From least to most relevant: [3] < [1] < [2]", [2, 1, 3], REPAIRED),
    Case("From least to most relevant: [3], [1], [2]", [2, 1, 3], REPAIRED),
    Case("From least relevant to most relevant:\n1. [3]\n2. [1]\n3. [2]", [2, 1, 3], REPAIRED),
    Case("Ascending order of relevance: [3] → [1] → [2]", [2, 1, 3], REPAIRED),
    Case("3 < 1 < 2", [2, 1, 3], REPAIRED),
    Case("[5] > [3] > ... > [1]", [5, 3, 2, 4, 1], REPAIRED, 5),
    Case("[1] > [2] > … > [5]", [1, 2, 3, 4, 5], REPAIRED, 5),
    Case("[5] > [4] > ... > [1]", [5, 4, 3, 2, 1], REPAIRED, 5),
    Case("[3] > [1] > ...", [3, 1], REPAIRED, 5),
    Case("[5] > [3]-[4] > [1] to [2]", [5, 3, 4, 1, 2], REPAIRED, 5),
    Case("[5] > [3-4] > [1]", [5, 3, 4, 1, 2], REPAIRED, 5),
    Case("[2] > [1] > [2] > [1] > [2] > [1] >", [2, 1], TRUNCATED),
    Case("[2] > [1] > [2] > [1] > [2] > [1]", [2, 1], REPAIRED),
    Case("[2] > [7] > [1] > [3] > [0]", [2, 1, 3], REPAIRED),
    Case("[1] > [0] > [2]", [2, 1, 3], REPAIRED),
    Case("[2][1][3]", [2, 1, 3], OK),
    Case("[2] [1] [3]", [2, 1, 3], OK),
    Case("2\n1\n3", [2, 1, 3], OK),
    Case("2 1 3", [2, 1, 3], OK),
    Case("[3]", [3], REPAIRED),
    Case("I cannot be sure, but here is my best: [2] > [1] > [3]", [2, 1, 3], OK),
    Case("[1] > [2] > [3]. Wait, actually [2] > [1] > [3].", [2, 1, 3], REPAIRED),
    Case("[2] > [1] > [3], not [1] > [2] > [3].", [2, 1, 3], OK),
    Case("[2] > [1] > [3]\n\n(The original order was [1] > [2] > [3].)", [2, 1, 3], OK),
    Case("[2] > [1] > [3]\n\n[2] > [1] > [3]", [2, 1, 3], OK),
    Case("Classement : [2] > [1] > [3]. Le passage 3 date de 2019.", [2, 1, 3], OK),
    Case("排名：[2] > [1] > [3]", [2, 1, 3], OK),
    Case("排名：2、1、3", [2, 1, 3], OK),
    Case("段落2 > 段落1 > 段落3", [2, 1, 3], OK),
]

LISTS = [
    Case("Ranking: 2, 1, 3", [2, 1, 3], OK),
    Case("Here is the ranking:\n2, 1, 3\n\nLet me know if you need more.", [2, 1, 3], OK),
    Case("The final order is [2, 1, 3].", [2, 1, 3], OK),
    Case("Ranked passages: [2], [1], and [3].", [2, 1, 3], OK),
    Case("2 (most relevant), 1, 3 (least relevant)", [2, 1, 3], OK),
    Case("I would rank them as follows: [4], [2], [1].", [4, 2, 1], REPAIRED, 5),
    Case("Top 3: [4], [2], [1]\nThe others are off topic.", [4, 2, 1], REPAIRED, 5),
    Case("Top 3: 1. [4] 2. [2] 3. [1]", [4, 2, 1], REPAIRED, 5),
    Case("1. [2] 2. [1] 3. [3]", [2, 1, 3], OK),
    Case("1. [4] 2. [2] 3. [1]", [], ERROR, 5),
    Case("1. Gardens of Rome [2]\n2. Parks [1]\n3. Roads [3]", [2, 1, 3], REPAIRED),
    Case("**1. Passage 2**\nIt names the year 1999.\n\n**2. Passage 1**\nClose.\n\n**3. Passage 3**", [2, 1, 3], OK),
    Case("### 1. [2]\nwhy\n### 2. [1]\nwhy\n### 3. [3]\nwhy", [2, 1, 3], OK),
    Case("Rank 1: [2]\nRank 2: [1]\nRank 3: [3]", [2, 1, 3], OK),
    Case("1st: [2]\n2nd: [1]\n3rd: [3]", [2, 1, 3], OK),
    Case("3. [3]\n2. [1]\n1. [2]", [2, 1, 3], OK),
    Case("1. 2 - names the year\n2. 1 - close\n3. 3 - off topic", [2, 1, 3], OK),
    Case("1) Document 2: good\n2) Document 1: fair\n3) Document 3: poor", [2, 1, 3], OK),
    Case("- **[2]**: answers it\n- **[1]**: partly\n- **[3]**: no", [2, 1, 3], REPAIRED),
    Case(
        "| Rank | Passage | Why |\n|---|---|---|\n| 1 | [2] | year |\n| 2 | [1] | x |\n| 3 | [3] | y |",
        [2, 1, 3],
        REPAIRED,
    ),
    Case("| Passage | Rank |\n|---|---|\n| 1 | 2 |\n| 2 | 1 |\n| 3 | 3 |", [2, 1, 3], REPAIRED),
    Case("| Passage | Score |\n|---|---|\n| 1 | 5 |\n| 2 | 9 |\n| 3 | 1 |", [2, 1, 3], REPAIRED),
    Case("Draft: [1] > [2] > [3]\n\n**Final ranking:**\n1. [2]\n2. [1]\n3. [3]", [2, 1, 3], OK),
    Case("Initial ranking: [1] > [2] > [3]\nAfter a closer look:\n1. [2]\n2. [1]\n3. [3]", [2, 1, 3], REPAIRED),
    Case("[2] > [1] > [3]\n\nNotes:\n1. [3] is from 2019.\n2. [1] is long.", [2, 1, 3], OK),
    Case("1. [2] - good\n2. [1] - fair\n3. [", [2, 1], REPAIRED),
]

LISTS += [
    Case("1 - [2]\n2 - [1]\n3 - [3]", [2, 1, 3], OK),
    Case("[Rank 1] Passage 2\n[Rank 2] Passage 1\n[Rank 3] Passage 3", [2, 1, 3], OK),
    Case("1. [2]\n   - names 2 dates\n2. [1]\n   - names 1\n3. [3]\n   - none", [2, 1, 3], OK),
    Case("Relevant passages: [2], [1].\nIrrelevant passages: [3].", [2, 1, 3], REPAIRED),
    Case("**Ranking**\n\n2 > 1 > 3", [2, 1, 3], OK),
    Case("Here's the ranking:\n\n* Passage 2\n* Passage 1\n* Passage 3", [2, 1, 3], OK),
    Case("ranking:\n  - 4\n  - 2\n  - 1", [4, 2, 1], REPAIRED, 5),
    Case("- 4\n- 2\n- 1", [], ERROR, 5),
    Case("Ranked from most to least relevant:\n(2)\n(1)\n(3)", [2, 1, 3], OK),
    Case("```\n2\n1\n3\n```", [2, 1, 3], OK),
    Case("a) [2]\nb) [1]\nc) [3]", [2, 1, 3], OK),
    Case("Rank 1: Passage 2, Rank 2: Passage 1, Rank 3: Passage 3", [2, 1, 3], OK),
    Case("1st - [2], 2nd - [1], 3rd - [3]", [2, 1, 3], OK),
    Case("[2] - [1] - [3]", [2, 1, 3], OK),
    Case("2-1-3", [2, 1, 3], OK),
    Case("4-2-1", [], ERROR, 5),
    Case("3, 1 and 2", [3, 1, 2], OK),
    Case("4, 42", [], ERROR, 5),
    Case("Reordered list: [2, 1, 3]\nOriginal list: [1, 2, 3]", [2, 1, 3], OK),
    Case("The passages in order of relevance:\n\n[4] Rome.\n[1] Paris.\n[2] Oslo.", [4, 1, 2], REPAIRED, 5),
    Case("Here is my ranking:\n\n[1] Rome.\n[4] Paris.\n[5] Oslo.", [1, 4, 5], REPAIRED, 5),
    Case("These were shown:\n\n[1] Rome.\n[4] Paris.\n[5] Oslo.", [], ERROR, 5),
    Case("Voici l'ordre : 2, 1, 3", [2, 1, 3], OK),
    Case("El orden es: [2], [1], [3]", [2, 1, 3], OK),
    Case("相关性从低到高：[3]、[1]、[2]", [2, 1, 3], REPAIRED),
]

SIGNS += [
    Case("Passage 2 (most relevant) > Passage 1 > Passage 3 (least relevant)", [2, 1, 3], OK),
    Case("2 (9/10) > 1 (5/10) > 3 (1/10)", [2, 1, 3], OK),
    Case("[2] 9.5 > [1] 7.0 > [3] 3.1", [2, 1, 3], OK),
    Case("3 > 2 > 1 was my first thought, but 2 > 1 > 3 is right.", [2, 1, 3], REPAIRED),
    Case("[2] > [1] > [3]\n~~[1] > [2] > [3]~~", [2, 1, 3], OK),
    Case("New: [2] > [1] > [3]\nOld: [1] > [2] > [3]", [2, 1, 3], REPAIRED),
    Case("[2] > [1] > [3] (previously [1] > [2] > [3])", [2, 1, 3], REPAIRED),
    Case("Least relevant first: [3] > [1] > [2]", [2, 1, 3], REPAIRED),
    Case("From most to least relevant: [2] > [1] > [3]", [2, 1, 3], OK),
    Case("least relevant → most relevant: [3], [1], [2]", [2, 1, 3], REPAIRED),
    Case("[2] > [1] > [3] (since [1] > [3] in length)", [2, 1, 3], OK),
    Case("[2] > [1] > [3] (though [3] > [1] in length)", [2, 1, 3], REPAIRED),
    Case("[2] > [1] > [3] > [4]\nNote that [3] > [1] in style.", [2, 1, 3, 4], REPAIRED, 4),
    Case("I'd rank: 2 = 1 > 3", [2, 1, 3], OK),
    Case("passage_id: 2 > passage_id: 1 > passage_id: 3", [2, 1, 3], OK),
    Case("[id=2] > [id=1] > [id=3]", [2, 1, 3], OK),
    Case("Instead of [1] > [2] > [3], I propose [2] > [1] > [3]", [2, 1, 3], OK),
    Case("Step 1: [1] > [3]. Step 2: [2] > [1]. Therefore: [2] > [1] > [3]", [2, 1, 3], OK),
    Case("[2].", [2], REPAIRED),
    Case("**[2]**", [2], REPAIRED),
]

PROSE = [
    Case("Passage 2 is the most relevant, followed by Passage 1 and Passage 3.", [2, 1, 3], REPAIRED),
    Case("The most relevant is [2], then [1], then [3].", [2, 1, 3], REPAIRED),
    Case("[2] is the best match, [1] comes second, and [3] is last.", [2, 1, 3], REPAIRED),
    Case("First: [2]\nSecond: [1]\nThird: [3]", [2, 1, 3], REPAIRED),
    Case("Most relevant: [2]\nLeast relevant: [1]", [2, 3, 1], REPAIRED),
    Case("Highly relevant: [4], [2]\nSomewhat relevant: [1]\nNot relevant: [3], [5]", [4, 2, 1, 3, 5], REPAIRED, 5),
    Case("Passage 1: rank 2\nPassage 2: rank 1\nPassage 3: rank 3", [2, 1, 3], REPAIRED),
    Case("The top three are [2], [1], and [3], in that order.", [2, 1, 3], REPAIRED, 5),
    Case("The most relevant passage is [3].", [3], REPAIRED),
    Case("[2] is more relevant than [1], which is more relevant than [3].", [2, 1, 3], REPAIRED),
    Case("I prefer [2] over [1] over [3].", [2, 1, 3], REPAIRED),
    Case("Best: 2\nMiddle: 1\nWorst: 3", [2, 1, 3], REPAIRED),
    Case("Relevant: 2\nNot relevant: 3", [], ERROR, 5),
    Case("[1]: 2nd\n[2]: 1st\n[3]: 3rd", [2, 1, 3], REPAIRED),
    Case("First place: Passage 2. Second place: Passage 1. Third place: Passage 3.", [2, 1, 3], REPAIRED),
    Case("Passage 2 is more relevant than Passage 1.", [2, 1], REPAIRED, 2),
]

NOTHING = [
    Case("[1] is relevant because it names 2 kings. [2] is not.", [], ERROR),
    Case("Passage 2 is more relevant than Passage 1.", [], ERROR),
    Case("Passage 4 covers 2 of 3 needs.", [], ERROR, 5),
    Case("In 2019, 3 of 4 people walked 2 km.", [], ERROR, 5),
    Case("Error code: 429 - Rate limit reached: Limit 3, Used 3. Please try again in 20s.", [], ERROR, 20),
    Case("<html><head><title>502 Bad Gateway</title></head><body>1 > 2 > 3</body></html>", [], ERROR),
    Case("<!DOCTYPE html>\n<p>Used:</p>\n2 > 1 > 3\n</html>", [], ERROR),
    Case('{"error": {"message": "Limit 3", "order": [2, 1, 3]}}', [], ERROR),
    Case("503 Service Unavailable, retry after 2, 1, 3 seconds", [], ERROR, 5),
    Case("I'm sorry, but I can't help with ranking these 3 passages.", [], REFUSED),
    Case("Lo siento, no puedo ordenar los 3 pasajes.", [], REFUSED),
    Case("抱歉，我无法对这3个段落排序。", [], REFUSED),
    Case("Document A > Document B > Document C", [], ERROR),
    Case("Let us rank passages [1], [2] and [3] by how well they answer.", [], ERROR),
    Case(
        "The following passages are most relevant:\n[2] Some text of it.\n[3] More text.\n\nNow, let's rank them.",
        [],
        ERROR,
        5,
    ),
    Case("[1]: 0\n[2]: 0\n[3]: 0\nNone is on topic.", [], ERROR),
    Case("The order was [1] > [2] in one study; not [2] > [3] in another. Nor [3] > [1].", [], ERROR),
    Case("[] > [] > []", [], ERROR),
    Case("[2] > [1], [4] > [3]", [], ERROR, 6),
    Case("Relevant: [1]. Irrelevant since 1990: 2. See 3.", [], ERROR, 5),
    Case("20 passages have been provided.", [], ERROR, 20),
    Case("1. Read the query.\n2. Compare 3 passages.\n3. Rank them.", [], ERROR),
    Case("The chapters 3, 1 and 2 were written in that year.", [], ERROR, 5),
    Case("", [], ERROR),
    Case("Only [3] is relevant.", [], ERROR),
    Case("[3] is relevant. [1] is somewhat relevant.", [], ERROR),
    Case("Relevance scores: [1]: 3, [2]: 1, [3]: 5", [], ERROR),
    Case("Passage 1: 2\nPassage 2: 3\nPassage 3: 1", [], ERROR),
    Case("Context length exceeded (4097 > 4096 tokens)", [], ERROR),
    Case("4", [], ERROR, 5),
    Case("Patients took 3 > 2 pills, P < 0.05 [2].", [], ERROR, 5),
]


@pytest.mark.parametrize("case", [*REASONING, *JSON, *SIGNS, *LISTS, *PROSE, *NOTHING], ids=lambda case: case.text[:40])
def test_an_untidy_answer_is_read_as_a_careful_reader_would(case: Case) -> None:
    parsed = ranking(case.text, case.n)
    rest = [i for i in range(1, case.n + 1) if i not in case.placed]
    assert ([i + 1 for i in parsed.order], parsed.status) == ([*case.placed, *rest], case.status), parsed.repairs
