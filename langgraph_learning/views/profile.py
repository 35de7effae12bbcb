"""Views of user profiles, of any schema."""

from pydantic import BaseModel

from langgraph_learning.schemas import UserProfile
from langgraph_learning.views.markup import Html, data, html, pairs, quiet, with_style


def profile_table(profile: BaseModel) -> Html:
    """Return the fields of a profile with their values."""
    rows = [(name.replace("_", " "), _value_cell(getattr(profile, name, None))) for name in type(profile).model_fields]
    return with_style(pairs(type(profile).__name__, rows))


@html.register
def _profile(profile: UserProfile) -> Html:
    return profile_table(profile)


def _value_cell(value: object) -> Html:
    if value is None or value == [] or value == {}:
        return quiet("not known")
    if isinstance(value, dict):
        value = [f"{key}: {said}" for key, said in value.items()]
    return data(", ".join(map(str, value)) if isinstance(value, (list, tuple, set)) else str(value))
