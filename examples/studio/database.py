"""One database for the server's store and checkpointer, open as long as the process lives.

The server loads `store.path` and `checkpointer.path` each for itself, and once per event loop. Time travel needs them
to be one database, so langgraph.json names both as `module.name`: a module is imported once. (`./file.py:name` would be
loaded again under another name, and open a second one.)
"""

import atexit
import os

from langgraph_learning import connect

URL = os.environ.get("DATABASE_URL") or "sqlite:///studio.db"

_db = connect(URL).__enter__()
atexit.register(_db.__exit__, None, None, None)

store = _db.store
checkpointer = _db.checkpointer
