"""Where the checkpointers and the hybrid stores are: a signpost to `langgraph_learning.checkpointers`.

    from checkpointers import connect

    with connect("sqlite:///learning.db") as db:
        graph = builder.compile(store=db.store, checkpointer=db.checkpointer)

Every name is the same object as in `langgraph_learning.checkpointers`, and is loaded when it is first used.
"""

from langgraph_learning import checkpointers as _checkpointers
from langgraph_learning.checkpointers import __all__ as __all__


def __getattr__(name: str) -> object:
    return getattr(_checkpointers, name)
