from orchestrator.sessions.detectors.cache_misses import find_cache_misses
from orchestrator.sessions.models import Usage
from tests.sessions.hand_made import Script, build_session

WRITTEN = Usage(input=10, cache_read=0, cache_write=60_000)
HIT = Usage(input=10, cache_read=60_000, cache_write=500)
MISS = Usage(input=10, cache_read=0, cache_write=61_000)


def find_lost(script: Script) -> list[int]:
    return [each.detail["tokens"] for each in find_cache_misses(build_session(script))]


def test_a_miss_is_found() -> None:
    assert find_lost(Script().answer(WRITTEN).answer(HIT).answer(MISS)) == [60_500]


def test_hits_are_none() -> None:
    assert find_lost(Script().answer(WRITTEN).answer(HIT).answer(HIT)) == []


def test_a_compaction_a_change_of_the_model_and_a_failed_request_are_excused() -> None:
    assert find_lost(Script().answer(WRITTEN).compact().answer(MISS)) == []
    assert find_lost(Script().answer(WRITTEN).answer(MISS, model="other")) == []
    assert find_lost(Script().answer(WRITTEN).fail().answer(MISS)) == []


def test_a_cache_that_has_expired_is_excused() -> None:
    script = Script().answer(WRITTEN)
    for _ in range(5):
        script.prompt("...")
    assert find_lost(script.answer(MISS)) == []


def test_few_tokens_and_small_shares_are_none() -> None:
    few = Usage(cache_write=9_000)
    assert find_lost(Script().answer(few).answer(Usage(input=9_000))) == []
    most = Usage(cache_read=40_000, cache_write=20_000)
    assert find_lost(Script().answer(WRITTEN).answer(most)) == []


def test_subagents_have_a_cache_of_their_own() -> None:
    session = build_session(Script().answer(WRITTEN), Script("a1", 1).answer(MISS))
    assert not list(find_cache_misses(session))


def test_an_unreadable_time_is_excused() -> None:
    script = Script().answer(WRITTEN).answer(MISS)
    script.thread.entries[0].at = "?"
    assert find_lost(script) == []
