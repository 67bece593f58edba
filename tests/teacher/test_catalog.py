from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest

from teacher import prices
from teacher.catalog import (
    ALIASES,
    DEFAULT_MODEL,
    _parse_day,
    _read_last_days,
    _read_sdk_last_days,
    resolve_model,
)
from teacher.models import Usage
from teacher.prices import OWN_PRICES, build_price_notice, calculate_cost

if TYPE_CHECKING:
    from pathlib import Path

TODAY = date(2026, 11, 21)
LAST_DAYS = {"claude-sonnet-4-5": date(2026, 11, 30), "claude-sonnet-5-5": date(2028, 1, 1)}
BILLED = datetime(2026, 11, 20, tzinfo=UTC)
"""When Claude Code's bills were read; what prices are since then does not matter here."""


def test_the_installed_sdk_is_asked_when_models_retire() -> None:
    assert _read_sdk_last_days()
    name, last_day = max(_read_sdk_last_days().items(), key=lambda item: item[1])
    assert "retires on" in resolve_model(name, last_day).notice
    assert "was retired" in resolve_model(name, date.max).notice


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("January 22nd, 2027", date(2027, 1, 22)),
        ("June 30th, 2026", date(2026, 6, 30)),
        ("March 1st, 2027", date(2027, 3, 1)),
        ("Juni 30th, 2026", None),
        ("February 30th, 2026", None),
        ("2026-06-30", None),
        ("soon", None),
    ],
)
def test_days_are_read_as_the_sdk_writes_them(text: str, day: date | None) -> None:
    assert _parse_day(text) == day


@pytest.mark.parametrize("name", [DEFAULT_MODEL, *ALIASES.values()])
def test_the_models_that_we_choose_have_a_price_and_need_no_notice(name: str) -> None:
    assert build_price_notice(name) == ""
    assert resolve_model(name, TODAY, LAST_DAYS | {"claude-sonnet-5-5": date.max}).id == name
    assert resolve_model(name, TODAY, {}).notice == ""


def test_an_alias_is_the_model_of_its_family() -> None:
    assert resolve_model("opus", TODAY, {}).id == "claude-opus-5-5"
    assert all(alias in name.split("-") for alias, name in ALIASES.items())


@pytest.mark.parametrize(
    ("name", "replacement"),
    [
        ("claude-3-opus-20240229", "claude-opus-5-5"),
        ("claude-opus-4-1", "claude-opus-5-5"),
        ("claude-opus-4-0", "claude-opus-5-5"),
        ("claude-3-5-sonnet-20241022", "claude-sonnet-5-5"),
        ("claude-sonnet-4-20250514", "claude-sonnet-5-5"),
        ("claude-3-5-haiku-latest", "claude-haiku-5-5"),
        ("claude-instant-1.2", "claude-haiku-5-5"),
        ("claude-mythos-preview", "claude-mythos-5-2"),
        ("claude-2.1", DEFAULT_MODEL),
        ("claude-1.3-100k", DEFAULT_MODEL),
    ],
)
def test_a_name_that_is_long_gone_gives_its_replacement_and_a_notice(
    name: str, replacement: str
) -> None:
    model = resolve_model(name, TODAY, {})
    assert model.id == replacement
    assert f"{name} was retired; using {replacement} instead" in model.notice


@pytest.mark.parametrize("name", ["claude-opus-4-5", "claude-opus-4-10", "claude-sonnet-4-6"])
def test_a_later_model_is_not_taken_for_a_retired_one(name: str) -> None:
    assert resolve_model(name, TODAY, {}).id == name


def test_a_name_that_retires_soon_works_until_then() -> None:
    before = resolve_model("claude-sonnet-4-5", date(2026, 11, 30), LAST_DAYS)
    assert before.id == "claude-sonnet-4-5"
    assert "retires on 2026-11-30; set teacher.model to claude-sonnet-5-5" in before.notice
    after = resolve_model("claude-sonnet-4-5", date(2026, 12, 1), LAST_DAYS)
    assert after.id == "claude-sonnet-5-5"
    assert "was retired" in after.notice


