"""O-Switcher: a tray app whose local proxy goes on with the next key when one runs dry."""

__version__ = "0.1.0"
