"""Coding agents and where they keep keys, one file each. Read only: nothing of theirs is changed here."""
