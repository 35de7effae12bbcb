"""The labels of store namespaces that learning uses, and any text as one of them.

The learning layer writes under these; the checkpointers copy and erase a thread's share of it. Both take the words from
here: `("learning", "user", <user>, "thread", <thread>, "session_context")` holds what a thread is about, and
`("learning", "user", <user>, "commits")` what each turn of a user changed. An id stands there as `label` writes it.
"""

import re

ROOT = "learning"
"""The first label of every namespace that learning writes."""
THREAD = "thread"
"""The label before that of a thread id."""
SESSION_CONTEXT = "session_context"
"""The learning store whose records belong to one thread."""
COMMITS = "commits"
"""What the turns of a user changed."""
PENDING = "pending"
"""The turns that wait to be learned from."""


LONGEST_ID = 255
"""How many characters the id of a user or of a thread may have, on every store."""
LONGEST_LABEL = 960
"""How many bytes it may take as a label: two of them fit into one namespace."""


def fault_of_id(kind: str, given: str) -> str | None:
    """Return what is wrong with the id of a user or a thread, `kind`; None if it can be kept on every store."""
    if len(given) > LONGEST_ID:
        return f"the {kind} {given[:20]!r}... has {len(given)} characters; an id has at most {LONGEST_ID}"
    if (size := len(label(given).encode(errors="replace"))) > LONGEST_LABEL:
        return f"the {kind} {given[:20]!r}... takes {size} bytes as a label, at most {LONGEST_LABEL}: use a plainer id"
    return None


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
