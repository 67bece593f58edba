from __future__ import annotations

from datetime import date, datetime
from typing import get_args

import pytest
from anthropic.resources.messages.messages import DEPRECATED_MODELS
from anthropic.types.model import Model as SdkModel

from teacher.catalog import ALIASES, CURRENT, DEFAULT_MODEL, RETIRED, RETIRING, resolve
from teacher.models import Usage

TODAY = date(2026, 11, 21)
SDK_MODELS = {name for part in get_args(SdkModel) for name in get_args(part)}


def test_the_sdks_models_are_known() -> None:
    assert SDK_MODELS
    assert set(CURRENT) | set(RETIRED) >= SDK_MODELS
    assert set(CURRENT) <= SDK_MODELS


def test_the_sdks_end_of_life_dates_are_ours() -> None:
    assert DEPRECATED_MODELS
    for name, text in DEPRECATED_MODELS.items():
        month, day, year = text.replace(",", "").split()
        number = "".join(filter(str.isdigit, day))
        last_day = datetime.strptime(f"{month} {number} {year} +0000", "%B %d %Y %z").date()
        if name in RETIRING:
            assert RETIRING[name][0] == last_day
        else:
            assert name in RETIRED
            assert last_day < TODAY


def test_replacements_are_current() -> None:
    replacements = {*RETIRED.values(), *(new for _, new in RETIRING.values()), *ALIASES.values()}
    assert {*replacements, DEFAULT_MODEL} <= set(CURRENT)
    assert not set(RETIRED) & set(CURRENT)
    for name in {*replacements, DEFAULT_MODEL}:
        assert resolve(name, TODAY).notice == ""


def test_a_current_name_and_an_alias_need_no_word() -> None:
    assert resolve("claude-opus-5-5") == resolve("opus") == CURRENT["claude-opus-5-5"]


def test_a_retired_name_gives_its_replacement_and_a_notice() -> None:
    model = resolve("claude-3-opus-20240229")
    assert model.id == "claude-opus-5-5"
    assert model.price == CURRENT["claude-opus-5-5"].price
    assert "claude-3-opus-20240229 was retired; using claude-opus-5-5" in model.notice


def test_a_name_that_retires_soon_works_until_then() -> None:
    last_day = RETIRING["claude-sonnet-4-5"][0]
    before = resolve("claude-sonnet-4-5", last_day)
    assert before.id == "claude-sonnet-4-5"
    assert "retires on 2026-11-30; set teacher.model to claude-sonnet-5-5" in before.notice
    after = resolve("claude-sonnet-4-5", date(2026, 12, 1))
    assert after.id == "claude-sonnet-5-5"
    assert "was retired" in after.notice


def test_an_unknown_name_is_passed_on_and_billed_like_opus() -> None:
    model = resolve("claude-next-1")
    assert (model.id, model.price) == ("claude-next-1", CURRENT["claude-opus-5-5"].price)


@pytest.mark.parametrize(
    ("name", "usage", "dollars"),
    [
        ("claude-opus-5-5", Usage(200, 100), 0.0028),
        ("claude-sonnet-5-5", Usage(1_000_000, 1_000_000), 12),
        ("claude-haiku-5-5", Usage(1_000_000, 1_000_000), 3),
        ("claude-haiku-5-5", Usage(100_000, 0), 0.01),
        ("claude-haiku-5-5", Usage(100_001, 0), 0.0500005),
        ("claude-haiku-5-5", Usage(60_000, 0, cache_read_tokens=60_000), 0.033),
        ("claude-haiku-5-5", Usage(60_000, 0, cache_write_tokens=60_000), 0.0675),
        ("claude-fable-5-2", Usage(cache_read_tokens=100_000), 0.02),
        ("claude-sonnet-4-6", Usage(cache_write_tokens=100_000), 0.375),
    ],
)
def test_costs_are_those_that_claude_code_was_seen_to_bill(
    name: str, usage: Usage, dollars: float
) -> None:
    assert CURRENT[name].cost(usage) == pytest.approx(dollars)
