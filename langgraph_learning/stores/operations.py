"""Operations: what a model or a person may ask a learning store for, one pydantic class each."""

from collections.abc import Iterable
from dataclasses import is_dataclass

from pydantic import BaseModel, ConfigDict, create_model
from pydantic.fields import FieldInfo

from langgraph_learning.errors import ConfigurationError


class Operation(BaseModel):
    """What a model may ask for: an item of the extraction answer and an agent tool, one class for both.

    The class name is the name of the tool, the docstring its description. A field `id` names a record: models see and
    give short ids there, `plan` gets the record's own. Null, blank and omitted mean "leave it as it is".
    """

    model_config = ConfigDict(extra="ignore", frozen=True)


class Refused(Exception):
    """Raised by `plan`: the operation cannot be carried out, for a reason the model can act on.

    Args:
        reason: Why, and what would do.
        rest: The operation without what cannot be done, if that is still worth doing.
    """

    def __init__(self, reason: str, rest: Operation | None = None) -> None:
        super().__init__(reason)
        self.rest = rest


RESERVED = frozenset({"operation", "quote", "runtime", "config", "self", "run_manager"})
"""Names that the extraction answer, and LangChain's tools, use for themselves."""


def check_fields(owner: str, names: Iterable[str], reserved: frozenset[str] = RESERVED) -> None:
    """Refuse fields that the machinery around an operation would take for its own.

    Raises:
        ConfigurationError: There is such a field.
    """
    if taken := sorted(reserved & set(names)):
        raise ConfigurationError(f"the field {taken[0]!r} of {owner} has a reserved name: rename it")


class _PydanticInit(BaseModel):
    """Restores pydantic's own `__init__` above a schema that is decorated with `@dataclass`, too."""

    __init__ = BaseModel.__init__


def operation(name: str, doc: str, schema: type[BaseModel] | None = None, /, **fields: object) -> type[Operation]:
    """Make an operation from `field=(type, FieldInfo)` pairs; with `schema` its validators check them, too."""
    check_fields(name, fields)
    bases: tuple[type[BaseModel], ...] = (Operation,) if schema is None else (schema, Operation)
    if is_dataclass(schema):
        bases = (_PydanticInit, *bases)
    return create_model(name, __base__=bases, __doc__=doc, **fields)  # type: ignore[call-overload, no-any-return]


def schema_fields(schema: type[BaseModel], *, optional: bool) -> dict[str, tuple[object, FieldInfo]]:
    """Return the fields of `schema` for `operation`, each as it is, or with null as its default."""
    check_fields(schema.__name__, schema.model_fields, RESERVED | {"id"})  # `id` names a record
    fields: dict[str, tuple[object, FieldInfo]] = {}
    for name, given in schema.model_fields.items():
        changed = {"default": None, "default_factory": None} if optional else {}
        info = FieldInfo.merge_field_infos(given, **changed)
        fields[name] = (given.annotation | None if optional else given.annotation, info)  # type: ignore[operator]
    return fields
