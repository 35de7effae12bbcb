from collections.abc import Iterator

import pytest
from hypothesis import settings
from postgres_server import a_database, any_postgres

from langgraph_learning._engine.background.learner import BackgroundLearner

# The same examples every time: a failure that comes and goes helps nobody who did not cause it.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def _no_learner_outlives_its_test(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """End the threads that learn behind the reply: a minute later they would look into a store that is gone."""
    started: list[BackgroundLearner] = []
    start = BackgroundLearner.start

    def start_noted(learner: BackgroundLearner) -> None:
        started.append(learner)
        start(learner)

    monkeypatch.setattr(BackgroundLearner, "start", start_noted)
    yield
    for learner in started:
        learner.stop()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The DSN of a server to make databases on."""
    with any_postgres() as dsn:
        yield dsn


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The URL of an empty database of this test's own, gone afterwards."""
    with a_database(postgres_server) as url:
        yield url
