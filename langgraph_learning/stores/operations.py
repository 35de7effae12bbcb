"""Operations: what a model or a person may ask a learning store to do. Each is a pydantic class."""

from collections.abc import Iterable
from dataclasses import is_dataclass

from pydantic import BaseModel, ConfigDict, create_model
from pydantic.fields import FieldInfo

from langgraph_learning.errors import ConfigurationError
from langgraph_learning.json_schema import Schema, inline_schema, object_fields, object_to_wire, required_names


class Operation(BaseModel):
    """A change or a search that a model may ask for, in the answer of an extraction or by calling a tool.

    The name of the class is the name of the tool, and its docstring is the description. A field `id` names a record:
    the model writes the short id that it was shown (`m1`), and `plan` gets the id of the record itself. A field that
    is null, blank or left out means "leave it as it is".
    """

    model_config = ConfigDict(extra="ignore", frozen=True)


class Refused(Exception):
    """Raised by `plan` if an operation cannot be carried out.

    Args:
        reason: Why it cannot, and what the model could ask for instead.
        rest: The operation without the part that cannot be done, if the other part should be done.
    """

    def __init__(self, reason: str, rest: Operation | None = None) -> None:
        super().__init__(reason)
        self.rest = rest


RESERVED = frozenset({"operation", "quote", "runtime", "config", "self", "run_manager"})
"""Names that no field may have, because the extraction's answer or LangChain's tools use them."""


def check_fields(owner: str, names: Iterable[str], reserved: frozenset[str] = RESERVED) -> None:
    """Check that no field has a reserved name.

    Raises:
        ConfigurationError: A field has one.
    """
    if reserved_names := sorted(reserved & set(names)):
        raise ConfigurationError(f"the field {reserved_names[0]!r} of {owner} has a reserved name: rename it")


class _PydanticInit(BaseModel):
    """A base that puts pydantic's `__init__` first, for a schema that is both a pydantic model and a dataclass."""

    __init__ = BaseModel.__init__


def operation(name: str, doc: str, schema: type[BaseModel] | None = None, /, **fields: object) -> type[Operation]:
    """Return an operation class with fields `name=(type, Field(...))`; the validators of `schema` also check them."""
    check_fields(name, fields)
    bases: tuple[type[BaseModel], ...] = (Operation,) if schema is None else (schema, Operation)
    if is_dataclass(schema):
        bases = (_PydanticInit, *bases)
    return create_model(name, __base__=bases, __doc__=doc, **fields)  # type: ignore[call-overload, no-any-return]


def schema_fields(schema: type[BaseModel], *, optional: bool) -> dict[str, tuple[object, FieldInfo]]:
    """Return the fields of `schema` as arguments for `operation`; if `optional`, each is null by default."""
    check_fields(schema.__name__, schema.model_fields, RESERVED | {"id"})  # `id` names a record
    fields: dict[str, tuple[object, FieldInfo]] = {}
    for name, field in schema.model_fields.items():
        changed = {"default": None, "default_factory": None} if optional else {}
        info = FieldInfo.merge_field_infos(field, **changed)
        fields[name] = (field.annotation | None if optional else field.annotation, info)  # type: ignore[operator]
    return fields


def tool_schema(kind: type[Operation]) -> Schema:
    """Return the JSON schema of an operation as an agent tool; optional fields may be left out."""
    schema = inline_schema(kind)
    parameters = object_to_wire(object_fields(schema), required_names(schema), blanks=False)
    return {"title": kind.__name__, "description": kind.__doc__ or "", **parameters}
