"""Thin faces over one control surface: no policy, no SQL, nothing that decides."""
