"""Quotas and wallets: how long they park, and what brings them back."""

from __future__ import annotations

from tests.proxy.playing import Row, ask, becomes, begin, behave, do, end, later, over, release, restart
from tests.proxy.scenarios.words import HELD, OK, OPENAI, switcher
from tests.rig import MODEL, Key

QUOTAS = [
    Row(
        name="a daily limit parks the key until midnight, across a restart, and not longer",
        keys={"a": '{times=1, do="key_limit", window="daily"}, {do="ok"}', "b": OK},
        acts=[
            ask("a:quota_exhausted b:ok"),
            restart(),
            becomes("a", "cooling"),
            later(43_000),
            ask("b:ok"),
            later(201),
            becomes("a", "ready"),
            later(60),
            restart(),
            ask("a:ok"),
        ],
        calls={"a": 2, "b": 2},
        moves=["a>b"],
        quota=["a exhausted key inferred Thu 26 Nov", "a reset key"],
        pitfalls=(13, 14),
    ),
    *(
        Row(
            name=f"a {window} limit of a key parks it until the {window} reset",
            keys={"a": f'{{do="key_limit", window="{window}"}}', "b": OK},
            acts=[ask("a:quota_exhausted b:ok"), ask("b:ok", stream=True)],
            calls={"a": 1, "b": 2},
            moves=["a>b"],
            quota=[f"a exhausted key inferred {until}"],
            phases={"a": "cooling"},
            pitfalls=(9, 11),
        )
        for window, until in [("weekly", "Mon 30 Nov"), ("monthly", "Tue 01 Dec"), ("total", "86400s")]
    ),
    Row(
        name="a rest that ended while the app was down is over at its start",
        keys={"a": '{times=1, do="rate_limit", retry_after=600}, {do="ok"}', "b": OK},
        acts=[ask("a:rate_limited b:ok"), restart(500), becomes("a", "cooling"), restart(101), ask("a:ok")],
        calls={"a": 2, "b": 1},
        moves=["a>b"],
        quota=["a cooldown key header 600s", "a reset key"],
        pitfalls=(13,),
    ),
    Row(
        name="an empty wallet is tried again after ten minutes, an hour, and at midnight",
        keys={"a": '{times=3, do="no_credit"}, {do="ok"}', "b": OK},
        settings=switcher("failback_after_s = 0"),
        acts=[
            ask("a:quota_exhausted b:ok"),
            later(590),
            ask("b:ok"),
            later(11),
            ask("a:quota_exhausted b:ok"),
            later(3_601),
            ask("a:quota_exhausted b:ok"),
            later(38_000),
            ask("b:ok"),
            later(1_000),
            ask("a:ok"),
        ],
        calls={"a": 4, "b": 5},
        moves=["a>b", "b>a", "a>b", "b>a", "a>b", "b>a"],
        quota=[
            "a exhausted account inferred 600s",
            "a reset account",
            "a exhausted account inferred 3600s",
            "a reset account",
            "a exhausted account inferred Thu 26 Nov",
            "a reset account",
        ],
        pitfalls=(9, 11, 14),
    ),
    Row(
        name="a wallet that was filled is used again as soon as the operator says so",
        keys={"a": '{times=1, do="no_credit"}, {do="ok"}', "b": OK},
        acts=[ask("a:quota_exhausted b:ok", of="s1"), do("retry-now", "a"), ask("a:ok", of="s2"), ask("b:ok", of="s1")],
        calls={"a": 2, "b": 2},
        moves=["a>b", "b>a"],
        quota=["a exhausted account inferred 600s", "a reset account", "a probe key unlimited"],
        operators=["retry-now a"],
        pitfalls=(9, 14),
    ),
    Row(
        name="a key whose cap was raised is taken back when the provider is asked",
        keys={"a": Key('{do="key_limit"}', more="limit = 5.0"), "b": OK},
        acts=[
            ask("a:quota_exhausted b:ok"),
            behave(a=Key(more="limit = 50.0\nusage = 5.0")),
            do("quota", "a"),
            becomes("a", "ready"),
            later(61),
            ask("a:ok"),
        ],
        calls={"a": 2, "b": 1},
        moves=["a>b", "b>a"],
        quota=["a exhausted key inferred Tue 01 Dec", "a probe key 45/50 usd", "a reset key"],
        pitfalls=(14,),
    ),
    Row(
        name="a key that has nothing left, as the provider says when it is asked, is not called to find out",
        keys={"a": Key(more="limit = 5.0\nusage = 5.0"), "b": OK},
        acts=[do("quota", "a"), becomes("a", "cooling"), ask("b:ok"), later(3_601), becomes("a", "ready")],
        calls={"b": 1},
        quota=["a warned key 0/5 usd", "a probe key 0/5 usd", "a exhausted key probe 3600s", "a reset key"],
        pitfalls=(11,),
    ),
    Row(
        name="of a quota is warned once at each share",
        keys={"a": Key(more="limit = 10.0\nusage = 8.5")},
        acts=[
            do("quota"),
            do("quota"),
            behave(a=Key(more="limit = 10.0\nusage = 9.6")),
            do("quota"),
        ],
        calls={},
        quota=[
            "a warned key 1.5/10 usd",
            "a probe key 1.5/10 usd",
            "a warned key 0.4/10 usd",
            "a probe key 0.4/10 usd",
        ],
    ),
    Row(
        name="a reserve is kept: a key is left before it is empty, and taken back when it has more again",
        keys={"a": Key(more='limit = 10.0\nusage = 9.5\nlimit_reset = "monthly"\ncost = 0.0'), "b": OK},
        settings="[quota]\nreserve_percent = 10\n",
        acts=[
            ask("a:ok", of="s1"),
            do("quota", "a"),
            ask("b:ok", of="s1"),
            ask("b:ok"),
            behave(a=Key(more="limit = 100.0\nusage = 9.5")),
            do("quota", "a"),
            becomes("a", "ready"),
        ],
        calls={"a": 1, "b": 2},
        moves=["a>b"],
        quota=[
            "a warned key 0.5/10 usd",
            "a probe key 0.5/10 usd",
            "a exhausted key probe Tue 01 Dec",
            "a probe key 90.5/100 usd",
            "a reset key",
        ],
    ),
    Row(
        name="a reserve is kept by what the headers of good answers say, for the model that they speak of",
        keys={
            "a": Key(
                '{do="ok", headers={"x-ratelimit-limit-requests"="1000", "x-ratelimit-remaining-requests"="50",'
                ' "x-ratelimit-reset-requests"="2h"}}',
                provider="groq",
            ),
            "b": Key(provider="groq"),
        },
        settings="[quota]\nreserve_percent = 10\n",
        acts=[
            ask("a:ok", of="s1", path="/groq/v1/chat/completions"),
            ask("b:ok", of="s1", path="/groq/v1/chat/completions"),
            ask("b:ok", path="/groq/v1/chat/completions"),
        ],
        calls={"a": 1, "b": 2},
        moves=["a>b"],
        quota=["a warned account_model 50/1000 requests", "a exhausted account_model header 7200s"],
        rests=[f"a account_model {MODEL}"],
    ),
]

