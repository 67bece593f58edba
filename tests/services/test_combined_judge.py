"""What the suite says about the tree of several works, with real git and real suites."""

import shlex
import sys
from pathlib import Path

import pytest

from orchestrator.errors import LoopError
from tests.services.judged_lists import JudgedList

PRICES = "def total(prices):\n    return sum(prices)\n"
TEST_PRICES = "from prices import total\n\ndef test_total():\n    assert total([1, 2]) == 3\n"
RENAMED = {
    "prices.py": PRICES.replace("total", "add_up"),
    "test_prices.py": TEST_PRICES.replace("total", "add_up"),
}
CALLER = {
    "cart.py": "from prices import total\n\ndef pay(cart):\n    return total(cart)\n",
    "test_cart.py": "from cart import pay\n\ndef test_pay():\n    assert pay([2, 3]) == 5\n",
}
FILES = {".gitignore": "__pycache__/\n", "prices.py": PRICES, "test_prices.py": TEST_PRICES}


@pytest.fixture
def listed(tmp_path: Path) -> JudgedList:
    return JudgedList(tmp_path, FILES)


def test_a_semantic_conflict_is_red_with_its_cases(listed: JudgedList) -> None:
    tip = listed.commit(listed.base, RENAMED)
    caller = listed.commit(listed.base, CALLER)
    judge = listed.open_judge()
    for alone in (tip, caller):
        assert judge.judge(alone, listed.base).green
    verdict = judge.judge(listed.combine(tip, caller), tip)
    assert not verdict.green
    assert verdict.failing == ("test_cart.py",)
    assert "cannot import name 'total'" in verdict.output
    assert "test_cart.py" in verdict.message
    assert "\n" not in verdict.message


@pytest.mark.whole
def test_a_tip_is_judged_once_and_green_trees_are_remembered(listed: JudgedList) -> None:
    count = listed.folder / "count"
    text = (
        "import pathlib\n\n"
        f"def test_count():\n    pathlib.Path({str(count)!r}).open('a').write('x')\n"
    )
    tip = listed.commit(listed.base, {**RENAMED, "test_count.py": text})
    other = listed.commit(listed.base, CALLER)
    combined = listed.combine(tip, other)
    assert not listed.open_judge().judge(combined, tip).green
    # The combined tree, the tip, and the failing file alone.
    assert len(count.read_text()) == 2
    assert not listed.open_judge().judge(combined, tip).green
    assert len(count.read_text()) == 3
    assert listed.open_judge().judge(tip, listed.base).green
    assert len(count.read_text()) == 3


@pytest.mark.whole
def test_cases_that_fail_on_the_tip_too_do_not_count(listed: JudgedList) -> None:
    old = "def test_old():\n    assert 1 == 2\n"
    tip = listed.commit(listed.base, {"test_old.py": old})
    work = listed.commit(tip, CALLER)
    assert listed.open_judge().judge(work, tip).green
    assert any("before too" in each for each in listed.notices)
    broken = listed.commit(work, {"cart.py": "def pay(cart):\n    return 0\n"})
    verdict = listed.open_judge().judge(broken, tip)
    assert verdict.failing == ("test_cart.py::test_pay",)


@pytest.mark.whole
def test_a_flaky_case_does_not_count(listed: JudgedList, tmp_path: Path) -> None:
    mark = tmp_path / "failed-once"
    flaky = (
        "import pathlib\n\n"
        f"mark = pathlib.Path({str(mark)!r})\n\n"
        "def test_flaky():\n"
        "    seen = mark.exists()\n"
        "    mark.touch()\n"
        "    assert seen\n"
    )
    work = listed.commit(listed.base, {"test_flaky.py": flaky})
    assert listed.open_judge().judge(work, listed.base).green
    assert any("failed once" in each for each in listed.notices)


@pytest.mark.whole
def test_a_case_that_fails_only_after_others_counts(listed: JudgedList) -> None:
    one = "import prices\n\ndef test_a():\n    prices.seen = True\n"
    two = "import prices\n\ndef test_b():\n    assert not hasattr(prices, 'seen')\n"
    tip = listed.commit(listed.base, {"test_a.py": one})
    work = listed.commit(listed.base, {"test_b.py": two})
    verdict = listed.open_judge().judge(listed.combine(tip, work), tip)
    assert verdict.failing == ("test_b.py::test_b",)


@pytest.mark.whole
def test_nothing_that_a_suite_writes_stays_and_bytecode_is_never_stale(listed: JudgedList) -> None:
    writes = (
        "import pathlib\n\n"
        "def test_writes():\n"
        "    pathlib.Path('left.py').write_text('x = 1')\n"
        "    pathlib.Path('prices.py').write_text('broken(')\n"
    )
    work = listed.commit(listed.base, {"test_zzz.py": writes})
    judge = listed.open_judge()
    assert judge.judge(work, listed.base).green
    # The same size, within the same second.
    wrong = listed.commit(listed.base, {"prices.py": PRICES.replace("sum", "max")})
    assert not judge.judge(wrong, listed.base).green
    assert not (judge.tree.top / "left.py").exists()
    assert listed.repository.snapshot_lane(judge.tree.top, wrong, "left") == wrong


