"""Windows, macOS and GTK, as far as pystray's backends call them: enough to run ours on any system.

What these fakes keep is what our code is about: which thread a call comes from, messages that wait in a
queue, a menu that runs its own message loop. That the real systems behave so is taken from their manuals.
"""

from __future__ import annotations

import contextlib
import ctypes
import queue
import select
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

Message = tuple[int, int, int]


class FakeWindows:
    """The `pystray._util.win32` of a pretended Windows."""

    CHOOSE, CLOSE = 0x7001, 0x7002  # what a person does in the open menu

    def __init__(self) -> None:
        self.messages: queue.Queue[Message | None] = queue.Queue()
        self.shell: list[tuple[int, dict[str, Any]]] = []
        self.destroyed_while_open = 0
        self.menu_open = threading.Event()
        self.threads: set[int] = set()
        self._dispatch: Callable[[int, int, int, int], int] = lambda *_: 0
        self.module = self._module()

    def post(self, code: int, wparam: int = 0, lparam: int = 0) -> None:
        self.messages.put((code, wparam, lparam))

    def tips(self) -> list[str]:
        return [fields["szTip"] for _, fields in self.shell if "szTip" in fields]

    def notes(self) -> list[tuple[str, str]]:
        return [(fields["szInfoTitle"], fields["szInfo"]) for _, fields in self.shell if "szInfo" in fields]

    def _module(self) -> ModuleType:
        module: Any = ModuleType("pystray._util.win32")
        numbers = {
            "WM_CREATE": 1, "WM_DISPLAYCHANGE": 0x7E, "WM_NCCREATE": 0x81, "WM_LBUTTONUP": 0x202,
            "WM_RBUTTONUP": 0x205, "WM_USER": 0x400, "WM_STOP": 0x40A, "WM_NOTIFY": 0x40B,
            "WM_TASKBARCREATED": 0xC001, "NIM_ADD": 0, "NIM_MODIFY": 1, "NIM_DELETE": 2,
        }  # fmt: skip
        flags = (
            "NIF_MESSAGE", "NIF_ICON", "NIF_TIP", "NIF_INFO", "PM_NOREMOVE", "IMAGE_ICON", "LR_DEFAULTSIZE",
            "LR_LOADFROMFILE", "MIIM_ID", "MIIM_STRING", "MIIM_STATE", "MIIM_FTYPE", "MIIM_SUBMENU",
            "MFS_DEFAULT", "MFS_CHECKED", "MFS_DISABLED", "MFT_RADIOCHECK", "MFT_SEPARATOR",
            "TPM_RIGHTALIGN", "TPM_BOTTOMALIGN", "TPM_RETURNCMD", "WS_POPUP", "COLOR_WINDOW", "MSGFLT_ALLOW",
        )  # fmt: skip
        calls = (
            "PeekMessage", "TranslateMessage", "DestroyWindow", "UnregisterClass", "SetForegroundWindow",
            "GetCursorPos", "DestroyIcon", "InsertMenuItem", "GetModuleHandle", "ChangeWindowMessageFilterEx",
            "DefWindowProc",
        )  # fmt: skip
        vars(module).update(numbers)
        vars(module).update(dict.fromkeys(flags, 0))
        vars(module).update(dict.fromkeys(calls, lambda *_: 0))
        for name in ("NOTIFYICONDATAW", "MENUITEMINFO", "WNDCLASSEX"):
            vars(module)[name] = type(name, (ctypes.Structure,), {"_fields_": [], "__init__": _keep})
        module.WNDPROC = self._take_procedure
        module.RegisterClassEx = module.CreateWindowEx = module.LoadImage = lambda *_: 7
        module.CreatePopupMenu = lambda: 8
        module.PostMessage = lambda _hwnd, code, wparam, lparam: self.post(code, wparam, lparam)
        module.PostQuitMessage = lambda _code: self.messages.put(None)
        module.GetMessage = self._get_message
        module.DispatchMessage = self._dispatch_message
        module.Shell_NotifyIcon = self._shell_notify
        module.TrackPopupMenuEx = self._track_menu
        module.DestroyMenu = self._destroy_menu
        return module

    def _take_procedure(self, procedure: Callable[[int, int, int, int], int]) -> Any:
        self._dispatch = procedure
        return procedure

    def _deliver(self, message: Message) -> None:
        self.threads.add(threading.get_ident())
        self._dispatch(7, *message)

    def _get_message(self, pointer: Any, *_: Any) -> int:
        message = self.messages.get(timeout=5)
        if message is None:
            return 0
        place = pointer._obj
        place.message, place.wParam, place.lParam = message
        return 1

    def _dispatch_message(self, pointer: Any) -> None:
        place = pointer._obj
        self._deliver((place.message, place.wParam, place.lParam))

    def _shell_notify(self, code: int, data: Any) -> None:
        fields = vars(data)
        if len(fields.get("szTip", "")) > 127 or len(fields.get("szInfo", "")) > 255:
            raise ValueError("string too long")
        if len(fields.get("szInfoTitle", "")) > 63:
            raise ValueError("string too long")
        self.shell.append((code, fields))

    def _track_menu(self, *_: Any) -> int:
        """A menu's own loop: it goes on delivering the thread's messages until the menu closes."""
        self.menu_open.set()
        try:
            while message := self.messages.get(timeout=5):
                if message[0] in (self.CHOOSE, self.CLOSE):
                    return message[1]
                self._deliver(message)
            return 0
        finally:
            self.menu_open.clear()

    def _destroy_menu(self, _menu: int) -> None:
        self.destroyed_while_open += self.menu_open.is_set()


