"""Passwords in the addresses of stores, kept out of everything that is printed, logged or written down."""

from __future__ import annotations

import re
from urllib.parse import unquote

HIDDEN = "***"

# Greedy, since a password may hold a colon, a slash or an @: better too much than too little.
_PASSWORD_IN_TEXT = re.compile(r"(?<=://)([^\s:/@?#]*):\S*(?=@)")
_PASSWORD_IN_ADDRESS = re.compile(r"(?<=://)([^:/@?#]*):.*(?=@)", re.DOTALL)
_TOKEN = re.compile(r"\b(https?://)[^\s:/@?#]+(?=@)")
_QUERY = re.compile(r"([?&;]\w*(?:password|passwd|pwd|secret|token|key)=)[^\s&;#'\"]*", re.IGNORECASE)
_LEAST_LENGTH = 4


def redact(text: str, address: str = "") -> str:
    """Return a text with the password hidden in every address that stands in it.

    Args:
        text: The text, such as the message of a library.
        address: An address whose password, or a part of it, is hidden wherever else it stands: a library
            that misreads a password with an @ takes the rest of it for the name of a machine.
    """
    if address:
        shown = _hide(_PASSWORD_IN_ADDRESS.sub(rf"\1:{HIDDEN}", address))
        text = text.replace(address, shown)
        for secret in _secrets(address):
            if len(secret) >= _LEAST_LENGTH and secret not in shown:
                text = text.replace(secret, HIDDEN)
    return _hide(text)


def _hide(text: str) -> str:
    text = _PASSWORD_IN_TEXT.sub(rf"\1:{HIDDEN}", text)
    text = _TOKEN.sub(rf"\1{HIDDEN}", text)
    return _QUERY.sub(rf"\1{HIDDEN}", text)


def _secrets(address: str) -> list[str]:
    """Return an address's password as it stands there, decoded, and in the parts that it may be cut into."""
    password = address.partition("://")[2].rpartition("@")[0].partition(":")[2]
    forms = {password, unquote(password)}
    parts = {part for form in forms for part in re.split("[@:/?#]", form)}
    return sorted(forms | parts, key=len, reverse=True)
