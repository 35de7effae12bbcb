"""What is learned, as pydantic schemas: subclass one to learn fields of your own.

A field's `Field(description=...)` reaches the model, and its type is enforced before anything is stored.
"""

from pydantic import BaseModel, Field

from langgraph_learning.display import Displayed


class UserProfile(Displayed, BaseModel):
    """Who the user is: one record per field."""

    name: str | None = Field(default=None, max_length=200, description="The user's full name")
    preferred_name: str | None = Field(default=None, max_length=200, description="What the user likes to be called")


class UserMemory(BaseModel):
    """One thing to remember about the user."""

    content: str = Field(
        min_length=1, max_length=2_000, description="One self-contained statement, in the user's own language"
    )


class SessionContext(BaseModel):
    """Where one conversation stands."""

    summary: str = Field(
        min_length=1,
        max_length=4_000,
        description="The whole conversation so far: what was asked, answered and decided, in a few sentences",
    )
    goal: str | None = Field(
        default=None, max_length=1_000, description="What the user wants to reach in this conversation"
    )
    plan: list[str] = Field(default=[], max_length=50, description="The steps towards the goal, in order")
    progress: list[str] = Field(default=[], max_length=200, description="The steps that are done by now")
