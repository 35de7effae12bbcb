"""The time during which a record holds."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeAlias, TypedDict

from pydantic import AfterValidator, JsonValue, model_validator

from langgraph_learning.scope import Frozen


def with_timezone(at: datetime) -> datetime:
    """Return a time with its zone; one that names none is taken as UTC."""
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


Timestamp: TypeAlias = Annotated[datetime, AfterValidator(with_timezone)]
"""A time that can be compared with others; without a zone, as in some exports, it is taken as UTC."""
VALIDITY = ("valid_from", "valid_to", "expires_at")


class Dates(TypedDict):
    """The dates between which a record holds."""

    valid_from: datetime | None
    valid_to: datetime | None
    expires_at: datetime | None


class Validity(Frozen):
    """The time during which something holds; an open end has no date. A day in UTC counts as the whole day."""

    valid_from: Timestamp | None = None
    valid_to: Timestamp | None = None
    """The time from which something else holds instead."""
    expires_at: Timestamp | None = None
    """The time from which it is not recalled, because it may no longer hold."""

    @model_validator(mode="before")
    @classmethod
    def _read_content(cls, value: object) -> object:
        """Take the dates from the content if a schema has fields of these names."""
        content = value.get("content") if isinstance(value, Mapping) else None
        if not isinstance(value, Mapping) or not isinstance(content, Mapping) or content.keys().isdisjoint(VALIDITY):
            return value
        read = {name: _moment(content[name], end=name != "valid_from") for name in VALIDITY if name in content}
        return {**value, **{name: moment for name, moment in read.items() if moment and value.get(name) is None}}

    @property
    def validity(self) -> Dates:
        """The three dates, for a change of the same record."""
        return {"valid_from": self.valid_from, "valid_to": self.valid_to, "expires_at": self.expires_at}

    def holds_at(self, moment: datetime) -> bool:
        """Return whether it holds at a moment."""
        ends = [end for end in (self.valid_to, self.expires_at) if end is not None]
        return (self.valid_from is None or self.valid_from <= moment) and all(moment < end for end in ends)

    @property
    def validity_label(self) -> str:
        """The note about its dates for readers; empty if both ends are open."""
        ends = [end for end in (self.valid_to, self.expires_at) if end is not None]
        parts = [f"since {self.valid_from:%Y-%m-%d}"] if self.valid_from else []
        parts += [f"until {min(ends) - timedelta(microseconds=1):%Y-%m-%d}"] if ends else []
        return f" ({', '.join(parts)})" if parts else ""


def _moment(value: JsonValue, *, end: bool) -> datetime | None:
    """Return the time that a text names: of a day its beginning or end; None for any other text."""
    try:
        moment = with_timezone(datetime.fromisoformat(str(value)))
    except ValueError:
        return None
    return moment + timedelta(days=1) if end and len(str(value)) == len("2026-01-31") else moment
