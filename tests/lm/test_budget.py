import threading

import pytest
from acted import Acted, fails, status
from hypothesis import given
from hypothesis import strategies as st

from whyrank.errors import BadInput, BudgetSpent, ModelRejected, ModelUnavailable
from whyrank.lm.base import Capability, Generate, Reply
from whyrank.lm.budget import Budget
from whyrank.lm.failures import too_slow
from whyrank.lm.limits import Limits
from whyrank.lm.prices import Price
from whyrank.lm.remote import Remote
from whyrank.types import Usage


def used(tokens: int, cost: float | None = 0.0) -> Usage:
    return Usage(calls=1, prompt_tokens=tokens, cost=cost)


def remote(transport: Acted, budget: Budget, price: Price | None = None, concurrency: int = 1) -> Remote:
    limits = Limits(concurrency, budget=budget, retries=0)
    capabilities = frozenset({Capability.GENERATE})
    return Remote(transport, name="t:m", urls=("a",), capabilities=capabilities, limits=limits, price=price)


def test_what_does_not_fit_is_refused_and_the_message_says_why() -> None:
    budget = Budget(max_cost=1.0, max_tokens=1000)
    budget.settle(budget.reserve(600, 0.25), used(500, 0.25))
    with pytest.raises(
        BudgetSpent, match="the budget has no room: 500 of 1,000 tokens are left, and this call may take 501"
    ):
        budget.reserve(501, 0.0)
    with pytest.raises(BudgetSpent, match=r"\$0\.7500 of \$1\.0000 is left, and this call may cost \$0\.8000"):
        budget.reserve(1, 0.8)
    budget.settle(budget.reserve(500, 0.75), used(500, 0.75))
    assert budget.spent == Usage(calls=2, prompt_tokens=1000, cost=1.0)


def test_what_a_call_did_not_use_is_free_again() -> None:
    budget = Budget(max_tokens=100)
    for _ in range(10):
        budget.settle(budget.reserve(19, None), Usage(calls=1, prompt_tokens=6, generated_tokens=3))
    assert budget.spent.prompt_tokens + budget.spent.generated_tokens == 90
    with pytest.raises(BudgetSpent):
        budget.reserve(11, None)


def test_a_call_whose_end_nobody_saw_counts_in_full() -> None:
    budget = Budget(max_cost=1.0, max_tokens=100)
    budget.settle(budget.reserve(60, 0.5), None)
    budget.settle(budget.reserve(10, 0.5), used(5, None))  # tokens but no price
    assert (budget.presumed.tokens, budget.presumed.cost) == (70, 1.0)
    assert budget.spent == Usage()
    with pytest.raises(BudgetSpent):
        budget.reserve(1, 0.01)


def test_a_call_waits_for_those_under_way_and_not_for_ever() -> None:
    budget = Budget(max_tokens=100)
    first = budget.reserve(80, None)
    with pytest.raises(BudgetSpent, match="100 of 100 tokens"):
        budget.reserve(50, None, timeout_s=0.01)
    with pytest.raises(BudgetSpent):  # it will never fit, so it does not wait at all
        budget.reserve(101, None)
    ended = threading.Timer(0.05, budget.settle, (first, used(10)))
    ended.start()
    second = budget.reserve(50, None, timeout_s=30)
    ended.join()
    budget.settle(second, used(50))
    assert budget.spent.prompt_tokens == 60


@pytest.mark.parametrize("limits", [{"max_cost": -1.0}, {"max_tokens": -1}, {"max_cost": float("nan")}])
def test_limits_below_zero(limits: dict[str, float]) -> None:
    with pytest.raises(BadInput, match="give 0 or more"):
        Budget(**limits)  # type: ignore[arg-type]


@given(
    st.lists(st.tuples(st.integers(1, 300), st.integers(0, 100)), min_size=1, max_size=30),
    st.integers(0, 1000),
)
def test_it_is_never_exceeded(calls: list[tuple[int, int]], limit: int) -> None:
    """Four threads, each call using a share of what it set aside."""
    budget, places = Budget(max_tokens=limit), iter(calls)
    lock, refused = threading.Lock(), 0

    def work() -> None:
        nonlocal refused
        while True:
            with lock:
                call = next(places, None)
            if call is None:
                return
            worst, share = call
            try:
                booked = budget.reserve(worst, None)
            except BudgetSpent:
                with lock:
                    refused += 1
            else:
                budget.settle(booked, used(worst * share // 100))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert budget.spent.prompt_tokens <= limit
    assert budget.spent.calls + refused == len(calls)


def test_a_backend_stays_within_it_whatever_runs_at_once() -> None:
    # "x": 1 + 32 + 32 bytes and 35 tokens of answer are 100 at most; each call takes 40
    answer = Reply("ok", usage=Usage(prompt_tokens=20, generated_tokens=20))
    for concurrency in (1, 8):
        transport, budget = Acted(lambda number, url: answer), Budget(max_tokens=500)
        results = remote(transport, budget, concurrency=concurrency).ask([Generate("x", max_tokens=35)] * 50)
        # the eleventh call begins with 400 spent, the twelfth would with 440
        assert len(transport.sent) == 11
        assert sum(isinstance(result, BudgetSpent) for result in results) == 39
        assert budget.spent.prompt_tokens + budget.spent.generated_tokens == 440


def test_money_is_counted_in_cost() -> None:
    answer = Reply("ok", usage=Usage(prompt_tokens=20, cached_tokens=10, generated_tokens=20))
    budget = Budget(max_cost=0.01)
    lm = remote(Acted(lambda number, url: answer), budget, Price(100, 200, 50))
    [result] = lm.ask([Generate("x", max_tokens=10)])
    assert isinstance(result, Reply)
    # 10 · 100 + 10 · 50 + 20 · 200 = 5,500 dollars for a million such calls
    assert result.usage.cost == pytest.approx(0.0055)
    assert budget.spent.cost == pytest.approx(0.0055)
    [refused] = lm.ask([Generate("x", max_tokens=10)])
    assert isinstance(refused, BudgetSpent)  # 65 · 100 + 10 · 200 = 8,500
    assert "may cost $0.0085" in str(refused)


def test_money_without_a_price_is_refused_when_the_backend_is_built() -> None:
    with pytest.raises(
        BadInput,
        match=r"price of t:m is unknown: give its price in dollars .*'model\.price=\[0\.4, 1\.6\]'.*--max-tokens",
    ):
        remote(Acted(lambda number, url: Reply()), Budget(max_cost=1.0))
    with pytest.raises(BadInput, match="needs the price"):
        Budget(max_cost=1.0).reserve(1, None)


def test_failed_calls_give_back_or_count_in_full() -> None:
    budget = Budget(max_tokens=1000)
    [rejected] = remote(Acted(fails(status(400))), budget).ask([Generate("x", max_tokens=35)])
    assert isinstance(rejected, ModelRejected)
    assert (budget.spent, budget.presumed.tokens) == (Usage(calls=1), 0)
    [late] = remote(Acted(fails(too_slow(1))), budget).ask([Generate("x", max_tokens=35)])
    assert isinstance(late, ModelUnavailable)
    assert budget.presumed.tokens == 100
    remote(Acted(lambda number, url: Reply("no usage")), budget).ask([Generate("x", max_tokens=35)])
    assert budget.presumed.tokens == 200
