"""Errors that are no limits: the client's own, refused keys, missing models, broken servers, dead lines."""

from __future__ import annotations

from tests.proxy.playing import Row, ask, becomes, begin, do, end, later, leave, release, restart, revive
from tests.proxy.scenarios.words import BROKEN, OK, OTHER, bodies, is_offline, sha, switcher
from tests.rig import Key

CLIENT_ERRORS = [
    *(
        Row(
            name=f"{what} goes back as it came and touches nobody",
            keys={"a": f"{{{fault}}}", "b": OK},
            acts=[
                ask(f"a:{error_class}", status, of="s1", verbatim="a"),
                ask(f"a:{error_class}", status, of="s1", stream=True, verbatim="a"),
            ],
            calls={"a": 2},
            pitfalls=pitfalls,
        )
        for what, fault, status, error_class, pitfalls in [
            ("a bad request", 'do="bad_request"', 400, "bad_request", (7,)),
            ("a body too large", 'do="custom", status=413, body="too large"', 413, "bad_request", (7,)),
            ("what cannot be processed", 'do="custom", status=422, body="{\\"detail\\":[]}"', 422, "bad_request", (7,)),
            ("a prompt too long for the model", 'do="context_length"', 400, "context_length", (7,)),
            ("what the content policy refuses", 'do="forbidden"', 403, "content_filter", (7,)),
            (
                "a thinking block that another issuer signed",
                'do="bad_request", message="messages.1.content.0: Invalid `signature` in `thinking` block"',
                400,
                "bad_request",
                (4,),
            ),
            (
                "a bad request that quotes words about money",
                'do="bad_request", message="Invalid value: \'you exceeded your current quota\'"',
                400,
                "bad_request",
                (7,),
            ),
        ]
    ),
    Row(
        name="thinking stays with its issuer: a conversation is never moved for its own sake",
        keys={"a": OK, "b": Key(priority=5)},
        settings=switcher('strategy = "round_robin"'),
        acts=[ask("b:ok", of="s1"), ask("a:ok", of="s2"), *[ask("b:ok", of="s1")] * 3],
        calls={"a": 1, "b": 4},
        pitfalls=(1, 4),
    ),
    Row(
        name="bodies reach the provider byte for byte, tool calls with their ids among them",
        keys={"a": BROKEN, "b": OK},
        settings=switcher("retry = 0"),
        acts=[
            ask(
                "a:server_error b:ok",
                body=(
                    tools
                    := b'{"model":"m", "x":1.0e3,"messages":[{"role":"assistant","tool_calls":[{"id":"call_\\u00e9 1",'
                    b'"type":"function","function":{"name":"f","arguments":"{\\"a\\":1.50}"}}]},'
                    b'{"role":"tool","tool_call_id":"call_\\u00e9 1","content":""}]}\n'
                ),
            )
        ],
        calls={"a": 1, "b": 1},
        moves=["a>b"],
        also=bodies(sha(tools), sha(tools)),
        pitfalls=(5, 6),
    ),
]

KEYS = [
    Row(
        name="a refused key is marked, the request goes on elsewhere, and a restart does not forget it",
        keys={"a": '{times=1, do="unauthorized"}, {do="ok"}', "b": OK},
        acts=[
            ask("a:auth b:ok"),
            ask("b:ok"),
            restart(),
            ask("b:ok"),
            becomes("a", "needs re-authentication"),
            do("retry-now", "a"),
            ask("a:ok"),
        ],
        calls={"a": 2, "b": 3},
        moves=["a>b", "b>a"],
        quota=["a reauth", "a reset key", "a probe key unlimited"],
        operators=["retry-now a"],
    ),
    Row(
        name="on_auth_error = stop: the client gets the 401, and the next request another profile",
        keys={"a": '{do="unauthorized"}', "b": OK},
        settings=switcher('on_auth_error = "stop"'),
        acts=[ask("a:auth", 401, verbatim="a"), ask("b:ok")],
        calls={"a": 1, "b": 1},
        moves=["a>b"],
        quota=["a reauth"],
        phases={"a": "needs re-authentication"},
    ),
    Row(
        name="where every key is refused, the client is told so, and not to try again",
        keys={"a": '{do="unauthorized"}', "b": '{do="unauthorized"}'},
        acts=[
            ask("a:auth b:auth", 403, why="reauth"),
            ask("", 403, why="reauth", profiles=["a needs re-authentication", "b needs re-authentication"]),
        ],
        calls={"a": 1, "b": 1},
        moves=["a>b"],
        quota=["a reauth", "b reauth"],
        phases={"a": "needs re-authentication", "b": "needs re-authentication"},
    ),
    Row(
        name="a model that one profile lacks: the next has it, and nobody is to blame",
        keys={"a": f'{{model="{OTHER}", do="model_not_found"}}, {{do="ok"}}', "b": OK},
        acts=[
            ask("a:ok", of="s1"),
            ask("a:model_unavailable b:ok", of="s2", model=OTHER),
            ask("a:ok", of="s3"),
            ask("b:ok", of="s2", model=OTHER),
        ],
        calls={"a": 3, "b": 2},
        moves=["a>b"],
    ),
    Row(
        name="a model that nobody has: the provider's own words",
        keys={"a": '{do="model_not_found"}', "b": '{do="model_not_found", availability=true}'},
        acts=[ask("a:model_unavailable b:model_unavailable", 404, verbatim="b")],
        calls={"a": 1, "b": 1},
        moves=["a>b"],
    ),
]

