"""The types of LangGraph's checkpointer contract that have no name there."""

from collections.abc import Sequence
from typing import Any, TypeAlias

from langgraph.checkpoint.base import BaseCheckpointSaver

Saver: TypeAlias = BaseCheckpointSaver[Any]  # of any kind of channel version
Filter: TypeAlias = dict[str, Any]
Writes: TypeAlias = Sequence[tuple[str, Any]]  # channels and values
