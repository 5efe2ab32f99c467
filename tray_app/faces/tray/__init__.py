"""The tray: one icon, one tooltip, one menu, drawn from a `Status`; a click becomes a verb and leaves.

`menu` is pure (status in, items out), `artwork` and `icon` draw, `app` joins them to the desktop.
On Linux the desktop is spoken to over D-Bus in pure Python (`status_notifier`, `dbus_menu`,
`notifications`, all on `bus`); on macOS and Windows pystray does it (`mac`, `windows`).
"""
