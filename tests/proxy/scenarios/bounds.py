"""What settings bound and direct: budgets, targets, routes; and clocks that are set."""

from __future__ import annotations

from tests.proxy.playing import Row, ask, becomes, begin, do, end, later, release, restart, settings
from tests.proxy.scenarios.words import (
    BROKEN,
    EMBEDDINGS,
    LIMITED,
    OK,
    SILENT,
    SPENT,
    asked_for,
    bodies,
    notices,
    sha,
    switcher,
)
from tests.rig import Key

BUDGETS = [
    Row(
        name="max_attempts caps the sum of calls",
        keys={"a": BROKEN, "b": BROKEN, "c": BROKEN},
        settings=switcher("max_attempts = 6"),
        acts=[ask("a:server_error*4 b:server_error*2", 502, why="broken")],
        calls={"a": 4, "b": 2},
        moves=["a>b"],
        waits=["a 5", "a 10", "a 20", "b 5"],
        pitfalls=(25,),
    ),
    Row(
        name="two changes of profile a request; what it could not reach, the next one does",
        keys={"a": SPENT, "b": SPENT, "c": SPENT, "d": OK},
        acts=[ask("a:quota_exhausted b:quota_exhausted c:quota_exhausted", 429, retry_after=1), ask("d:ok")],
        calls={"a": 1, "b": 1, "c": 1, "d": 1},
        moves=["a>b", "b>c", "c>d"],
        quota=[f"{name} exhausted account inferred 600s" for name in "abc"],
        phases=dict.fromkeys("abc", "cooling"),
        pitfalls=(25,),
    ),
    Row(
        name="failover_budget = 0: a request stays on its profile",
        keys={"a": SPENT, "b": OK},
        settings=switcher("failover_budget = 0"),
        acts=[ask("a:quota_exhausted", 429, why="limited", retry_after=1), ask("b:ok")],
        calls={"a": 1, "b": 1},
        moves=["a>b"],
        quota=["a exhausted account inferred 600s"],
        phases={"a": "cooling"},
        pitfalls=(25,),
    ),
    Row(
        name="failover_budget = all: every profile once, and then the truth of each",
        keys={"a": SPENT, "b": '{do="unauthorized"}', "c": '{do="rate_limit", retry_after=20}', "d": SPENT},
        settings=switcher('failover_budget = "all"'),
        acts=[
            ask(
                "a:quota_exhausted b:auth c:rate_limited d:quota_exhausted",
                429,
                why="limited",
                retry_after=20,
                profiles=["a cooling 600s", "b needs re-authentication", "c cooling 20s", "d cooling 600s"],
            )
        ],
        calls={"a": 1, "b": 1, "c": 1, "d": 1},
        moves=["a>b", "b>c", "c>d"],
        quota=[
            "a exhausted account inferred 600s",
            "b reauth",
            "c cooldown key header 20s",
            "d exhausted account inferred 600s",
        ],
        phases={"a": "cooling", "b": "needs re-authentication", "c": "cooling", "d": "cooling"},
    ),
    Row(
        name="a target's own budgets: no retry on it, no change away from it",
        keys={"a": BROKEN, "b": OK},
        settings='[[targets]]\nprofile = "openrouter-a"\nretry_budget = 0\nfailover_budget = 0\n',
        acts=[ask("a:server_error", 502, why="broken")],
        calls={"a": 1},
        pitfalls=(25,),
    ),
    Row(
        name="a target of all profiles of a provider",
        keys={"a": BROKEN, "b": BROKEN, "c": OK},
        settings='[[targets]]\nprovider_id = "openrouter"\nretry_budget = 1\n',
        acts=[ask("a:server_error*2 b:server_error*2 c:ok")],
        calls={"a": 2, "b": 2, "c": 1},
        moves=["a>b", "b>c"],
        waits=["a 5", "b 5"],
    ),
    Row(
        name="silence may have to be paid for: one more call, elsewhere",
        keys={"a": SILENT, "b": OK},
        settings="[timeouts]\nfirst_byte = 0.3\ntotal_non_stream = 0.3\n",
        acts=[ask("a:timeout b:ok"), ask("b:ok")],
        calls={"a": 1, "b": 2},
        moves=["a>b"],
        pitfalls=(25,),
    ),
    Row(
        name="two calls that may have to be paid for are the most, whoever is left",
        keys={"a": SILENT, "b": '{do="reset"}', "c": OK},
        settings="[timeouts]\nfirst_byte = 0.3\ntotal_non_stream = 0.3\n",
        acts=[ask("a:timeout b:network", 502, why="broken", stream=True)],
        calls={"a": 1, "b": 1},
        moves=["a>b"],
        pitfalls=(25,),
    ),
    Row(
        name="a connection that broke off on a single profile is tried once more",
        keys={"a": '{times=2, do="close"}, {do="ok"}'},
        acts=[ask("a:network*2", 502, why="broken"), ask("a:ok")],
        calls={"a": 3},
        waits=["a 5"],
        pitfalls=(25,),
    ),
]

