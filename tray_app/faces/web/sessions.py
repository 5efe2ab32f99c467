"""Who may use the web face: the admin token, or a browser that came with a one-time ticket."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable

COOKIE = "o_switcher_session"
TICKET_S = 30.0
MAX_SESSIONS = 64
MAX_COOKIES = 100  # that are looked at
IDLE_S = 24 * 3600.0  # a session that nobody has used for so long is over


class Sessions:
    """Tickets are good once and for 30 s; the session that a ticket becomes ends with the app, or a day after its use.

    `client_of` names the client of a local token's SHA-256, or None. `cookie` is what the session's cookie is called:
    browsers keep those of every port of a host together, so each port has a name of its own.
    """

    def __init__(
        self,
        admin_token: str,
        ticks: Callable[[], float],
        client_of: Callable[[bytes], str | None] = lambda digest: None,
        cookie: str = COOKIE,
    ) -> None:
        self.cookie = cookie
        self._client_of = client_of
        self._admin_token = admin_token.encode()
        self._ticks = ticks
        self._tickets: dict[str, float] = {}
        self._sessions: dict[str, float] = {}  # when each was used last

    def ticket(self) -> str:
        """A new one-time ticket."""
        now = self._ticks()
        self._tickets = {ticket: end for ticket, end in self._tickets.items() if end > now}
        ticket = secrets.token_urlsafe(24)
        self._tickets[ticket] = now + TICKET_S
        return ticket

    def redeem(self, ticket: str) -> str | None:
        """The session that `ticket` becomes, or None if it is spent, late or none."""
        end = self._tickets.pop(ticket, None)
        if end is None or end < self._ticks():
            return None
        session = secrets.token_urlsafe(32)
        living = [one for one in self._sessions if self.lives(one)][-MAX_SESSIONS + 1 :]
        self._sessions = {**{one: self._sessions[one] for one in living}, session: self._ticks()}
        return session

    def client(self, headers: list[tuple[bytes, bytes]]) -> str | None:
        """The client whose local token comes along, or None."""
        for name, value in headers:
            if name == b"authorization" and value[:7].lower() == b"bearer ":
                return self._client_of(hashlib.sha256(value[7:].strip()).digest())
            if name == b"x-api-key":
                return self._client_of(hashlib.sha256(value.strip()).digest())
        return None

    def has_token(self, headers: list[tuple[bytes, bytes]]) -> bool:
        """Whether the admin token comes along."""
        for name, value in headers:
            if name == b"authorization" and value[:7].lower() == b"bearer ":
                return hmac.compare_digest(value[7:].strip(), self._admin_token)
        return False

    def lives(self, session: str) -> bool:
        """Whether that session has neither been pushed out by newer ones nor been left for a day."""
        used = self._sessions.get(session)
        return used is not None and self._ticks() - used < IDLE_S

    def has_session(self, headers: list[tuple[bytes, bytes]]) -> bool:
        """Whether the cookie of a living session comes along."""
        return self.session(headers) is not None

    def session(self, headers: list[tuple[bytes, bytes]]) -> str | None:
        """The living session whose cookie comes along."""
        for name, value in headers:
            if name == b"cookie":
                return self._session_in(value.decode("latin-1"))
        return None

    def _session_in(self, cookies: str) -> str | None:
        """Other programs on this host set cookies too, of whatever shape, and of our name: any of those may be ours."""
        pairs = [part.strip().partition("=") for part in cookies.split(";", MAX_COOKIES)]
        for given in [value.strip('"').encode() for name, _, value in pairs if name == self.cookie]:
            for session in self._sessions:
                if hmac.compare_digest(given, session.encode()) and self.lives(session):
                    self._sessions[session] = self._ticks()
                    return session
        return None


def form_token(session: str) -> str:
    """What a form of that session's pages brings along, and no other page can know."""
    return hmac.new(session.encode(), b"form", "sha256").hexdigest()


def is_form_token(given: str, session: str) -> bool:
    """Whether a form is of that session's pages."""
    return hmac.compare_digest(given.encode(), form_token(session).encode())
