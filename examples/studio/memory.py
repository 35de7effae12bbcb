"""The memory browser, in the dev server: http://127.0.0.1:2024/memory shows what the graphs have learned.

Without `authenticate` it answers this machine only; a deployment names a function there that says who asks.
"""

from starlette.applications import Starlette
from starlette.routing import Mount

from examples.studio.database import store
from langgraph_learning import LearningMachine
from langgraph_learning.web import create_app

# Every learning store, so that whatever a graph has learned has its form here.
learning = LearningMachine(
    user_profile=True,
    user_memory=True,
    session_context=True,
    entity_memory=True,
    learned_knowledge=True,
    decision_log=True,
)
app = Starlette(routes=[Mount("/memory", create_app(learning, store, authenticate=None))])
