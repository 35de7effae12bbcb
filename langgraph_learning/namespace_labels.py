"""The labels in store namespaces that learning uses, and the encoding of any text as a label.

The learning layer writes under these labels, and the checkpointers copy and erase a thread's part. Both use the
constants here: `("learning", "user", <user>, "thread", <thread>, "session_context")` holds the session context of a
thread, and `("learning", "user", <user>, "commits")` the commits of a user. `label` encodes the ids in them.
"""

import re

ROOT = "learning"
"""The first label of every namespace that learning writes."""
USER = "user"
"""The label in front of a user id."""
THREAD = "thread"
"""The label in front of a thread id."""
SESSION_CONTEXT = "session_context"
"""The learning store whose records belong to one thread."""
COMMITS = "commits"
"""The label of a user's commits."""
PENDING = "pending"
"""The label of the turns that wait to be learned from."""


LONGEST_ID = 255
"""The largest number of characters in a user id or thread id, on every store."""
LONGEST_LABEL = 960
"""The largest number of bytes of such an id as a label; two of them fit into one namespace."""


def fault_of_id(kind: str, raw_id: str) -> str | None:
    """Return what is wrong with a user id or thread id (`kind`); None if every store can keep it."""
    if len(raw_id) > LONGEST_ID:
        return f"the {kind} {raw_id[:20]!r}... has {len(raw_id)} characters; an id has at most {LONGEST_ID}"
    if (size := len(label(raw_id).encode(errors="replace"))) > LONGEST_LABEL:
        return f"the {kind} {raw_id[:20]!r}... takes {size} bytes as a label, at most {LONGEST_LABEL}: use a plainer id"
    return None


def label(text: str) -> str:
    """Return any text encoded as one label of a store namespace; different texts get different labels.

    Lower-case ASCII letters, digits, `-`, `@` and letters of other scripts stay as they are. Everything else (dots,
    wildcards, capitals, because some stores compare labels without case) becomes `~hex~`.
    """
    return "".join(c if _stands_for_itself(c) else f"~{ord(c):x}~" for c in text) or "~~"


def _stands_for_itself(c: str) -> bool:
    return c in "-@" or (c.isalnum() and not c.isupper() and not c.istitle())


def unlabel(encoded: str) -> str:
    """Return the text that `label` encoded."""
    return re.sub(r"~([0-9a-f]*)~", lambda match: chr(int(match[1], 16)) if match[1] else "", encoded)
