"""Everything this package raises, sorted by who must act.

```
LearningError
├── ConfigurationError    the developer must act (also a ValueError)
├── ScopeError            the caller may not touch this scope (also a PermissionError)
├── ExtractionError       the model's answer cannot be used
├── ProposalError         decide(): the answer cannot be used, or the proposal is gone
├── ConflictError         somebody else changed the record first
└── StoreError            the backend failed (always `from` its cause)
    ├── UnsupportedByStore
    └── RecordError       a stored value no longer fits its schema
```
"""


class LearningError(Exception):
    """The base of every error of this package."""


class ConfigurationError(LearningError, ValueError):
    """The set-up cannot work; the message names the fix."""


class ScopeError(LearningError, PermissionError):
    """The caller may not touch this scope."""


class ExtractionError(LearningError):
    """The model's answer cannot be used, also after one repair."""


class ProposalError(LearningError):
    """The decision cannot be used, or the proposal is gone."""


class ConflictError(LearningError):
    """Somebody else changed the record first."""


class StoreError(LearningError):
    """The store failed; the cause is attached."""


class UnsupportedByStore(StoreError):
    """This store cannot do that; `connect()` opens one that can."""


class RecordError(StoreError):
    """A stored value no longer fits its schema."""


_FAILURES: tuple[tuple[type[Exception], str], ...] = (
    (ConflictError, "somebody else changed it first"),
    (ExtractionError, "the model's answer cannot be used"),
    (StoreError, "the store failed"),
    (ScopeError, "this may not be touched"),
)


def failure_reason(error: Exception) -> str:
    """Return what anybody may be told of a failure, in a sentence of ours.

    The message of an exception may hold a key, a URL with a password, or a stored text, and what is told goes to models
    and browsers; the log has it.
    """
    return next((reason for kind, reason in _FAILURES if isinstance(error, kind)), "the step failed")


def describe_failure(error: Exception) -> str:
    """Return the type of a failure, and what anybody may be told of it."""
    return f"{type(error).__name__}: {failure_reason(error)}; the log has the details"