@pytest.mark.whole
def test_secrets_in_the_output_are_masked(listed: JudgedList) -> None:
    text = "def test_leak():\n    assert 'hunter2-hunter2' == ''\n"
    verdict = listed.open_judge().judge(
        listed.commit(listed.base, {"test_leak.py": text}), listed.base
    )
    assert not verdict.green
    assert "hunter2" not in verdict.output + verdict.message


def test_only_the_exit_code_counts_for_other_frameworks(tmp_path: Path) -> None:
    command = f"{shlex.quote(sys.executable)} check.py"
    listed = JudgedList(
        tmp_path,
        {"check.py": "import state\nraise SystemExit(state.code)\n", "state.py": "code = 0\n"},
        tests={"framework": "command", "command": command},
    )
    judge = listed.open_judge()
    red = listed.commit(listed.base, {"state.py": "code = 1\n"})
    verdict = judge.judge(red, listed.base)
    assert not verdict.green
    assert "ended with 1" in verdict.message
    assert judge.judge(listed.commit(red, {"other.txt": "x"}), red).message.startswith(
        "the suite fails on the tip too"
    )
    assert judge.judge(listed.commit(red, {"state.py": "code = 0\n"}), red).green


@pytest.mark.whole
def test_a_work_that_keeps_the_suite_from_judging_is_red(listed: JudgedList) -> None:
    broken = listed.commit(listed.base, {"conftest.py": "import prices\nprices.gone()\n"})
    verdict = listed.open_judge().judge(broken, listed.base)
    assert not verdict.green
    assert "gone" in verdict.output
    further = listed.commit(broken, CALLER)
    with pytest.raises(LoopError, match="no verdict on the list's branch"):
        listed.open_judge().judge(further, broken)


@pytest.mark.whole
def test_processes_that_the_suite_leaves_are_ended(listed: JudgedList, tmp_path: Path) -> None:
    note = tmp_path / "pid"
    text = (
        "import pathlib, subprocess, sys\n\n"
        "def test_leaves():\n"
        "    child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'],"
        " start_new_session=True)\n"
        f"    pathlib.Path({str(note)!r}).write_text(str(child.pid))\n"
    )
    work = listed.commit(listed.base, {"test_leaves.py": text})
    assert listed.open_judge().judge(work, listed.base).green
    stat = Path(f"/proc/{note.read_text()}/stat")
    assert not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"


@pytest.mark.whole
def test_the_judge_is_prepared_like_a_lane(tmp_path: Path) -> None:
    prepare = f"{shlex.quote(sys.executable)} -c \"open('made.txt', 'w').write('x')\""
    text = (
        "import os, pathlib\n\n"
        "def test_prepared():\n"
        "    assert pathlib.Path('.env').read_text() == 'KEY=1'\n"
        "    assert pathlib.Path('made.txt').exists()\n"
        "    assert os.environ['ORCHESTRATOR_LANE'] == 'judge'\n"
        "    assert int(os.environ['WEB_PORT']) > 0\n"
        "    assert os.environ['TMPDIR'].endswith('judge.tmp')\n"
    )
    listed = JudgedList(
        tmp_path,
        {".gitignore": ".env\nmade.txt\n__pycache__/\n", "test_it.py": text},
        lanes={"prepare": prepare, "include": [".env"], "ports": ["WEB_PORT"]},
    )
    listed.write(".env", "KEY=1")
    verdict = listed.open_judge().judge(listed.base, listed.base)
    assert verdict.green, verdict.output


def test_what_a_suite_leaves_decides_about_no_other_tree(tmp_path: Path) -> None:
    made = "import pathlib; pathlib.Path('built').mkdir(); pathlib.Path('built/ok').touch()"
    listed = JudgedList(
        tmp_path,
        {**FILES, ".gitignore": "__pycache__/\ngen/\nbuilt/\n"},
        lanes={"prepare": shlex.join([sys.executable, "-c", made])},
    )
    leaves = (
        "import pathlib\n\ndef test_leaves():\n"
        "    for name in ('gen/data.txt', '.env', 'built/more'):\n"
        "        path = pathlib.Path(name)\n"
        "        path.parent.mkdir(exist_ok=True)\n"
        "        path.write_text('3')\n"
        "    assert pathlib.Path('built/ok').exists()\n"
    )
    one = listed.commit(listed.base, {"test_leaves.py": leaves})
    needs = {"prices.py": "import pathlib\ndef total(prices):\n    return %s\n"}
    judge = listed.open_judge()
    assert judge.judge(one, listed.base).green
    for name in ("gen/data.txt", ".env", "built/more"):
        text = needs["prices.py"] % f"int(pathlib.Path({name!r}).read_text())"
        assert not judge.judge(listed.commit(listed.base, {"prices.py": text}), listed.base).green
    again = listed.commit(one, {"other.txt": "x"})
    assert judge.judge(again, listed.base).green  # what its preparation made is there
