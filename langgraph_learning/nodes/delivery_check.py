"""A check that the recalled text reached a model: a node may trim its messages, or send others."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler, BaseCallbackManager
from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import var_child_runnable_config

from langgraph_learning.nodes.run_context import Run


class ModelCalls(BaseCallbackHandler):
    """A callback handler that watches the model calls of one node that gets the recalled text."""

    def __init__(self, run: Run, node: str, text: str) -> None:
        self._run, self._node, self._text = run, node, text
        self._without = self._with = 0

    @contextmanager
    def watch(self, config: RunnableConfig) -> Iterator[RunnableConfig]:
        """Watch the node's model calls inside the `with` block; after it, warn once if none of them held the text."""
        if not self._text:
            yield config
            return
        callbacks = config.get("callbacks")
        if isinstance(callbacks, BaseCallbackManager):
            watched: Any = callbacks.copy()
            watched.add_handler(self, inherit=True)
        else:
            watched = [*(callbacks or []), self]
        seen: RunnableConfig = {**config, "callbacks": watched}
        # A node that does not pass its config on calls its model with the config in this context variable.
        token = var_child_runnable_config.set(seen)
        try:
            yield seen
        finally:
            var_child_runnable_config.reset(token)
        self._report()

    def on_chat_model_start(
        self, serialized: dict[str, Any], messages: list[list[BaseMessage]], *, run_id: UUID, **kwargs: Any
    ) -> None:
        """Count a model call as one with the text or one without it."""
        if any(self._text in str(message.text) for batch in messages for message in batch):
            self._with += 1
        else:
            self._without += 1

    def _report(self) -> None:
        """Warn once if the node called models, and no call held the text."""
        if self._without and not self._with:
            self._run.settings.warn_once(
                f"unread in {self._node}",
                f"the node {self._node!r} was shown what was recalled, and called a model without it: it sends other"
                " messages, or trims them. Give its chat model to learning.model(...), which shows it at the call",
            )
