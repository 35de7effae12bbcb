"""The pydantic schemas of what is learned. Subclass one to learn fields of your own.

The model reads the `Field(description=...)` of each field. Values are checked against the types before they are stored.
"""

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, Field, JsonValue, WithJsonSchema

from langgraph_learning.display import Displayed


class UserProfile(Displayed, BaseModel):
    """Who the user is: one record per field, and one per name in `details`.

    ```python
    class Developer(UserProfile):
        languages: list[str] = Field(default=[], description="The programming languages they use")
        years: int | None = Field(default=None, description="For how many years they have programmed")
    ```
    """

    name: str | None = Field(default=None, max_length=200, description="The user's full name")
    preferred_name: str | None = Field(default=None, max_length=200, description="What the user likes to be called")
    details: dict[str, str] = Field(
        default={}, description="Further facts of who the user is, each under a short name: employer, role, city, ..."
    )


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


# The JSON schema asks models for text, which every provider's grammar supports; a number is accepted as well.
Attribute: TypeAlias = Annotated[JsonValue, WithJsonSchema({"type": "string"})]


class Entity(BaseModel):
    """A person, an organisation, a project, a system: anything with a name that facts are known about."""

    name: str = Field(min_length=1, max_length=200, description="Its name, as it is usually called")
    type: str = Field(
        min_length=1,
        max_length=60,
        description="What it is, in a word: person, company, project, product, system, ...",
    )
    description: str | None = Field(default=None, max_length=1_000, description="What it is, in one sentence")
    aliases: list[str] = Field(default=[], description="Other names of the same thing")
    properties: dict[str, Attribute] = Field(
        default={}, description="Short attributes with one current value each, e.g. headcount: 50; a new value replaces"
    )


class Fact(BaseModel):
    """What is true of an entity, without a date."""

    content: str = Field(max_length=2_000, description="One statement that is understood by itself")


class Event(BaseModel):
    """What happened to an entity, or will, on a day."""

    content: str = Field(max_length=2_000, description="What happened, as one statement")
    date: str | None = Field(
        default=None, max_length=80, description="When: YYYY-MM-DD, or the words that were said, e.g. 'last Friday'"
    )


class Relationship(BaseModel):
    """How an entity stands to another one."""

    relation: str = Field(min_length=1, max_length=100, description="How it stands to the other: 'CTO of', 'owns', ...")
    target: str = Field(min_length=1, max_length=200, description="The other's name")


class LearnedKnowledge(BaseModel):
    """One insight that helps again, whoever asks next; as long as it has to be."""

    title: str = Field(
        min_length=1, description="What it is about, in a few words; its name, which tells it from others"
    )
    learning: str = Field(min_length=1, description="The whole insight, understood without the conversation")
    context: str | None = Field(default=None, description="When it applies")
    tags: list[str] = Field(default=[], max_length=50, description="Words to find it by")


class Procedure(BaseModel):
    """How something is done: what worked, step by step, and what did not."""

    title: str = Field(min_length=1, max_length=200, description="What it does, in a few words; its name")
    when: str = Field(min_length=1, max_length=1_000, description="When to follow it: the task, and what tells it")
    steps: list[str] = Field(min_length=1, max_length=50, description="What to do, in order, one action each")
    pitfalls: list[str] = Field(default=[], max_length=50, description="What failed, and why; what to avoid")


class Instruction(BaseModel):
    """A rule that the agent works by in every conversation."""

    rule: str = Field(min_length=1, max_length=1_000, description="What to do or not to do, as one imperative sentence")
    reason: str | None = Field(default=None, max_length=1_000, description="Why, in one sentence")


class Decision(BaseModel):
    """One decision of the agent, why it was taken, and what came of it."""

    decision: str = Field(min_length=1, description="What was decided, in one sentence")
    reasoning: str = Field(min_length=1, description="Why")
    alternatives: list[str] = Field(default=[], max_length=50, description="What else was considered")
    confidence: float | None = Field(default=None, ge=0, le=1, description="How sure you are, from 0 to 1")
    outcome: str | None = Field(default=None, min_length=1, description="What came of it")
    outcome_quality: Literal["good", "bad", "neutral"] | None = Field(default=None, description="How it turned out")
