"""Which language a person wants, and the table of words for it."""

from __future__ import annotations

import locale
import os
import sys
from collections.abc import Iterable, Mapping

from tray_app.faces.tray.texts import ENGLISH, RUSSIAN, Texts

_NEUTRAL = ("C", "POSIX", "C.UTF-8")


def choose(languages: Iterable[str]) -> Texts:
    """The table for the first language that has one, e.g. for ["ru_RU.UTF-8"]; English otherwise."""
    for language in languages:
        code = language.replace("-", "_").split("_")[0].split(".")[0].lower()
        if code == "ru":
            return RUSSIAN
        if code in ("en", "c", "posix"):
            break
    return ENGLISH


def wanted(environ: Mapping[str, str] = os.environ) -> list[str]:
    """The languages a person wants, first one first."""
    chosen = environ.get("LC_ALL") or environ.get("LC_MESSAGES") or environ.get("LANG") or ""
    languages = [*environ.get("LANGUAGE", "").split(":"), chosen] if chosen not in _NEUTRAL else [chosen]
    languages = [language for language in languages if language]
    if not languages and sys.platform == "win32":
        import ctypes

        number = ctypes.windll.kernel32.GetUserDefaultUILanguage()
        languages = [locale.windows_locale.get(number, "en")]
    if not languages and sys.platform == "darwin":
        import AppKit

        languages = list(AppKit.NSLocale.preferredLanguages())
    return languages
