"""The request path: door -> pipeline -> upstream -> relay. Lives on the event-loop thread only.

It takes `record(fact)` and has never heard of the ledger; it asks `core` what to do and does it.
"""
