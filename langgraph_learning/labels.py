"""Any text as a label of a store namespace."""

import re


def label(text: str) -> str:
    """Encode any text as one label of a store namespace, injectively and reversibly.

    Lower-case ASCII letters, digits, `-`, `@` and letters of other scripts stand for themselves, everything else
    (dots, wildcards, capitals: some stores compare labels without case) becomes `~hex~`.
    """
    return "".join(c if _stands_for_itself(c) else f"~{ord(c):x}~" for c in text) or "~~"


def _stands_for_itself(c: str) -> bool:
    return c in "-@" or (c.isalnum() and not c.isupper() and not c.istitle())


def unlabel(encoded: str) -> str:
    """Return the text that `label` encoded."""
    return re.sub(r"~([0-9a-f]*)~", lambda match: chr(int(match[1], 16)) if match[1] else "", encoded)
