"""Decisions as pure functions over values: no IO, clock, chance, logging or secrets here.

Time and chance are arguments, so every decision can be tested as a table.
"""
