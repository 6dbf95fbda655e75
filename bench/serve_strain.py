"""A server under strain, for `serve_load.py`.

Many minutes with requests that are wrong or broken off; and more requests than it can answer.
"""

import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx
import numpy as np

SEED = 11
WRONG_SHARE, BROKEN_SHARE = 0.01, 0.01
WARM_SHARE = 0.2
"""Of the time of a soak, before memory counts."""
END_SHARE = 0.1
"""Of the time after it: what is compared, its first and its last such part."""
PATIENCE_S = 0.5
"""Who breaks off does so within this time."""
WAIT_SHARE = 0.5
"""Of the time that a request alone takes: how long one may wait for its turn, so that none takes twice as long."""
RECOVERY_S = 5.0
"""How long is looked after an overload."""
WRONG = (
    b"",
    b'{"query": ',
    b"[1, 2]",
    b'{"query": "a"}',
    b'{"query": " ", "documents": ["a"]}',
    b'{"query": "a", "documents": [7]}',
    b'{"query": "a", "documents": ["a"], "model": "nobody"}',
    b'{"query": "a", "documents": ["a"], "scores": [1, 2]}',
)


class Server(NamedTuple):
    """A server that runs: where, and which process it is."""

    url: str
    process: int


@contextmanager
def started(which: str, wait_s: float | None = None) -> Iterator[Server]:
    """One of the servers of `serve_load.py` as a process of its own; told to stop at the end, it must end well."""
    command = [sys.executable, str(Path(__file__).with_name("serve_load.py")), "--serve", which]
    command += [] if wait_s is None else ["--wait-s", str(wait_s)]
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}  # for all the same
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        try:
            yield Server(process.stdout.readline().strip(), process.pid)
        finally:
            process.terminate()


@dataclass
class Tally:
    """What requests got."""

    statuses: Counter[int] = field(default_factory=Counter)
    times_s: list[float] = field(default_factory=list)
    lost: int = 0
    unequal: int = 0
    broken: int = 0

    def quantile_s(self, share: float) -> float:
        """Of the times of answers with 200."""
        return float(np.quantile(self.times_s, share)) if self.times_s else float("nan")


async def asked(client: httpx.AsyncClient, body: Any, tally: Tally, expected: Any = None) -> int:
    """One request, counted; its status, or 0 for none."""
    begun = time.perf_counter()
    given: dict[str, Any] = {"content": body} if isinstance(body, bytes) else {"json": body}
    try:
        answer = await client.post("/rerank", **given)
    except httpx.HTTPError:
        tally.lost += 1
        return 0
    tally.statuses[answer.status_code] += 1
    if answer.status_code == 200:
        tally.times_s.append(time.perf_counter() - begun)
        tally.unequal += expected is not None and answer.json()["results"] != expected
    return answer.status_code


async def broken_off(url: str, body: dict[str, Any], after_s: float) -> None:
    """A request whose sender leaves before the answer."""
    payload = json.dumps(body).encode()
    place = urlsplit(url)
    _, writer = await asyncio.open_connection(place.hostname, place.port)
    writer.write(b"POST /rerank HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n" % len(payload) + payload)
    await asyncio.sleep(after_s)
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


async def soak(server: Server, bodies: Sequence[dict[str, Any]], clients: int, seconds: float) -> bool:
    """Clients that ask again and again, some wrongly, some not to the end; prints what came, and how memory went."""
    tally, memory = Tally(), list[tuple[float, int]]()
    async with httpx.AsyncClient(base_url=server.url, timeout=120, limits=httpx.Limits(max_connections=None)) as client:
        expected = [(await client.post("/rerank", json=body)).json()["results"] for body in bodies]
        begun = time.perf_counter()

        async def ask(number: int) -> None:
            rng = random.Random(SEED + number)
            while time.perf_counter() - begun < seconds:
                place, drawn = rng.randrange(len(bodies)), rng.random()
                if drawn < WRONG_SHARE:
                    await asked(client, rng.choice(WRONG), tally)
                elif drawn < WRONG_SHARE + BROKEN_SHARE:
                    tally.broken += 1
                    await broken_off(server.url, bodies[place], rng.random() * PATIENCE_S)
                else:
                    await asked(client, bodies[place], tally, expected[place])

        async def watch() -> None:
            while True:
                memory.append((time.perf_counter() - begun, resident_bytes(server.process)))
                await asyncio.sleep(0.5)

        watching = asyncio.create_task(watch())
        await asyncio.gather(*(ask(number) for number in range(clients)))
        watching.cancel()
        left = await figure(client, "whyrank_requests_under_way") - 1  # the one that asks
        waiting = await figure(client, "whyrank_waiting_requests")
    drift = drift_of(memory)
    failed = sum(count for status, count in tally.statuses.items() if status >= 500)
    print(f"soak of {seconds / 60:.1f} min, {clients} clients: {told(tally)}, {tally.broken} broken off")
    print(f"5xx {failed}, lost {tally.lost}, unequal to the unloaded answer {tally.unequal}, left {left + waiting:g}")
    print(f"memory {memory[-1][1] / 1e6:.0f} MB at the end, drift after warming up {100 * drift:+.2f} %")
    return not failed and not tally.lost and not tally.unequal and not left and drift < 0.02