BROKEN_ONES = [
    Row(
        name="a server's error is tried again with a growing backoff, then elsewhere",
        keys={"a": BROKEN, "b": OK},
        acts=[ask("a:server_error*4 b:ok"), ask("b:ok")],
        calls={"a": 4, "b": 2},
        moves=["a>b"],
        waits=["a 5", "a 10", "a 20"],
    ),
    Row(
        name="backoff without jitter, up to its greatest",
        keys={"a": BROKEN},
        settings='[switcher]\nretry = 4\n[switcher.circuit_breaker]\nfailure_threshold = 9\n[[targets]]\nprofile = "openrouter-a"\nbackoff = {base_ms = 10, max_ms = 40, jitter = "none"}\n',
        acts=[ask("a:server_error*5", 502, why="broken")],
        calls={"a": 5},
        waits=["a 10", "a 20", "a 40", "a 40"],
    ),
    Row(
        name="an overload that says when to come back: a short wait is waited as stated",
        keys={"a": '{times=1, do="overloaded", retry_after=0.6}, {do="ok"}', "b": OK},
        acts=[ask("a:overloaded a:ok")],
        calls={"a": 2},
        waits=["a 600"],
    ),
    Row(
        name="an overload that says when to come back: a long wait is left to others",
        keys={"a": '{do="overloaded", status=529, retry_after=20}', "b": OK},
        acts=[ask("a:overloaded b:ok"), ask("b:ok")],
        calls={"a": 1, "b": 2},
        moves=["a>b"],
        pitfalls=(16,),
    ),
    Row(
        name="a server that recovers is not left",
        keys={"a": '{times=2, do="bad_gateway_html"}, {do="ok"}', "b": OK},
        acts=[ask("a:server_error*2 a:ok"), ask("a:ok")],
        calls={"a": 4},
        waits=["a 5", "a 10"],
    ),
    Row(
        name="failures are not counted for life: an answer begins the count anew",
        keys={"a": '{times=4, do="server_error"}, {times=1, do="ok"}, {times=4, do="server_error"}, {do="ok"}'},
        settings=switcher("retry = 4\ncircuit_breaker.sliding_window_size = 20"),
        acts=[ask("a:server_error*4 a:ok"), ask("a:server_error*4 a:ok")],
        calls={"a": 10},
        waits=["a 5", "a 10", "a 20", "a 20"] * 2,
        pitfalls=(15,),
    ),
    Row(
        name="five failures in a row open the circuit, a probe half-opens it, two answers close it",
        keys={"a": '{times=5, do="server_error"}, {do="ok"}'},
        settings=switcher("retry = 0"),
        acts=[
            *[ask("a:server_error", 502, why="broken")] * 5,
            becomes("a", "circuit open"),
            ask("", 502, why="broken", profiles=["a circuit open"]),
            later(31),
            becomes("a", "probing"),
            ask("a:ok"),
            becomes("a", "probing"),
            ask("a:ok"),
        ],
        calls={"a": 7},
        log={"circuit.change": 2},
        pitfalls=(15,),
    ),
    Row(
        name="half of the last ten calls open the circuit as well",
        keys={
            "a": '{times=1, do="server_error"}, {times=1, do="ok"}, ' * 4 + '{times=1, do="ok"}, {do="server_error"}'
        },
        settings=switcher("retry = 0"),
        acts=[
            *[ask("a:server_error", 502), ask("a:ok")] * 4,
            ask("a:ok"),
            becomes("a", "ready"),
            ask("a:server_error", 502),
        ],
        calls={"a": 10},
        phases={"a": "circuit open"},
        log={"circuit.change": 1},
    ),
    Row(
        name="a probe that fails opens the circuit anew, for as long",
        keys={"a": BROKEN},
        settings=switcher("retry = 0\ncircuit_breaker.failure_threshold = 2"),
        acts=[
            *[ask("a:server_error", 502)] * 2,
            later(31),
            ask("a:server_error", 502),
            later(29),
            ask("", 502, why="broken"),
            later(2),
            ask("a:server_error", 502),
        ],
        calls={"a": 4},
        phases={"a": "circuit open"},
        log={"circuit.change": 3},
    ),
    Row(
        name="while the circuit is half open, one call at a time finds out",
        keys={"a": '{times=1, do="server_error"}, {times=1, do="ok", held=true}, {do="ok"}'},
        settings=switcher("retry = 0\ncircuit_breaker.failure_threshold = 1"),
        acts=[
            ask("a:server_error", 502),
            later(31),
            begin(ask("a:ok"), calls={"a": 2}, queued=0),
            begin(ask("a:ok"), calls={"a": 2}, queued=1),
            release(),
            end(),
        ],
        calls={"a": 3},
        log={"circuit.change": 2, "admission.queued": 1},
        pitfalls=(19,),
    ),
    Row(
        name="a probe that the client gives up takes no permit along",
        keys={"a": f'{{times=1, do="server_error"}}, {{times=2, do="hang", when="before_head"}}, {OK}'},
        settings=switcher("retry = 0\ncircuit_breaker.failure_threshold = 1"),
        acts=[
            ask("a:server_error", 502),
            later(31),
            leave(ask("a:client_cancelled"), calls={"a": 2}),
            leave(ask("a:client_cancelled"), calls={"a": 3}),
            becomes("a", "probing"),
            ask("a:ok"),
            ask("a:ok"),
        ],
        calls={"a": 5},
        log={"circuit.change": 2},
        pitfalls=(19, 24),
    ),
    Row(
        name="a profile whose circuit had opened takes over again, once it may be tried and has been left for a while",
        keys={"a": '{times=5, do="server_error"}, {do="ok"}', "b": OK},
        settings=switcher("retry = 4"),
        acts=[
            ask("a:server_error*5 b:ok", of="s1"),
            later(95),
            ask("a:ok", of="s2"),
            ask("a:ok", of="s3"),
            ask("b:ok", of="s1"),
        ],
        calls={"a": 7, "b": 2},
        moves=["a>b", "b>a"],
        waits=["a 5", "a 10", "a 20", "a 20"],
        log={"circuit.change": 2},
        pitfalls=(18,),
    ),
    Row(
        name="a target may have a circuit of its own",
        keys={"a": BROKEN, "b": OK},
        settings='[[targets]]\nprofile = "openrouter-a"\nretry_budget = 0\ncircuit_breaker = {failure_threshold = 1}\n',
        acts=[ask("a:server_error b:ok")],
        calls={"a": 1, "b": 1},
        moves=["a>b"],
        phases={"a": "circuit open"},
        log={"circuit.change": 1},
    ),
    Row(
        name="retry-now closes a circuit at once",
        keys={"a": '{times=1, do="server_error"}, {do="ok"}'},
        settings=switcher("retry = 0\ncircuit_breaker.failure_threshold = 1"),
        acts=[ask("a:server_error", 502), ask("", 502, why="broken"), do("retry-now", "a"), ask("a:ok")],
        calls={"a": 2},
        quota=["a probe key unlimited"],
        operators=["retry-now a"],
        log={"circuit.change": 1},
    ),
]

OFFLINE = [
    Row(
        name="nobody can be reached: this machine is offline, nobody is benched, and the first answer ends it",
        keys={"a": Key(there=False), "b": Key(there=False)},
        acts=[
            *[ask("a:network*2", 503, why="offline", retry_after=5, outcome="failed")] * 3,
            is_offline(True),
            becomes("a", "ready"),
            revive(),
            ask("a:ok"),
            is_offline(False),
        ],
        calls={"a": 1},
        waits=["a 5"] * 3,
    ),
    Row(
        name="one address is dead: the request goes on at another, and it is not this machine",
        keys={"a": Key(there=False), "b": OK},
        acts=[ask("a:network*2 b:ok"), ask("b:ok"), is_offline(False)],
        calls={"b": 2},
        moves=["a>b"],
        waits=["a 5"],
    ),
    Row(
        name="a dead line that one profile has shown is not tried with the next",
        keys={"a": Key(there=False), "b": Key(there=False), "c": OK},
        acts=[ask("a:network*2 c:ok")],
        calls={"c": 1},
        moves=["a>c"],
        waits=["a 5"],
    ),
]


ROWS = [*CLIENT_ERRORS, *KEYS, *BROKEN_ONES, *OFFLINE]
