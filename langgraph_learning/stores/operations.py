"""Operations: what a model or a person may ask a learning store for; one pydantic class each."""

from collections.abc import Iterable
from dataclasses import is_dataclass

from pydantic import BaseModel, ConfigDict, create_model
from pydantic.fields import FieldInfo

from langgraph_learning.errors import ConfigurationError


class Operation(BaseModel):
    """The base class of operations: one class serves as an item of the extraction answer and as an agent tool.

    The class name is the name of the tool, the docstring its description. A field `id` names a record: models see and
    give short ids there, and `plan` gets the record's own id. Null, blank and omitted mean "leave it as it is".
    """

    model_config = ConfigDict(extra="ignore", frozen=True)


class Refused(Exception):
    """An error that `plan` raises: the operation cannot be carried out, for a reason that helps the model.

    Args:
        reason: The reason, and what would be accepted.
        rest: The operation without the refused part, if that is still useful.
    """

    def __init__(self, reason: str, rest: Operation | None = None) -> None:
        super().__init__(reason)
        self.rest = rest


RESERVED = frozenset({"operation", "quote", "runtime", "config", "self", "run_manager"})
"""The names that the extraction answer and LangChain's tools use themselves."""


def check_fields(owner: str, names: Iterable[str], reserved: frozenset[str] = RESERVED) -> None:
    """Raise for field names that the code around an operation uses itself.

    Raises:
        ConfigurationError: There is such a field.
    """
    if taken := sorted(reserved & set(names)):
        raise ConfigurationError(f"the field {taken[0]!r} of {owner} has a reserved name: rename it")


class _PydanticInit(BaseModel):
    """A base class that restores pydantic's own `__init__` for a schema that is decorated with `@dataclass`."""

    __init__ = BaseModel.__init__


def operation(name: str, doc: str, schema: type[BaseModel] | None = None, /, **fields: object) -> type[Operation]:
    """Return an operation made from `field=(type, FieldInfo)` pairs; with `schema`, its validators apply too."""
    check_fields(name, fields)
    bases: tuple[type[BaseModel], ...] = (Operation,) if schema is None else (schema, Operation)
    if is_dataclass(schema):
        bases = (_PydanticInit, *bases)
    return create_model(name, __base__=bases, __doc__=doc, **fields)  # type: ignore[call-overload, no-any-return]


def schema_fields(schema: type[BaseModel], *, optional: bool) -> dict[str, tuple[object, FieldInfo]]:
    """Return the fields of `schema` for `operation`, unchanged, or optional with null as default."""
    check_fields(schema.__name__, schema.model_fields, RESERVED | {"id"})  # `id` names a record
    fields: dict[str, tuple[object, FieldInfo]] = {}
    for name, given in schema.model_fields.items():
        changed = {"default": None, "default_factory": None} if optional else {}
        info = FieldInfo.merge_field_infos(given, **changed)
        fields[name] = (given.annotation | None if optional else given.annotation, info)  # type: ignore[operator]
    return fields
