"""What n8n's public API shows about the executions of the workflow behind a webhook."""

from __future__ import annotations

import pytest

from teacher.saved_executions import ExecutionWatch, LookError, SavedExecutions
from tests.teacher.n8n_api import DROPPED, KEY, FakeN8n, make_workflow


def watch(n8n: FakeN8n, key: str = KEY, end_seconds: float = 5.0) -> SavedExecutions:
    watch = ExecutionWatch(n8n.webhook, key, end_seconds)
    watch.start()
    return watch.finish()


def test_nothing_is_saved() -> None:
    with FakeN8n(saved=[[7], [7, 5]]) as n8n:
        assert watch(n8n) == SavedExecutions((), ())


def test_an_execution_since_the_start_is_saved() -> None:
    with FakeN8n(saved=[[7], [9, 7, 5]]) as n8n:
        assert watch(n8n).listed == (9,)


def test_the_end_of_the_execution_is_awaited() -> None:
    with FakeN8n(saved=[[7], [9, 7]], running=[[9], [9], []]) as n8n:
        assert watch(n8n).listed == (9,)
        assert len([each for each in n8n.asked if "status=running" in each]) == 3


def test_one_that_does_not_end_is_not_awaited_for_ever() -> None:
    with FakeN8n(saved=[[7]], running=[[9]]) as n8n:
        assert watch(n8n, end_seconds=0).listed == ()


def test_an_older_one_that_still_runs_is_not_awaited() -> None:
    with FakeN8n(saved=[[7]], running=[[6]]) as n8n:
        assert watch(n8n, end_seconds=600).listed == ()


@pytest.mark.parametrize(
    ("settings", "kinds"),
    [
        (DROPPED, ()),
        ({"executionOrder": "v1"}, ("successful", "failed", "manual")),
        ({**DROPPED, "saveDataErrorExecution": "all"}, ("failed",)),
        ({**DROPPED, "saveDataSuccessExecution": "DEFAULT"}, ("successful",)),
        ({**DROPPED, "saveManualExecutions": True}, ("manual",)),
        ({**DROPPED, "saveExecutionProgress": True}, ("unfinished",)),
    ],
)
def test_kinds_that_the_settings_do_not_drop(
    settings: dict[str, object], kinds: tuple[str, ...]
) -> None:
    with FakeN8n([[make_workflow(settings)]]) as n8n:
        assert watch(n8n).kinds == kinds


def test_the_workflow_is_found_on_a_later_page_and_below_a_prefix() -> None:
    pages = [[make_workflow(path="other")], [make_workflow(path="x"), make_workflow()]]
    with FakeN8n(pages, prefix="/n8n") as n8n:
        assert watch(n8n) == SavedExecutions((), ())
        assert all(each.startswith("/n8n/api/v1/") for each in n8n.asked)


def test_the_published_version_counts_not_only_the_edited_one() -> None:
    published = make_workflow(path="moved") | {"activeVersion": make_workflow()}
    published["id"] = make_workflow()["id"]
    with FakeN8n([[published]]) as n8n:
        assert watch(n8n) == SavedExecutions((), ())


@pytest.mark.parametrize(
    ("fake", "key", "problem"),
    [
        (FakeN8n(), "another", "refuses the key in N8N_API_KEY"),
        (FakeN8n(status=403), KEY, "lacks the scope workflow:list"),
        (FakeN8n(status=404), KEY, "no public API at /api/v1"),
        (FakeN8n(status=502), KEY, "answered 502"),
        (FakeN8n([[make_workflow(path="other")]]), KEY, "no published workflow with the webhook"),
        (FakeN8n(body=b"<html>"), KEY, "is not n8n's API"),
        (FakeN8n(body=b"[" * 100_000), KEY, "is not n8n's API"),
        (FakeN8n(body=b"[]"), KEY, "is not n8n's API"),
        (FakeN8n(body=b'{"data": 3}'), KEY, "is not n8n's API"),
        (FakeN8n(body=b'{"data": [], "nextCursor": "\\ud800"}'), KEY, "no published workflow"),
        (FakeN8n(body=b'{"data": [], "nextCursor": "%s"}' % (b"x" * 99_999)), KEY, "URL too long"),
    ],
)
def test_why_it_cannot_look(fake: FakeN8n, key: str, problem: str) -> None:
    with fake as n8n, pytest.raises(LookError) as refused:
        ExecutionWatch(n8n.webhook, key).start()
    assert problem in refused.value.problem
    assert KEY not in str(refused.value)


def test_a_list_of_workflows_without_end_is_given_up() -> None:
    pages = FakeN8n(body=b'{"data": [], "nextCursor": "more"}')
    with pages as n8n, pytest.raises(LookError, match="for more than 0 s"):
        ExecutionWatch(n8n.webhook, KEY, look_seconds=0).start()
    assert len(n8n.asked) == 1


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://127.0.0.1:9/webhook/x", "was not reached"),
        ("http://127.0.0.1:9/hooks/x", "does not have the form"),
        ("http://127.0.0.1:9/webhook/", "does not have the form"),
        (f"http://{'x' * 70}.example/webhook/x", "was not reached"),
        ("http://host\x7f/webhook/x", "was not reached"),
    ],
)
def test_an_address_without_an_api(url: str, problem: str) -> None:
    with pytest.raises(LookError, match=problem):
        ExecutionWatch(url, KEY).start()
