"""How faces reach the service over HTTP, from another process. Within the app: `thread_caller`."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from tray_app.control.verbs import Refused
from tray_app.host.home import LOCK_NAME
from tray_app.host.instance import Running, find_running, lives

TIMEOUT_S = 30.0
QUIET_S = 45.0  # live events come with a sign of life every 15 s


class NotRunning(Exception):
    """The app is not there to be asked."""


class HttpCaller:
    """Asks the running app. `connect` makes one."""

    def __init__(self, running: Running, actor: str = "cli") -> None:
        self.running = running
        self._actor = actor

    def ask(self, verb: str, **arguments: object) -> Any:
        """Have a verb carried out; its result as plain JSON values.

        Raises:
            Refused: the app would not do it.
            NotRunning: the app cannot be reached.
        """
        given = {name: value for name, value in arguments.items() if value is not None}
        return self._call("POST", f"/api/v1/verbs/{verb}", given)

    def get(self, path: str) -> Any:
        """What that address of the admin API shows."""
        return self._call("GET", path, None)

    def follow(self, after: str | None = None) -> Following:
        """The app's live events from now on, or from what came after the event with the id `after`.

        Raises:
            Refused: too many follow already.
            NotRunning: the app cannot be reached.
        """
        return Following(self, after)

    def alive(self) -> bool:
        """Whether our app answers at that address."""
        try:
            return bool(self._call("GET", "/healthz", None).get("app") == "o-switcher")
        except (NotRunning, Refused, AttributeError):
            return False

    def _call(self, method: str, path: str, body: Mapping[str, object] | None) -> Any:
        host = self.running.url.removeprefix("http://")
        connection = http.client.HTTPConnection(host, timeout=TIMEOUT_S)
        headers = {"authorization": f"Bearer {self.running.admin_token}", "x-o-switcher-actor": self._actor}
        payload = None
        if body is not None:
            payload = msgspec.json.encode(body)
            headers["content-type"] = "application/json"
        try:
            connection.request(method, path, payload, headers)
            response = connection.getresponse()
            return _understood(response.status, response.read())
        except (OSError, http.client.HTTPException) as error:
            raise NotRunning(f"O-Switcher does not answer at {self.running.url}") from error
        finally:
            connection.close()


class Following:
    """Live events as they come: `for event in caller.follow(): ...`. Ends with the app, or by `close`, from any thread.

    Each is a line of the decisions log, with its `id` besides: give the last one to `follow` to miss nothing.
    """

    def __init__(self, caller: HttpCaller, after: str | None) -> None:
        host = caller.running.url.removeprefix("http://")
        self._where = caller.running.url
        self._connection = http.client.HTTPConnection(host, timeout=QUIET_S)
        headers = {"authorization": f"Bearer {caller.running.admin_token}"}
        if after is not None:
            headers["last-event-id"] = after
        try:
            self._connection.request("GET", "/api/v1/events", headers=headers)
            self._socket = self._connection.sock
            self._response = self._connection.getresponse()
            if self._response.status != 200:
                _understood(self._response.status, self._response.read())
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise NotRunning(f"O-Switcher does not answer at {self._where}") from error
        except BaseException:
            self._connection.close()
            raise

    def __iter__(self) -> Iterator[dict[str, Any]]:
        try:
            fields: dict[bytes, bytes] = {}
            while line := self._response.readline():
                if line == b"\n":
                    if b"data" in fields:
                        yield {"id": fields.get(b"id", b"").decode(), **msgspec.json.decode(fields[b"data"])}
                    fields = {}
                elif not line.startswith(b":"):
                    name, _, value = line.rstrip(b"\n").partition(b": ")
                    fields[name] = value
        except (OSError, ValueError, http.client.HTTPException):
            return  # the app is gone, or nobody wants any more
        finally:
            self._response.close()
            self._connection.close()

    def close(self) -> None:
        """End it."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)


def _understood(status: int, data: bytes) -> Any:
    try:
        document = msgspec.json.decode(data) if data else None
    except msgspec.DecodeError as error:
        raise NotRunning("something else than O-Switcher answers at its address") from error
    if status >= 400:
        detail = document.get("detail", "refused") if isinstance(document, dict) else "refused"
        code = document.get("code", "conflict") if isinstance(document, dict) else "conflict"
        raise Refused(str(code), str(detail))
    return document


def connect(running_file: Path | None = None, actor: str = "api") -> HttpCaller:
    """A caller of this user's running app, for scripts and notebooks too.

    Raises:
        NotRunning: there is none.
    """
    if running_file is None:
        from tray_app.host.home import find_home

        running_file = find_home().running
    running = find_running(running_file)
    if running is None:
        raise NotRunning("O-Switcher is not running; start it with: o-switcher")
    if not lives(running_file.with_name(LOCK_NAME)):
        raise NotRunning("O-Switcher is not running any more; start it with: o-switcher")
    caller = HttpCaller(running, actor)
    if not caller.alive():
        raise NotRunning(f"O-Switcher does not answer at {running.url}; end process {running.pid} and start it again")
    return caller
