"""Whether the recalled text reached a model: a node may trim its messages, or send others."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler, BaseCallbackManager
from langchain_core.messages import BaseMessage
from langchain_core.runnables import RunnableConfig

from langgraph_learning.nodes.run_context import Run


class ModelCalls(BaseCallbackHandler):
    """Watches the model calls of one node that is shown the recalled text."""

    def __init__(self, run: Run, node: str, text: str) -> None:
        self._run, self._node, self._text = run, node, text
        self._without = self._with = 0

    def watch(self, config: RunnableConfig) -> RunnableConfig:
        """Return the configuration under which the node's model calls are seen."""
        if not self._text:
            return config
        callbacks = config.get("callbacks")
        if isinstance(callbacks, BaseCallbackManager):
            watched = callbacks.copy()
            watched.add_handler(self, inherit=True)
            return {**config, "callbacks": watched}
        return {**config, "callbacks": [*(callbacks or []), self]}

    def on_chat_model_start(
        self, serialized: dict[str, Any], messages: list[list[BaseMessage]], *, run_id: UUID, **kwargs: Any
    ) -> None:
        """See what a model is sent."""
        if any(self._holds(batch) for batch in messages):
            self._with += 1
        else:
            self._without += 1

    def report(self) -> None:
        """Say once that the node's model calls were made without the text."""
        if self._without and not self._with:
            self._run.settings.warn_once(
                f"unread in {self._node}",
                f"the node {self._node!r} was shown what was recalled, and called a model without it: it sends other"
                " messages, or trims them. Give its chat model to learning.model(...), which shows it at the call",
            )

    def _holds(self, messages: Sequence[BaseMessage]) -> bool:
        return any(self._text in str(message.text) for message in messages)