MONEY = [
    Row(
        name="credit that is held by calls in flight passes: the call waits",
        keys={"a": '{times=1, do="in_flight", retry_after=0.6}, {do="ok"}'},
        acts=[ask("a:rate_limited a:ok"), over("a")],
        ticks=True,
        calls={"a": 2},
        quota=["a cooldown account header 0.6s", "a reset account"],
        waits=["a ~600"],
        pitfalls=(9,),
    ),
    Row(
        name="credit that is held by calls in flight, while calls are in flight: no rest, but a place after them",
        keys={"a": '{above=1, do="in_flight"}, ' + HELD},
        acts=[
            begin(ask("a:ok", of="s1"), calls={"a": 1}),
            begin(ask("a:rate_limited a:ok", of="s2"), calls={"a": 2}, queued=1),
            begin(ask("a:ok", of="s3"), calls={"a": 2}, queued=2),
            release(calls={"a": 3}, queued=1),
            release(calls={"a": 4}, queued=0),
            release(),
            end(),
        ],
        calls={"a": 4},
        waits=["a 5"],
        log={"admission.queued": 2},
        pitfalls=(9,),
    ),
    Row(
        name="a request too dear for what is left goes elsewhere alone: its conversation stays",
        keys={"a": '{times=1, do="ok"}, {times=1, do="cannot_afford"}, {do="ok"}', "b": OK},
        acts=[ask("a:ok", of="s1"), ask("a:quota_exhausted b:ok", of="s1"), ask("a:ok", of="s1")],
        calls={"a": 3, "b": 1},
        moves=["a>b alone"],
        pitfalls=(1, 9),
    ),
    Row(
        name="a request too dear for what is left goes elsewhere, and the profile goes on with others",
        keys={"a": '{times=1, do="cannot_afford"}, {do="ok"}', "b": OK},
        acts=[ask("a:quota_exhausted b:ok"), ask("a:ok"), ask("a:ok")],
        calls={"a": 3, "b": 1},
        moves=["a>b alone"],
        pitfalls=(9,),
    ),
    Row(
        name="a request too dear for everybody goes back with the provider's own words",
        keys={"a": '{do="cannot_afford"}', "b": '{do="cannot_afford", afford=3}'},
        acts=[ask("a:quota_exhausted b:quota_exhausted", 402, verbatim="b")],
        calls={"a": 1, "b": 1},
        moves=["a>b alone"],
        pitfalls=(9,),
    ),
    Row(
        name="too dear for the key's own cap: the cap is reached",
        keys={"a": '{do="cannot_afford", of="key"}', "b": OK},
        acts=[ask("a:quota_exhausted b:ok"), ask("b:ok")],
        calls={"a": 1, "b": 2},
        moves=["a>b"],
        quota=["a exhausted key inferred Tue 01 Dec"],
        phases={"a": "cooling"},
        pitfalls=(9,),
    ),
    Row(
        name="money in the dress of a success is money",
        keys={"a": '{do="error_in_200", code=402, message="Insufficient credits. Add more"}', "b": OK},
        acts=[ask("a:quota_exhausted b:ok"), ask("b:ok")],
        calls={"a": 1, "b": 2},
        moves=["a>b"],
        quota=["a exhausted account inferred 600s"],
        phases={"a": "cooling"},
        pitfalls=(7, 9),
    ),
    Row(
        name="money behind a 400 is money: Anthropic's low balance parks the account",
        keys={
            "a": Key(
                '{do="custom", status=400, body=\'\'\'{"type":"error","error":{"type":"invalid_request_error","message":'
                '"Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or '
                "purchase credits.\"}}'''}",
                provider="anthropic",
            ),
            "b": Key(provider="anthropic"),
        },
        acts=[ask("a:quota_exhausted b:ok", path="/anthropic/v1/messages", stream=True)],
        calls={"a": 1, "b": 1},
        moves=["a>b"],
        quota=["a exhausted account inferred 600s"],
        phases={"a": "cooling"},
        pitfalls=(7, 9),
    ),
    Row(
        name="money behind a 429 is money: OpenAI's insufficient_quota parks the account",
        keys={
            "a": Key(
                '{do="custom", status=429, body=\'\'\'{"error":{"message":"You exceeded your current quota, please check '
                'your plan and billing details.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}\'\'\'}',
                provider="openai",
                account="x",
            ),
            "b": Key(provider="openai", account="x"),
            "c": Key(provider="openai", account="y"),
        },
        acts=[ask("a:quota_exhausted c:ok", path=OPENAI)],
        calls={"a": 1, "c": 1},
        moves=["a>c"],
        quota=["a exhausted account inferred 600s", "b exhausted account inferred 600s"],
        phases={"a": "cooling", "b": "cooling"},
        pitfalls=(7, 9),
    ),
]


ROWS = [*QUOTAS, *MONEY]
