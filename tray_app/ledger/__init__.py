"""The history in SQLite: tables, the one writer, and the questions that can be asked of it.

`tables` is SQLModel and describes the file; the writer speaks to the driver, since a hot insert
through an ORM would cost forty times as much.
"""
