"""A property that is computed once for each object and kept.

`functools.cached_property` does the same, and takes a lock for it up to Python 3.11, which costs more than most of
what is kept here. For objects of one thread that have a `__dict__`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

_Value = TypeVar("_Value")


class once(Generic[_Value]):  # noqa: N801 - a decorator, like `property`
    """Decorates a method without arguments."""

    def __init__(self, compute: Callable[[Any], _Value]) -> None:
        self._compute = compute
        self._name = compute.__name__
        self.__doc__ = compute.__doc__

    def __get__(self, owner: Any, _: type) -> _Value:
        value = owner.__dict__[self._name] = self._compute(owner)  # found there from now on, before this is asked
        return value