TARGETS = [
    Row(
        name="a target that settings switch off is never called, until they switch it on",
        keys={"a": OK, "b": OK},
        settings='[[targets]]\nprofile = "openrouter-a"\nenabled = false\n',
        acts=[
            ask("b:ok", of="s1"),
            becomes("a", "disabled"),
            settings('[[targets]]\nprofile = "openrouter-a"\noperator_priority = 1\n'),
            ask("b:ok", of="s1"),
            ask("a:ok", of="s2"),
        ],
        calls={"a": 1, "b": 2},
        moves=["b>a"],
        log={"config.reload": 1},
    ),
    Row(
        name="settings with a fault change nothing",
        keys={"a": OK, "b": OK},
        settings=switcher("retry = 1"),
        acts=[
            settings('[[targets]]\nprofile = "openrouter-a"\nenabled = "no"\n'),
            ask("a:ok"),
            notices("targets.0.enabled"),
        ],
        calls={"a": 1},
        log={"config.reload": 1},
    ),
    Row(
        name="operator_priority: the most wanted is first, whatever the order",
        keys={"a": OK, "b": OK, "c": OK},
        settings='[[targets]]\nprofile = "openrouter-c"\noperator_priority = 10\n'
        '[[targets]]\nprofile = "openrouter-a"\noperator_priority = -1\n',
        acts=[ask("c:ok"), do("pause", "c"), ask("b:ok"), do("pause", "b"), ask("a:ok")],
        calls={"a": 1, "b": 1, "c": 1},
        moves=["c>b by hand", "b>a by hand"],
        operators=["pause c", "pause b"],
        phases={"b": "paused", "c": "paused"},
    ),
    Row(
        name="a call with tags is served by profiles that have them all",
        keys={"a": OK, "b": Key(tags=("work",)), "c": Key(tags=("work",))},
        settings='[[targets]]\nprofile = "openrouter-c"\npolicy_tags = ["eu"]\n',
        acts=[
            ask("a:ok", of="s1"),
            ask("b:ok", of="s2", tags="work"),
            ask("c:ok", of="s3", tags="eu, work"),
            ask("", 503, why="no_match", tags="us"),
            ask("a:ok", of="s4"),
        ],
        calls={"a": 2, "b": 1, "c": 1},
    ),
    Row(
        name="a target does what its capabilities say",
        keys={"a": OK, "b": OK},
        settings='[[targets]]\nprofile = "openrouter-a"\n'
        '[[targets]]\nprofile = "openrouter-b"\ncapabilities = ["embeddings"]\n',
        acts=[ask("a:ok"), ask("b:ok", path=EMBEDDINGS), ask("a:ok"), ask("b:ok", path=EMBEDDINGS)],
        calls={"a": 2, "b": 2},
    ),
]

SONNET = '[[routes]]\nmodel = "sonnet"\ntargets = ["openrouter:anthropic/claude-sonnet-4.5", "openai:claude-4.5"]\n'
ASKED = (
    b'{ "messages": [{"role":"user","content":"say \\"model\\":\\"sonnet\\" twice"}],'
    b' "metadata": {"model":"sonnet"},\n "model" : "sonnet","x":1.0 }'
)


def spelled(model: str) -> bytes:
    """`ASKED` with another model's name, and every other byte as it was."""
    return ASKED.replace(b'"model" : "sonnet"', f'"model" : "{model}"'.encode())


