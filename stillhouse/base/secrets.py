"""Keys stand in the environment alone, and never come out of it in a message."""

import os
import re
from typing import Final

_NAME: Final = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL", re.IGNORECASE)
_SHORTEST: Final = 8  # a shorter value is no key, and may be any word
_HIDDEN: Final = "***"
_SHOWN: Final = 300
_also_secret: set[str] = set()


def keep_secret(name: str) -> None:
    """Have the value of this variable hidden as well, whatever its name."""
    _also_secret.add(name)


def hide_secrets(text: str) -> str:
    """Return a text of others (a server's error) without the values of variables that hold secrets."""
    for name, value in os.environ.items():
        secret = value.strip()  # a server repeats it without the line end that a file left there
        if (name in _also_secret or _NAME.search(name)) and len(secret) >= _SHORTEST:
            text = text.replace(secret, _HIDDEN)
    return text


def quote_server(text: str) -> str:
    """Return a server's message as a part of a sentence: one line, not long, without secrets."""
    line = " ".join(hide_secrets(text).split())
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}…"
