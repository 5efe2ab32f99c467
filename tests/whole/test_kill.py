"""Killed at any moment, the app loses the record of no answered request and leaves no row open."""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import httpx

from tests.rig import CHAT, MODEL, script_of
from tests.whole.processes import Served, prepared, serve
from tray_app.simulator.script import parse
from tray_app.simulator.thread import SimulatorThread

KILLS = 200
AT_ONCE = 2
CLIENTS = 4


class Clients:
    """Keep asking until told to stop; remember the ids of answers that came whole."""

    def __init__(self, url: str, token: str) -> None:
        self.answered: list[str] = []
        self._url, self._token = url, token
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(CLIENTS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def _ask(self, number: int) -> None:
        headers = {"authorization": f"Bearer {self._token}"}
        with httpx.Client(base_url=self._url, headers=headers, timeout=5, trust_env=False) as client:
            while not self._over.is_set():
                stream = number % 2 == 0
                body = {"model": MODEL, "stream": stream, "messages": [{"role": "user", "content": str(number)}]}
                with suppress(httpx.HTTPError):
                    answer = client.post(CHAT, json=body)
                    if answer.status_code == 200:
                        self.answered.append(answer.headers["x-o-switcher-request-id"])

    def stop(self) -> list[str]:
        self._over.set()
        for thread in self._threads:
            thread.join()
        return self.answered


def kill_at_a_random_moment(served: Served, token: str, chance: random.Random) -> list[str]:
    clients = Clients(served.url, token)
    clients.start()
    time.sleep(chance.uniform(0.0, 0.35))
    served.kill()
    return clients.stop()


def check(history: Path, answered: list[str]) -> None:
    """What the next start finds: every answered request with its attempts, nothing open, a sound file."""
    with closing(sqlite3.connect(f"file:{history}?mode=ro", uri=True)) as connection:
        for request_id in answered:
            row = connection.execute("SELECT outcome, attempts FROM request WHERE id = ?", (request_id,)).fetchone()
            assert row is not None and row[0] == "served", (request_id, row)
            calls = connection.execute(
                "SELECT count(*) FROM attempt WHERE request_id = ? AND ended_at IS NOT NULL", (request_id,)
            ).fetchone()
            assert calls[0] == row[1], (request_id, row, calls)


def check_sound(history: Path) -> None:
    with closing(sqlite3.connect(f"file:{history}?mode=ro", uri=True)) as connection:
        for table in ("request", "attempt"):
            assert connection.execute(f"SELECT count(*) FROM {table} WHERE ended_at IS NULL").fetchone() == (0,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def kill_again_and_again(folder: Path, seed: int, kills: int) -> int:
    chance = random.Random(seed)
    script = parse(script_of(a='{do="ok", chunks=4}', b='{do="ok"}'), "test")
    total = 0
    with SimulatorThread(script) as simulator:
        home, token = prepared(folder, simulator.url, ["a", "b"])
        answered: list[str] = []
        for _ in range(kills):
            served = serve(home)
            check(home.history, answered)
            check_sound(home.history)
            answered = kill_at_a_random_moment(served, token, chance)
            total += len(answered)
        served = serve(home)
        check(home.history, answered)
        check_sound(home.history)
        assert served.end() == 0
    return total


def test_two_hundred_kills_under_load_lose_nothing(tmp_path: Path) -> None:
    folders = [tmp_path / str(number) for number in range(AT_ONCE)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        totals = list(
            pool.map(lambda pair: kill_again_and_again(pair[1], pair[0], KILLS // AT_ONCE), enumerate(folders))
        )
    assert sum(totals) > KILLS  # there was a load