def drift_of(memory: Sequence[tuple[float, int]]) -> float:
    """How much more memory is held at the end than after warming up, as a share."""
    end = memory[-1][0]
    first, last = WARM_SHARE * end, (1 - END_SHARE * (1 - WARM_SHARE)) * end
    width = END_SHARE * (1 - WARM_SHARE) * end
    before = [size for at, size in memory if first <= at <= first + width]
    after = [size for at, size in memory if at >= last]
    return statistics.fmean(after) / statistics.fmean(before) - 1


async def unloaded(server: Server, bodies: Sequence[dict[str, Any]], seconds: float) -> Tally:
    """One client that asks one request after another."""
    return await closed(server, bodies, 1, seconds)


async def closed(server: Server, bodies: Sequence[dict[str, Any]], clients: int, seconds: float) -> Tally:
    """Clients of which each asks again as soon as it is answered."""
    tally = Tally()
    async with httpx.AsyncClient(base_url=server.url, timeout=120) as client:
        begun = time.perf_counter()

        async def ask(number: int) -> None:
            rng = random.Random(SEED + number)
            while time.perf_counter() - begun < seconds:
                await asked(client, rng.choice(bodies), tally)

        await asyncio.gather(*(ask(number) for number in range(clients)))
    return tally


async def overloaded(
    server: Server, bodies: Sequence[dict[str, Any]], per_s: float, seconds: float
) -> tuple[Tally, list[tuple[float, int, float]]]:
    """Requests that come at random times whatever the server does, and then one after another.

    Returns:
        What came under load; and of each request after it: when it was sent after the last of them, status, seconds.
    """
    tally, after, rng = Tally(), list[tuple[float, int, float]](), random.Random(SEED)
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=server.url, timeout=120, limits=limits) as client:
        begun = time.perf_counter()
        due, tasks = 0.0, []
        while due < seconds:
            await asyncio.sleep(max(0.0, due - (time.perf_counter() - begun)))
            tasks.append(asyncio.create_task(asked(client, rng.choice(bodies), tally)))
            due += rng.expovariate(per_s)
        ended = time.perf_counter()
        while (sent := time.perf_counter()) - ended < RECOVERY_S:
            status = await asked(client, rng.choice(bodies), Tally())
            after.append((sent - ended, status, time.perf_counter() - sent))
            if status != 200:
                await asyncio.sleep(0.05)
        await asyncio.gather(*tasks)
    return tally, after


def overload(bodies: Sequence[dict[str, Any]], factor: float, seconds: float) -> bool:
    """Measure capacity and time of one request, then ask `factor` times as much; prints what came of it."""
    with started("default") as server:
        alone = asyncio.run(unloaded(server, bodies, seconds))
        full = asyncio.run(closed(server, bodies, 4, seconds))
    capacity = len(full.times_s) / seconds
    p50, p99 = alone.quantile_s(0.5), alone.quantile_s(0.99)
    print(f"alone: {len(alone.times_s)} answers, p50 {p50:.3f} s, p99 {p99:.3f} s; capacity {capacity:.2f} answers/s")
    wait_s = p50 * WAIT_SHARE
    with started("default", wait_s=wait_s) as server:
        asyncio.run(unloaded(server, bodies, 3.0))  # so that it knows its pace
        tally, after = asyncio.run(overloaded(server, bodies, factor * capacity, seconds))
    accepted = tally.quantile_s(0.99)
    print(f"{factor:g} times as much, limits.wait_s {wait_s:.3f}: {told(tally)}, lost {tally.lost}")
    print(
        f"accepted: {len(tally.times_s) / seconds:.2f} answers/s, p50 {tally.quantile_s(0.5):.3f} s, "
        f"p99 {accepted:.3f} s: {accepted / p99:.2f} times that of one alone"
    )
    recovered = next((at for at, status, _ in after if status == 200), float("inf"))
    late = [took for at, _, took in after if at >= 1.0]
    worst = max(late, default=float("inf"))
    print(f"after it: the first 200 was sent at {recovered:.2f} s; from 1 s on the slowest took {worst:.3f} s")
    only = set(tally.statuses) <= {200, 429} and not tally.lost
    return only and accepted <= 2 * p99 and recovered <= 1 and all(status == 200 for at, status, _ in after if at >= 1)


def told(tally: Tally) -> str:
    """How often each status came."""
    return ", ".join(f"{count} × {status}" for status, count in sorted(tally.statuses.items()))


async def figure(client: httpx.AsyncClient, name: str) -> float:
    """A figure of the server, over all models."""
    lines = (await client.get("/metrics")).text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.partition("{")[0].partition(" ")[0] == name)


def resident_bytes(process: int) -> int:
    """Memory that a process holds."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
