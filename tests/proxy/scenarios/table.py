"""The scenarios of rotation, one a row: what providers say and operators do, and what must come of it.

Words are those of `playing`: `ask("a:server_error*4 b:ok")` is a request that is tried four times with the key
`a`, each ending in a server error, and then answered with the key `b`. `Row` says what else a row may name; what it
does not name must not be there.
"""

from __future__ import annotations

from tests.proxy.scenarios import bounds, crowds, faults, limits, operators, quotas, scopes, staying

ROWS = [
    *staying.ROWS,
    *operators.ROWS,
    *limits.ROWS,
    *quotas.ROWS,
    *scopes.ROWS,
    *faults.ROWS,
    *crowds.ROWS,
    *bounds.ROWS,
]
