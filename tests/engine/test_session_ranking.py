"""The ranking of what stands in sessions, as a function of what a search said of it."""

from langgraph_learning._engine.recall.session_ranking import Signals, rank_sessions


def test_a_message_counts_with_the_words_and_the_meaning_of_those_around_it() -> None:
    by_words = rank_sessions({("a", 3): Signals(words=2.0), ("b", 3): Signals(words=1.0)})
    assert by_words[0].place == ("a", 3)
    assert by_words[1].place in {("a", 2), ("a", 4)}  # beside the best, before the other one that matches
    assert all(each.parts["meaning"] == 0.0 for each in by_words)  # nobody has compared any
    alike = {("a", 3): 0.89, ("a", 4): 0.81, ("b", 3): 0.82, ("c", 7): 0.80, ("d", 1): 0.79}
    by_meaning = [each.place for each in rank_sessions({place: Signals(meaning=m) for place, m in alike.items()})]
    assert by_meaning[0] == ("a", 3)
    assert by_meaning.index(("a", 4)) < by_meaning.index(("b", 3))  # .81 beside .89 is better than .82 alone


def test_similarities_that_all_lie_high_count_no_message_for_having_neighbours_at_all() -> None:
    alike = {("a", place): 0.80 for place in range(5)} | {("b", 9): 0.84, ("c", 1): 0.80}
    ranked = rank_sessions({place: Signals(meaning=m) for place, m in alike.items()})
    assert ranked[0].place == ("b", 9)
    assert all(part >= 0.0 for each in ranked for part in each.parts.values())


def test_similarities_that_are_all_the_same_say_nothing() -> None:
    ranked = rank_sessions({("a", 1): Signals(1.0, 0.5), ("b", 1): Signals(2.0, 0.5)})
    assert ranked[0].place == ("b", 1)
    assert ranked[0].parts["meaning"] == 0.0