ROUTES = [
    Row(
        name="a route goes to the next provider when the first is out; only the model changes in the body",
        keys={"a": SPENT, "b": Key(provider="openai")},
        settings=SONNET,
        acts=[
            ask("a:quota_exhausted b:ok", path="/v1/chat/completions", body=ASKED),
            ask("b:ok", path="/v1/chat/completions", body=ASKED),
        ],
        calls={"a": 1, "b": 2},
        moves=["a>b"],
        quota=["a exhausted account inferred 600s"],
        phases={"a": "cooling"},
        also=bodies(
            sha(spelled("anthropic/claude-sonnet-4.5")), sha(spelled("claude-4.5")), sha(spelled("claude-4.5"))
        ),
        pitfalls=(5,),
    ),
    Row(
        name="a route passes over a provider that does not speak the client's protocol",
        keys={"a": Key(provider="openai"), "b": Key(provider="anthropic")},
        settings='[[routes]]\nmodel = "sonnet"\ntargets = ["openai:x", "anthropic:claude-sonnet-4-5"]\n',
        acts=[
            ask("b:ok", path="/v1/messages", model="sonnet"),
            ask("a:ok", path="/v1/chat/completions", model="sonnet"),
            ask("b:ok", path="/v1/messages", model="sonnet", stream=True),
        ],
        calls={"a": 1, "b": 2},
        also=asked_for("claude-sonnet-4-5", "x", "claude-sonnet-4-5"),
    ),
    Row(
        name="a herd whose route's first provider runs out: one switch, and the next is not stormed, though it is in use",
        keys={
            "a": '{do="no_credit", held=true}',
            "b": Key('{times=1, do="ok"}, {times=1, do="ok", held=true}, {do="ok"}', provider="openai"),
        },
        settings=SONNET,
        acts=[
            ask("b:ok", path="/openai/v1/chat/completions"),
            *[
                begin(
                    ask("a:quota_exhausted b:ok", path="/v1/chat/completions", body=ASKED),
                    calls={"a": number + 1, "b": 1},
                )
                for number in range(5)
            ],
            release(calls={"a": 5, "b": 2}, queued=4),
            release(),
            end(),
        ],
        calls={"a": 5, "b": 6},
        moves=["a>b"],
        quota=["a exhausted account inferred 600s"],
        phases={"a": "cooling"},
        log={"admission.queued": 4},
        pitfalls=(3,),
    ),
    Row(
        name="a limit of one way's model leaves the other way's alone",
        keys={"a": '{do="rate_limit", of="model", retry_after=30}', "b": Key(provider="openai")},
        settings=SONNET,
        acts=[
            ask("a:rate_limited b:ok", path="/v1/chat/completions", model="sonnet", of="s1"),
            ask("b:ok", path="/v1/chat/completions", model="sonnet", of="s2"),
        ],
        calls={"a": 1, "b": 2},
        moves=["a>b"],
        quota=["a cooldown model header 30s"],
        rests=["a model anthropic/claude-sonnet-4.5"],
    ),
    Row(
        name="a route: a conversation stays with the provider where it is, new ones begin with the first",
        keys={"a": LIMITED, "b": Key(provider="openai")},
        settings=SONNET,
        acts=[
            ask("a:rate_limited b:ok", path="/v1/chat/completions", model="sonnet", of="s1"),
            later(91),
            ask("b:ok", path="/v1/chat/completions", model="sonnet", of="s1"),
            ask("a:ok", path="/v1/chat/completions", model="sonnet", of="s2"),
        ],
        calls={"a": 2, "b": 2},
        moves=["a>b"],
        quota=["a cooldown key header 30s", "a reset key"],
        pitfalls=(1,),
    ),
    Row(
        name="without a route the default pool takes the call, and the body is not touched",
        keys={"a": OK, "b": Key(provider="openai")},
        settings=SONNET,
        acts=[ask("a:ok", path="/v1/chat/completions", body=(other := ASKED.replace(b"sonnet", b"opus")))],
        calls={"a": 1},
        also=bodies(sha(other)),
        pitfalls=(5,),
    ),
]

CLOCKS = [
    Row(
        name="a clock set back by hours makes no rest longer",
        keys={"a": '{do="rate_limit", retry_after=600}', "b": OK},
        acts=[
            ask("a:rate_limited b:ok"),
            later(-7_200),
            ask("b:ok"),
            do("pin", "a", strict=True),
            ask("", 429, why="limited", retry_after=60, profiles=["a cooling 600s", "b ready"]),
            restart(),
            ask("", 429, why="limited", retry_after=60, profiles=["a cooling 600s", "b ready"]),
            later(601),
            becomes("a", "ready"),
        ],
        calls={"a": 1, "b": 2},
        moves=["a>b", "b>a by hand"],
        quota=["a cooldown key header 600s", "a cooldown key header 600s", "a reset key"],
        operators=["pin a"],
        pitfalls=(13,),
    ),
    Row(
        name="a clock set back makes no pin and no open circuit longer",
        keys={"a": '{times=1, do="server_error"}, {do="ok"}', "b": OK},
        settings=switcher("retry = 0\ncircuit_breaker.failure_threshold = 1"),
        acts=[
            do("pin", "b", for_s=60),
            do("pause", "b"),
            ask("a:server_error", 502),
            do("resume", "b"),
            later(-3_600),
            becomes("a", "circuit open"),
            later(31),
            becomes("a", "probing"),
            ask("b:ok"),
            later(30),
            becomes("b", "ready"),
        ],
        calls={"a": 1, "b": 1},
        moves=["a>b by hand", "b>a by hand", "a>b"],
        operators=["pin b", "pause b", "resume b", "unpin b by app"],
        phases={"a": "probing"},
        log={"circuit.change": 1},
        pitfalls=(13,),
    ),
    Row(
        name="a machine that slept through a rest finds it over",
        keys={"a": '{times=1, do="rate_limit", retry_after=600}, {do="ok"}'},
        acts=[ask("a:rate_limited", 429, retry_after=60), later(8 * 3_600), ask("a:ok")],
        calls={"a": 2},
        quota=["a cooldown key header 600s", "a reset key"],
        pitfalls=(13,),
    ),
]


ROWS = [*BUDGETS, *TARGETS, *ROUTES, *CLOCKS]