def test_the_default_model_is_used_after_its_last_day_with_a_notice() -> None:
    """An old version of ours beside a new SDK: nothing newer is known, and the API decides."""
    soon = resolve_model(DEFAULT_MODEL, date(2027, 12, 1), LAST_DAYS)
    assert (soon.id, soon.notice) == (DEFAULT_MODEL, f"{DEFAULT_MODEL} retires on 2028-01-01")
    late = resolve_model(DEFAULT_MODEL, date(2028, 1, 2), LAST_DAYS)
    assert late.id == DEFAULT_MODEL
    assert "was retired; set teacher.model to one that the API has" in late.notice


def test_a_name_that_nobody_knows_is_passed_on_priced_high_and_said_to_be() -> None:
    model = resolve_model("claude-next-1", TODAY, {})
    assert model.id == "claude-next-1"
    assert model.notice.startswith("the price of claude-next-1 is not known; it is counted like")
    assert model.notice == build_price_notice("claude-next-1")
    for usage in (
        Usage(1000),
        Usage(output_tokens=1000),
        Usage(cache_read_tokens=1000),
        Usage(300_000, 10, 10, 10),
    ):
        known = [calculate_cost(name, usage) for name in (*ALIASES.values(), *OWN_PRICES)]
        assert calculate_cost("claude-next-1", usage) >= max(known) > 0


def test_other_vendors_models_have_their_own_prices() -> None:
    """A workflow behind the webhook may ask any model."""
    assert (
        0
        < calculate_cost("gpt-4o", Usage(1000, 1000))
        < calculate_cost("claude-next-1", Usage(1000, 1000))
    )


@pytest.mark.parametrize("name", [DEFAULT_MODEL, "claude-mythos-5", "claude-next-1"])
def test_a_bill_never_gives_money_back(name: str) -> None:
    assert calculate_cost(name, Usage(-1_000_000, -1, -5, -5)) == 0
    assert calculate_cost(name, Usage(-1_000_000, 10)) == calculate_cost(name, Usage(0, 10)) > 0


def test_own_prices_stand_only_where_the_library_has_none() -> None:
    for name, price in OWN_PRICES.items():
        assert prices._find_library_cost(name, Usage(10), BILLED) is None
        assert price.source


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
        ("claude-mythos-5-1", Usage(cache_read_tokens=100_000), 0.025),
        ("claude-mythos-5", Usage(cache_write_tokens=100_000), 1.25),
        ("claude-sonnet-4-6", Usage(cache_write_tokens=100_000), 0.375),
    ],
)
def test_costs_are_those_that_claude_code_was_seen_to_bill(
    name: str, usage: Usage, dollars: float
) -> None:
    assert calculate_cost(name, usage, BILLED) == pytest.approx(dollars)


@pytest.mark.parametrize(
    "text",
    [
        "from .elsewhere import DEPRECATED_MODELS",
        "DEPRECATED_MODELS = ['claude-a']",
        "DEPRECATED_MODELS = {'claude-a': None, 1: 2}",
        "MODELS = {}",
        "this is no Python",
        None,
    ],
)
def test_an_sdk_whose_table_has_another_form_says_nothing(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "deprecated_models.py"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    assert _read_last_days(file) == {}


@pytest.mark.parametrize(
    "name",
    [
        "anthropic/claude-sonnet-5-5",
        "eu.anthropic.claude-sonnet-5-5-20260901-v1:0",
        "claude-sonnet-5-5@20260901",
        "Claude-Sonnet-5-5",
    ],
)
def test_a_model_has_one_price_however_a_cloud_names_it(name: str) -> None:
    usage = Usage(1000, 1000)
    assert calculate_cost(name, usage, BILLED) == calculate_cost("claude-sonnet-5-5", usage, BILLED)
    assert build_price_notice(name) == ""
    own = name.lower().replace("sonnet-5-5", "mythos-5")
    assert calculate_cost(own, usage, BILLED) >= calculate_cost("claude-mythos-5", usage, BILLED)


def test_a_model_that_is_not_billed_by_tokens_is_not_taken_for_free() -> None:
    assert build_price_notice("whisper-1")
    assert calculate_cost("whisper-1", Usage(1000, 1000)) > 0


def test_a_name_of_any_length_makes_a_short_notice() -> None:
    assert len(build_price_notice("x" * 100_000)) < 250
