"""Execute the commands of docs/tasks.md, in their order, with the list that the page shows.

The agent is a shell script; everything else is real: processes, git, pytest.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.services.documentation import find_document
from orchestrator.tasks.models import TaskState
from tests.cli.conftest import CHECKOUT
from tests.first_hour.pages import ROOT, list_shown
from tests.trusting import trust_project

PAGE = ROOT / "docs" / "tasks.md"
FILES = {
    "shop/__init__.py": "",
    "shop/total.py": "def add(amounts):\n    return sum(amounts)\n",
    "shop/prices.py": "def parse(text):\n    return float(text)\n",
    "shop/invoice.py": "def show(amounts):\n    return 'invoice'\n",
    "tests/test_shop.py": (
        "from shop import invoice, prices, total\n\n\n"
        "def test_it():\n    assert total.add([1, 2]) == 3\n    assert prices.parse('1.5') == 1.5\n"
        "    assert 'invoice' in invoice.show([1])\n"
    ),
    "acceptance/test_rounding.py": (
        "from shop import total\n\n\ndef test_it():\n    assert total.add([0.1, 0.2]) == 0.3\n"
    ),
}
AGENT = """
case "$(printf '%s' "$1" | head -n 1)" in
*"Round totals"*)
    sed -i 's/return sum(amounts)/return round(sum(amounts), 2)/' shop/total.py ;;
*"decimal comma"*)
    sed -i "s/float(text)/float(text.replace(',', '.'))/" shop/prices.py ;;
*"on the invoice"*)
    printf 'from shop import total\\n\\n\\ndef show(amounts):\\n' > shop/invoice.py
    printf "    return f'invoice {total.add(amounts)}'\\n" >> shop/invoice.py ;;
esac
echo "It is done."
"""


@pytest.fixture
def shop(project: Path, tmp_path: Path) -> Path:
    """Return a project with the list of the page, which is not committed, as it often is."""
    agent = tmp_path / "agent.sh"
    agent.write_text(AGENT, encoding="utf-8")
    settings = {
        "tests": {"framework": "pytest", "command": "python -m pytest tests"},
        "agent": {"kind": "command", "command": ["sh", str(agent), "{prompt}"]},
        "learning": {"max_retries": 0},
    }
    files = {**FILES, "orchestrator.yaml": json.dumps(settings), "fix_plan.md": find_list()}
    files[".gitignore"] = "__pycache__/\n.pytest_cache/\n"
    for name, text in files.items():
        (project / name).parent.mkdir(exist_ok=True)
        (project / name).write_text(text, encoding="utf-8")
    commands = (["init", "-q"], ["add", "-A"], ["rm", "-q", "--cached", "fix_plan.md"])
    for arguments in (*commands, ["commit", "-q", "-m", "as it is"]):
        subprocess.run(["git", *arguments], cwd=project, check=True)
    trust_project(project)
    return project


def find_list() -> str:
    """Return the list that the page shows."""
    found = re.search(r"^```markdown\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.M)
    assert found
    return found[1]


def execute(command: str, folder: Path) -> str:
    """Execute a command of the page, and return what it printed."""
    program = f"{sys.executable} -m orchestrator"
    done = subprocess.run(
        ["/bin/sh", "-c", re.sub("^orchestrator", program, command)],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(CHECKOUT),
            **{"ANTHROPIC_API_KEY": "a-key-for-tests", "ANTHROPIC_BASE_URL": "http://127.0.0.1:9"},
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"$ {command}\n{done.stdout}{done.stderr}"
    assert done.stdout.strip(), f"{command} prints nothing"
    assert "Traceback" not in done.stderr
    return done.stdout


@pytest.mark.whole
@pytest.mark.timeout(600)
def test_each_command_of_the_page_works_in_the_order_of_the_page(shop: Path) -> None:
    shown = list_shown(PAGE)
    assert len(shown) >= 7
    base, branch = "", ""
    for each in shown:
        printed = execute(each.text.replace("BRANCH", branch).replace("BASE", base), shop)
        if found := re.search(r"git cherry-pick (\w+)\.\.(orchestrator/tasks-[\w-]+)", printed):
            base, branch = found[1], found[2]
    assert branch
    text = (shop / "fix_plan.md").read_text(encoding="utf-8")
    ticked = find_list().replace("- [ ]", "- [x]", 3)
    assert text == ticked, "three boxes are ticked, and every other byte is as it was"
    assert "round(" in (shop / "shop" / "total.py").read_text()
    assert "total.add" in (shop / "shop" / "invoice.py").read_text()
    status = subprocess.run(
        ["git", "status", "--porcelain"], cwd=shop, check=True, capture_output=True, text=True
    )
    assert status.stdout.split() == ["??", "fix_plan.md"]


def test_the_page_names_each_state_that_needs_a_word() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for word in ("quarantined", "on hold", "proposal", "blocked", "needs you", "lane"):
        assert word in text, word
    assert TaskState.QUARANTINED in text


def test_the_page_is_part_of_the_documentation() -> None:
    assert find_document("tasks").title == "Lists of tasks"
