"""Coding agents: where they keep keys, and how they are pointed at the proxy. Files are only read here."""
