"""The errors of this package, by who must act.

```
LearningError
├── ConfigurationError    the developer must act (also a ValueError)
├── ScopeError            the caller may not use this scope (also a PermissionError)
├── ExtractionError       the model's answer cannot be used
├── ProposalError         decide(): the answer cannot be used, or the proposal is gone
├── ConflictError         another writer changed the record first
└── StoreError            the backend failed (always `from` its cause)
    ├── UnsupportedByStore
    └── RecordError       a stored value no longer fits its schema
```
"""


class LearningError(Exception):
    """The base class of all errors of this package."""


class ConfigurationError(LearningError, ValueError):
    """An error in the set-up; the message names the fix."""


class ScopeError(LearningError, PermissionError):
    """An error: the caller may not use this scope."""


class ExtractionError(LearningError):
    """An error: the model's answer cannot be used, even after one repair."""


class ProposalError(LearningError):
    """An error: the decision cannot be used, or the proposal is gone."""


class ConflictError(LearningError):
    """An error: another writer changed the record first."""


class StoreError(LearningError):
    """An error of the store; its cause is attached."""


class UnsupportedByStore(StoreError):
    """An error: this store lacks the operation; `connect()` opens a store that has it."""


class RecordError(StoreError):
    """An error: a stored value no longer fits its schema."""


_FAILURES: tuple[tuple[type[Exception], str], ...] = (
    (ConflictError, "somebody else changed it first"),
    (ExtractionError, "the model's answer cannot be used"),
    (StoreError, "the store failed"),
    (ScopeError, "this may not be touched"),
)


def failure_reason(error: Exception) -> str:
    """Return a fixed sentence about a failure that contains nothing secret.

    The message of an exception may hold a key, a URL with a password, or a stored text, and this sentence goes to
    models and browsers. The log has the full message.
    """
    return next((reason for kind, reason in _FAILURES if isinstance(error, kind)), "the step failed")


def describe_failure(error: Exception) -> str:
    """Return the type of a failure and a fixed sentence about it that contains nothing secret."""
    return f"{type(error).__name__}: {failure_reason(error)}; the log has the details"
