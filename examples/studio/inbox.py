"""What waits for a person, whichever conversation it came from; start it with an empty input and a user."""

from examples.studio.support_agent import learning

graph = learning.inbox().compile(name="inbox")