def _keep(self: Any, **fields: Any) -> None:
    vars(self).update(fields)


class FakeMac:
    """AppKit and PyObjC of a pretended macOS: one loop, and a record of who touched what from where."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int, tuple[Any, ...]]] = []
        self._queue: queue.Queue[Callable[[], None]] = queue.Queue()
        self._running = False

    def modules(self) -> dict[str, ModuleType]:
        app = SimpleNamespace(run=self._run, stop_=self._stop, setActivationPolicy_=self._record("policy"))
        app.postEvent_atStart_ = lambda *_: None
        button = self._things("button", "setHidden_", "setImage_", "setToolTip_", "setTarget_", "setAction_")
        item = self._things("item", "setMenu_")
        item.button = lambda: button
        bar = self._things("bar", "removeStatusItem_")
        bar.statusItemWithLength_ = lambda _: item
        bar.thickness = lambda: 22.0
        image = self._things("image", "setSize_")
        event_parts = "otherEventWithType location modifierFlags timestamp windowNumber context subtype data1 data2"
        event = SimpleNamespace(**{event_parts.replace(" ", "_") + "_": lambda *_: 0})
        allocated = SimpleNamespace(initWithData_=lambda _: image)
        data = SimpleNamespace(dataWithBytes_length_=lambda content, length: content[:length])
        appkit: Any = ModuleType("AppKit")
        appkit.NSApplication = SimpleNamespace(sharedApplication=lambda: app)
        appkit.NSStatusBar = SimpleNamespace(systemStatusBar=lambda: bar)
        appkit.NSImage = SimpleNamespace(alloc=lambda: allocated)
        appkit.NSMenu = SimpleNamespace(alloc=lambda: SimpleNamespace(initWithTitle_=lambda _: self._menu()))
        appkit.NSMenuItem = self._menu_items()
        appkit.NSData, appkit.NSEvent, appkit.NSPoint = data, event, lambda *_: None
        appkit.NSVariableStatusItemLength = appkit.NSApplicationDefined = appkit.NSOnState = appkit.NSOffState = 0
        foundation: Any = ModuleType("Foundation")
        foundation.NSObject = type("NSObject", (), {"alloc": classmethod(lambda cls: cls()), "init": lambda self: self})
        objc: Any = ModuleType("objc")
        objc.namedSelector = lambda _name: lambda function: function
        tools: Any = ModuleType("PyObjCTools")
        tools.AppHelper = ModuleType("PyObjCTools.AppHelper")
        tools.AppHelper.callAfter = lambda work, *arguments: self._queue.put(lambda: work(*arguments))
        tools.MachSignals = ModuleType("PyObjCTools.MachSignals")
        return {
            "AppKit": appkit,
            "Foundation": foundation,
            "objc": objc,
            "PyObjCTools": tools,
            "PyObjCTools.AppHelper": tools.AppHelper,
            "PyObjCTools.MachSignals": tools.MachSignals,
        }

    def named(self, name: str) -> list[tuple[Any, ...]]:
        return [arguments for said, _, arguments in list(self.calls) if said == name]

    def threads(self) -> set[int]:
        return {thread for _, thread, _ in self.calls}

    def _record(self, name: str) -> Callable[..., None]:
        return lambda *arguments: self.calls.append((name, threading.get_ident(), arguments))

    def _things(self, name: str, *methods: str) -> SimpleNamespace:
        return SimpleNamespace(**{method: self._record(f"{name}.{method}") for method in methods})

    def _menu(self) -> SimpleNamespace:
        return self._things("menu", "setAutoenablesItems_", "addItem_")

    def _menu_items(self) -> SimpleNamespace:
        methods = ("setAction_", "setTarget_", "setTag_", "setState_", "setEnabled_", "setSubmenu_")

        def made(title: str, _action: bytes, _key: str) -> SimpleNamespace:
            self._record("title")(title)
            return self._things("menuitem", *methods)

        allocated = SimpleNamespace(initWithTitle_action_keyEquivalent_=made)
        return SimpleNamespace(alloc=lambda: allocated, separatorItem=lambda: None)

    def _run(self) -> None:
        self._running = True
        while self._running:
            self._queue.get(timeout=5)()

    def _stop(self, _app: Any) -> None:
        self._record("stop")()
        self._running = False


class FakeGtk:
    """GLib's loop and GTK's status icon, as far as pystray's plain backend calls them; no AppIndicator library."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int, tuple[Any, ...]]] = []
        self.images: list[bytes] = []
        self.handlers: dict[str, Callable[..., None]] = {}
        self.labels: list[str] = []
        self._queue: queue.Queue[Callable[[], Any]] = queue.Queue()
        self._watches: dict[int, Callable[..., bool]] = {}
        self._running = False

    def modules(self) -> dict[str, ModuleType]:
        gi: Any = ModuleType("gi")
        gi.require_version = self._require
        gi.repository = ModuleType("gi.repository")
        glib: Any = ModuleType("gi.repository.GLib")
        glib.idle_add = lambda work, *arguments: self._queue.put(lambda: work(*arguments))
        glib.io_add_watch = lambda fd, _condition, heard: self._watches.__setitem__(fd, heard)
        glib.IO_IN, glib.IO_HUP = 1, 16
        glib.MainLoop = SimpleNamespace(new=lambda *_: SimpleNamespace(run=self._run, quit=self._quit))
        glib.markup_escape_text = lambda text: text
        gtk: Any = ModuleType("gi.repository.Gtk")
        gtk.init_check = lambda: (True,)
        gtk.StatusIcon = SimpleNamespace(new=self._status_icon, position_menu=None)
        gtk.Menu = SimpleNamespace(new=lambda: self._things("menu", "append", "show_all", "popup"))
        gtk.MenuItem = gtk.CheckMenuItem = SimpleNamespace(new_with_label=self._menu_item)
        gtk.SeparatorMenuItem = lambda: None
        gtk.get_current_event_time = lambda: 0
        parts = {"GLib": glib, "GObject": glib, "Gtk": gtk, "Gio": ModuleType("gi.repository.Gio")}
        vars(gi.repository).update(parts)
        return {"gi": gi, "gi.repository": gi.repository} | {
            f"gi.repository.{name}": one for name, one in parts.items()
        }

    def named(self, name: str) -> list[tuple[Any, ...]]:
        return [arguments for said, _, arguments in list(self.calls) if said == name]

    def threads(self) -> set[int]:
        return {thread for _, thread, _ in self.calls}

    def do(self, handler: str, *arguments: Any) -> None:
        """Something that a person does, as the loop tells it."""
        self._queue.put(lambda: self.handlers[handler](*arguments))

    def _require(self, name: str, _version: str) -> None:
        if "AppIndicator" in name:
            raise ValueError(f"Namespace {name} not available")

    def _record(self, name: str) -> Callable[..., None]:
        return lambda *arguments: self.calls.append((name, threading.get_ident(), arguments))

    def _things(self, name: str, *methods: str) -> SimpleNamespace:
        return SimpleNamespace(**{method: self._record(f"{name}.{method}") for method in methods})

    def _status_icon(self) -> SimpleNamespace:
        icon = self._things("icon", "set_visible", "set_title")
        icon.connect = self.handlers.__setitem__
        icon.set_from_file = lambda path: self.images.append(Path(path).read_bytes())
        return icon

    def _menu_item(self, label: str) -> SimpleNamespace:
        self.labels.append(label)
        item = self._things("item", "set_active", "set_draw_as_radio", "set_submenu", "set_sensitive")
        item.connect = lambda _signal, handler: self.handlers.__setitem__(label, handler)
        item.get_children = lambda: [self._things("label", "set_markup")]
        return item

    def _run(self) -> None:
        self._running = True
        while self._running:
            with contextlib.suppress(queue.Empty):
                self._queue.get(timeout=0.005)()
            ready, _, _ = select.select(list(self._watches), [], [], 0)
            for fd in ready:
                if not self._watches[fd]():
                    del self._watches[fd]

    def _quit(self) -> None:
        self._running = False
