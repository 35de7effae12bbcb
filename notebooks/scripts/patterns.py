"""What the model says in notebooks: written by hand, played where no model is named."""

from langchain_core.messages import AIMessage

from langgraph_learning.testing import call, op
from notebooks.cookbook import Script


def personal_assistant() -> Script:
    """Return what the model says in `07_patterns/01_personal_assistant.ipynb`."""
    sarah, session = {"entity": "Sarah", "entity_type": "person"}, "update_session_context"
    return Script(
        replies=[
            "How nice that Sarah comes!",
            "You are Alex Chen; Sarah is your sister, and she visits next week.",
            "A hike, then: pick a trail, book a table.",
            "Next: book a table.",
            "I do not know anybody of that name.",
        ],
        extractions=[
            [
                op("update_user_profile", name="Alex Chen", quote="I'm Alex Chen"),
                op("remember_about", **sarah, facts=["Visits next week"], quote="My sister Sarah"),
                op(
                    "link_entities",
                    entity="Sarah",
                    relation="sister of",
                    related_entity="person/Alex Chen",
                    quote="My sister Sarah",
                ),
                op(session, summary="Alex said that Sarah visits next week."),
            ],
            [op(session, summary="Alex asked what is known.")],
            [
                op("remember_about", **sarah, facts=["Likes hiking"], quote="she likes hiking"),
                op(
                    session,
                    summary="A hike was suggested for Sarah's visit.",
                    goal="Plan Sarah's visit",
                    plan=["Pick a trail", "Book a table"],
                ),
            ],
            [op(session, summary="The trail is picked.", progress=["Pick a trail"])],
            [op(session, summary="Ben asked about Sarah.")],
        ],
    )


def support_agent() -> Script:
    """Return what the model says in `07_patterns/02_support_agent.ipynb`."""

    def save(title: str, learning: str, number: int) -> AIMessage:
        return call("save_learning", title=title, learning=learning, call_id=f"s{number}")

    twice = op("retire_record", id="k2", because="k1 says the same of the blank page")
    return Script(
        replies=[
            "Please clear the cache of your browser.",
            save("Blank page", "A blank page in the portal goes away when the cache is cleared", 1),
            "Glad that it works again.",
            "Clear the cache of your browser: that has helped others.",
            save(
                "Empty portal", "When the portal stays empty, clearing the browser cache helps", 2
            ),
            save("Slow portal", "Reinstall the portal when it is slow", 3),
            "Noted, both.",
            "Reinstall the portal.",
            "Reinstall the portal.",
        ],
        extractions=[
            [
                op("update_user_profile", name="Carla", quote="I'm Carla"),
                op("remember_about", entity="Portal", entity_type="product", quote="your portal"),
            ],
            *[[]] * 5,
            [twice],
            [twice],
        ],
    )
