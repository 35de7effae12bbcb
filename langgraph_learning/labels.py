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
