"""No key ever leaves the vault: planted canaries are searched for in every byte that the app writes or says."""

from __future__ import annotations

import json
from pathlib import Path

import httpx

from tests.rig import CHAT, MODEL
from tests.whole.processes import command, environment, prepared, serve
from tray_app.simulator.script import parse
from tray_app.simulator.thread import SimulatorThread

CANARIES = {
    "openrouter": "sk-or-v1-ca11ab1eca11ab1eca11ab1eca11ab1eca11ab1eca11ab1eca11ab1ecafe0001",
    "openai": "sk-proj-CanaryCanaryCanaryCanaryCanaryCanary0002",
    "anthropic": "sk-ant-api03-CanaryCanaryCanaryCanaryCanary0003-AA",
    "google": "AIzaSyCanaryCanaryCanaryCanaryCanary0004",
    "groq": "gsk_CanaryCanaryCanaryCanaryCanaryCanaryCanary0005",
}
SCRIPT = f"""
models = ["{MODEL}"]
[[key]]
name = "canary"
key = "{CANARIES["openrouter"]}"
steps = [
  {{ times = 1, do = "ok" }},
  {{ times = 1, do = "custom", status = 400, body = "{{\\"error\\":{{\\"message\\":\\"bad key {CANARIES["openrouter"]} in Bearer {CANARIES["openai"]}\\"}}}}" }},
  {{ times = 1, do = "custom", status = 500, body = "trace: key={CANARIES["anthropic"]}" }},
  {{ times = 1, do = "unauthorized" }},
  {{ do = "ok" }},
]
"""


def test_no_key_is_in_any_sink(tmp_path: Path) -> None:
    said: list[str] = []
    with SimulatorThread(parse(SCRIPT, "canary")) as simulator:
        home, token = prepared(tmp_path, simulator.url, [])
        for provider, key in CANARIES.items():
            url = ("--base-url", simulator.url)
            done = command(tmp_path, "profiles", "add", provider, "--label", "canary", *url, stdin=key + "\n")
            assert done.returncode == 0, done.stderr
            said += [done.stdout, done.stderr]
        served = serve(home, env={"MISTRAL_API_KEY": "m1stralCanaryCanaryCanary0006xx"})
        headers = {"authorization": f"Bearer {token}"}
        with httpx.Client(base_url=served.url, headers=headers, timeout=20, trust_env=False) as client:
            for provider in ("openrouter", "openai", "groq"):
                for stream in (False, True):
                    body = {"model": MODEL, "stream": stream, "messages": [{"role": "user", "content": "x"}]}
                    answer = client.post(CHAT.replace("openrouter", provider), json=body)
                    if answer.status_code != 400:  # a client's own error goes back verbatim, whatever is in it
                        said += [answer.text, str(answer.headers)]
            wrong = client.post(CHAT, json={}, headers={"authorization": f"Bearer {CANARIES['google']}"})
            said += [wrong.text, str(wrong.headers)]
            ids = [row["id"] for row in served.caller().ask("history")]
            said += [json.dumps(served.caller().ask("inspect", request_id=one)) for one in ids]
        for words in (
            ("status",), ("status", "--json"), ("list",), ("list", "--json"), ("profiles", "list"), ("history",),
            ("history", "--json"), ("config", "show"), ("config", "check"), ("use", "nobody"), ("retry-now", "--all"),
            ("profiles", "add", "openrouter", "--label", "canary"), ("profiles", "rename", "groq-canary", "x"),
        ):  # fmt: skip
            done = command(tmp_path, *words, stdin=CANARIES["openrouter"])
            said += [done.stdout, done.stderr]
            assert "Traceback" not in done.stderr
        said.append(command(tmp_path, "profiles", "set", "groq-x", "--key", stdin=CANARIES["groq"]).stdout)
        process = Path(f"/proc/{served.process.pid}")
        said.append((process / "cmdline").read_bytes().decode())
        said += [log_of(simulator)]
        assert served.process.stderr is not None
        assert served.process.poll() is None
        served.process.terminate()
        out, err = served.process.communicate(timeout=15)
        said += [out, err]
    everything = "\n".join(said)
    for key in (*CANARIES.values(), "m1stralCanaryCanaryCanary0006xx"):
        assert key not in everything
        assert key[:-4] not in everything
    for path in tmp_path.rglob("*"):
        if path.is_file() and path != home.keys:
            data = path.read_bytes()
            for key in CANARIES.values():
                assert key.encode() not in data, path
    assert home.keys.stat().st_mode & 0o777 == 0o600
    assert not any(key in value for key in CANARIES.values() for value in environment(tmp_path).values())
    assert home.history.exists()


def log_of(simulator: SimulatorThread) -> str:
    return "\n".join(repr(seen) for seen in simulator.calls)
