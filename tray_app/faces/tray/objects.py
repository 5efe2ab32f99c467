"""What we offer on the bus, as tables: from them come the answers to calls and the introspection document.

Nothing here knows a socket or a message: a path, an interface, a member and a body go in, a body comes out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Body = tuple[Any, ...]
Variant = tuple[str, Any]  # a signature and a value

STANDARD = "org.freedesktop.DBus"


class CallError(Exception):
    """A call was answered by an error, or an error is to be the answer to one."""

    def __init__(self, name: str, text: str = "") -> None:
        super().__init__(f"{name}: {text}" if text else name)
        self.name = name
        self.text = text


@dataclass(frozen=True, slots=True)
class Method:
    """What arrives, what leaves (each a tuple of complete types), and who answers."""

    takes: tuple[str, ...]
    gives: tuple[str, ...]
    answer: Callable[..., Body | None]
    listed: bool = True  # whether introspection tells of it


@dataclass(frozen=True, slots=True)
class Property:
    signature: str
    read: Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Interface:
    name: str
    methods: Mapping[str, Method] = field(default_factory=dict)
    properties: Mapping[str, Property] = field(default_factory=dict)
    signals: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class Objects:
    """Every object of ours, by its path. Each also answers what the D-Bus specification asks of all."""

    def __init__(self) -> None:
        self._objects: dict[str, dict[str, Interface]] = {}

    def add(self, path: str, interface: Interface) -> None:
        self._objects.setdefault(path, {})[interface.name] = interface

    def answer(self, path: str, interface: str | None, member: str, signature: str, body: Body) -> tuple[str, Body]:
        """The signature and the body of the answer to a call. Raises `CallError`, or what a method raises."""
        method = self._method(path, interface, member)
        if signature != "".join(method.takes):
            raise CallError(f"{STANDARD}.Error.InvalidArgs", f"expected {''.join(method.takes)}")
        return "".join(method.gives), method.answer(*body) or ()

    def _method(self, path: str, interface: str | None, member: str) -> Method:
        """A call may leave the interface out: then the first that knows the member answers."""
        for offered in (*self._objects.get(path, {}).values(), *self._common(path)):
            if interface in (None, offered.name) and member in offered.methods:
                return offered.methods[member]
        raise CallError(f"{STANDARD}.Error.UnknownMethod", f"{interface}.{member} on {path}")

    def _common(self, path: str) -> tuple[Interface, ...]:
        """What every object answers."""
        own = self._objects.get(path, {})

        def get(interface: str, name: str) -> Body:
            return (_read(own, interface, name),)

        def get_all(interface: str) -> Body:
            offered = own.get(interface)
            return ({name: _variant(one) for name, one in offered.properties.items()} if offered else {},)

        def refuse(_interface: str, name: str, _value: Variant) -> Body:
            raise CallError(f"{STANDARD}.Error.PropertyReadOnly", name)

        return (
            Interface(
                f"{STANDARD}.Properties",
                {
                    "Get": Method(("s", "s"), ("v",), get),
                    "GetAll": Method(("s",), ("a{sv}",), get_all),
                    "Set": Method(("s", "s", "v"), (), refuse),
                },
            ),
            Interface(
                f"{STANDARD}.Introspectable",
                {"Introspect": Method((), ("s",), lambda: (self._describe(path),))},
            ),
            Interface(f"{STANDARD}.Peer", {"Ping": Method((), (), lambda: None)}),
        )

    def _describe(self, path: str) -> str:
        parts = [_xml(one) for one in (*self._objects.get(path, {}).values(), *self._common(path))]
        if path == "/":
            parts += [f'<node name="{name.lstrip("/")}"/>' for name in self._objects]
        return f"<node>{''.join(parts)}</node>"


def _read(own: Mapping[str, Interface], interface: str, name: str) -> Variant:
    offered = own.get(interface)
    if offered is None or name not in offered.properties:
        raise CallError(f"{STANDARD}.Error.UnknownProperty", f"{interface}.{name}")
    return _variant(offered.properties[name])


def _variant(one: Property) -> Variant:
    return (one.signature, one.read())


def _xml(interface: Interface) -> str:
    lines = [f'<interface name="{interface.name}">']
    for name, method in interface.methods.items():
        if method.listed:
            arguments = _arguments(method.takes, "in") + _arguments(method.gives, "out")
            lines.append(f'<method name="{name}">{arguments}</method>')
    for name, types in interface.signals.items():
        lines.append(f'<signal name="{name}">{_arguments(types)}</signal>')
    for name, one in interface.properties.items():
        lines.append(f'<property name="{name}" type="{one.signature}" access="read"/>')
    return "".join((*lines, "</interface>"))


def _arguments(types: tuple[str, ...], direction: str | None = None) -> str:
    way = f' direction="{direction}"' if direction else ""
    return "".join(f'<arg type="{one}"{way}/>' for one in types)
