"""What OpenRouter says before a key's script has any part in it: who are you, and what do you want?"""

from __future__ import annotations

from .values import Fault


def no_credentials() -> Fault:
    return Fault(401, "No auth credentials found", "authentication")


def unknown_key() -> Fault:
    return Fault(401, "User not found.", "authentication")


def not_management() -> Fault:
    return Fault(403, "Only management keys can perform this operation", "permission_denied")


def no_such_path() -> Fault:
    return Fault(404, "Not Found", "not_found")


def wrong_method(allowed: str) -> Fault:
    return Fault(405, "Method Not Allowed", "invalid_request", headers=((b"allow", allowed.encode()),))


def too_large() -> Fault:
    return Fault(413, "Request payload too large", "payload_too_large")


def invalid(message: str) -> Fault:
    """The request itself is at fault: what a client sent cannot be read."""
    return Fault(400, message, "invalid_request")


def elsewhere() -> Fault:
    """The control paths are for this machine's own programs, never for a page in a browser."""
    return Fault(403, "The simulator is controlled from this machine only", "permission_denied")
