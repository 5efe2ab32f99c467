"""Whose process is at the other end of a connection over the loopback: the system knows, and nobody can pretend."""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys

Address = tuple[str, int]

_SOCK_DIAG, _BY_FAMILY, _ERROR, _REQUEST = 4, 20, 2, 1  # linux/netlink.h, linux/sock_diag.h
_HEADER = struct.Struct("=IHHII")
_QUESTION = struct.Struct("=BBBxI")
_PORTS = struct.Struct("!HH")
_ANSWER = struct.Struct("=II")  # uid and inode, of inet_diag_msg
_ANSWER_AT = _HEADER.size + 4 + 48 + 12
_ANY_STATE, _NO_COOKIE = 0xFFFFFFFF, b"\xff" * 8
_PATIENCE_S = 1.0
_ROOT = 0


def is_foreign(client: Address, server: Address) -> bool:
    """Whether another user of this machine is at the `client` end of a connection to `server`, which is ours.

    Root counts as everybody. False where it cannot be told: beyond Linux, and for connections from elsewhere.
    """
    if sys.platform != "linux" or not _is_loopback(client[0]):
        return False
    try:
        owner = _owner(client, server)
    except OSError as error:
        # whoever has hung up after asking is nobody's any more
        return error.errno in (errno.ENOENT, errno.ESTALE)
    return owner not in (os.geteuid(), _ROOT)


def _is_loopback(host: str) -> bool:
    return host == "::1" or host.startswith("127.") or host.startswith("::ffff:127.")


def _owner(client: Address, server: Address) -> int | None:
    """The user whose socket is at `client`; None for one that its process has closed.

    Raises:
        OSError: ENOENT if there is no such socket; anything else if the system does not say.
    """
    family = socket.AF_INET6 if ":" in client[0] else socket.AF_INET
    ends = _PORTS.pack(client[1], server[1]) + _packed(family, client[0]) + _packed(family, server[0])
    question = _QUESTION.pack(family, socket.IPPROTO_TCP, 0, _ANY_STATE) + ends + struct.pack("=I", 0) + _NO_COOKIE
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _SOCK_DIAG) as asking:
        asking.settimeout(_PATIENCE_S)
        asking.send(_HEADER.pack(_HEADER.size + len(question), _BY_FAMILY, _REQUEST, 1, 0) + question)
        answer = asking.recv(4096)
    kind = _HEADER.unpack_from(answer)[1]
    if kind == _ERROR:
        code = -struct.unpack_from("=i", answer, _HEADER.size)[0]
        raise OSError(code, os.strerror(code))
    uid, inode = _ANSWER.unpack_from(answer, _ANSWER_AT)
    return int(uid) if inode else None


def _packed(family: int, host: str) -> bytes:
    return socket.inet_pton(family, host.partition("%")[0]).ljust(16, b"\0")
