"""Colours for the few lines of Python on a code node, one line at a time.

A node shows fragments, so this is a scan by regular expression; the code view beside the
canvas has the real highlighter.
"""

import keyword
import re
from functools import lru_cache

_PART = re.compile(
    r"(?P<comment>#.*)"
    r"|(?P<string>[rbfuRBFU]{0,2}(?:'[^'\\]*(?:\\.[^'\\]*)*'|\"[^\"\\]*(?:\\.[^\"\\]*)*\"))"
    r"|(?P<number>\b\d[\w.]*)"
    r"|(?P<word>[^\W\d]\w*)"
    r"|(?P<other>[^\w#'\"]+|.)"
)


@lru_cache(maxsize=4096)
def colored_parts(line: str) -> tuple[tuple[str, str], ...]:
    """Split a line into texts with the theme's role of their colour.

    >>> colored_parts("for h in x:")
    (('for', 'code:keyword'), (' h ', 'text'), ('in', 'code:keyword'), (' x:', 'text'))
    """
    parts: list[tuple[str, str]] = []
    for match in _PART.finditer(line):
        text = match.group()
        role = "text"
        if match.lastgroup in ("comment", "string", "number"):
            role = f"code:{match.lastgroup}"
        elif match.lastgroup == "word" and keyword.iskeyword(text):
            role = "code:keyword"
        if parts and parts[-1][1] == role:
            parts[-1] = (parts[-1][0] + text, role)
        else:
            parts.append((text, role))
    return tuple(parts)
