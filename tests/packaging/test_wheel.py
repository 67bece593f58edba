"""What is shipped: the wheel, built from the tracked files and tried in an empty environment.

Its dependencies have the versions that the file in ORCHESTRATOR_PINS names; without one they are
the newest, as for whoever installs it today.
"""

import os
import subprocess
import sys
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.first_hour.pages import FIRST_HOUR, README, list_shown

pytestmark = [pytest.mark.packaging, pytest.mark.timeout(900)]

CHECKOUT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Installed:
    """A wheel in an environment of its own, and an empty place to call it from."""

    wheel: Path
    bin: Path
    nowhere: Path

    def call(self, *argv: str) -> "subprocess.CompletedProcess[str]":
        """Call a program of the environment as a newcomer would: nothing set, nothing there."""
        home = self.nowhere / "home"
        home.mkdir(exist_ok=True)
        return subprocess.run(
            [self.bin / argv[0], *argv[1:]],
            cwd=self.nowhere,
            env={"HOME": str(home), "PATH": f"{self.bin}:{os.defpath}", "LANG": "C.UTF-8"},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tracked files, so that the checkout stays as it is."""
    copy = tmp_path_factory.mktemp("tree")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=CHECKOUT, capture_output=True, check=True
    ).stdout
    for name in filter(None, listed.decode().split("\0")):
        source, target = CHECKOUT / name, copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
    return copy


@pytest.fixture(scope="module")
def wheel(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel."""
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--wheel", "--outdir", str(out), str(tree))
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel with its dependencies and Claude Code, and nothing else."""
    return install(wheel, "[claude]", tmp_path_factory)


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel with its dependencies, as for those who have Claude Code."""
    return install(wheel, "", tmp_path_factory)


def install(wheel: Path, extra: str, folders: pytest.TempPathFactory) -> Installed:
    where = folders.mktemp("environment")
    venv.create(where, with_pip=True)
    run(str(where / "bin" / "python"), "-m", "pip", "install", "-q", f"{wheel}{extra}")
    return Installed(wheel, where / "bin", folders.mktemp("nowhere"))


@pytest.fixture(scope="module")
def installers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with uv, pipx and pip."""
    where = tmp_path_factory.mktemp("installers")
    venv.create(where, with_pip=True)
    run(str(where / "bin" / "python"), "-m", "pip", "install", "-q", "uv", "pipx")
    return where / "bin"


def run(*argv: str, cwd: str | Path = "/", **variables: str) -> str:
    """Run a build step with the user's own settings; return its output, and show it on failure."""
    env = {**os.environ, **variables}
    if pins := env.get("ORCHESTRATOR_PINS"):
        # As an address, because pip takes a space in this variable for the end of a name.
        env["PIP_CONSTRAINT"] = (CHECKOUT / pins).as_uri()
        env["UV_CONSTRAINT"] = str(CHECKOUT / pins)
    # What leads pip to packages on this machine leads uv there as well.
    for ours, theirs in (("PIP_CERT", "SSL_CERT_FILE"), ("PIP_FIND_LINKS", "UV_FIND_LINKS")):
        if ours in env:
            env.setdefault(theirs, env[ours])
    done = subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_what_is_inside(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as file:
        names = set(file.namelist())
    prompts = {path.name for path in (CHECKOUT / "prompts").glob("*.md")}
    workflows = {path.name for path in (CHECKOUT / "teacher" / "n8n").iterdir()}
    example = {
        path.relative_to(CHECKOUT)
        for path in (CHECKOUT / "example_project").rglob("*.*")
        if "__pycache__" not in path.parts and ".pytest_cache" not in path.parts
    }
    assert len(prompts) >= 9
    assert len(workflows) >= 7
    assert len(example) >= 11
    assert {f"prompts/{name}" for name in prompts} <= names
    assert {f"teacher/n8n/{name}" for name in workflows} <= names
    assert {f"orchestrator/data/{path}" for path in example} <= names
    assert {"orchestrator/data/config.yaml", "orchestrator/data/demo.yaml"} <= names
    pages = {path.name for path in (CHECKOUT / "docs").glob("*.md")}
    assert len(pages) >= 10
    assert {f"orchestrator/data/docs/{name}" for name in pages} <= names
    assert {"orchestrator/data/README.md", "orchestrator/data/N8N_SETUP.md"} <= names
    (info,) = {name.split("/")[0] for name in names if ".dist-info/" in name}
    assert f"{info}/licenses/LICENSE" in names
    tops = {name.split("/")[0] for name in names}
    assert tops == {"orchestrator", "teacher", "prompts", "prompt_learning_loop.py", info}
    assert [name for name in names if "__pycache__" in name or name.endswith(".pyc")] == []


def test_it_works_outside_the_checkout(installed: Installed) -> None:
    version = installed.wheel.name.split("-")[1]
    done = installed.call("orchestrator", "--version")
    assert (done.returncode, done.stdout) == (0, f"orchestrator, version {version}\n"), done.stderr
    done = installed.call("orchestrator", "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Usage: orchestrator ")
    done = installed.call("orchestrator", "config", "show")
    assert done.returncode == 0, done.stderr
    assert 'teacher:\n  mode: "auto"' in done.stdout or "teacher:\n  mode: auto" in done.stdout
    done = installed.call("orchestrator", "docs", "rules")
    assert (done.returncode, done.stdout.startswith("# Rules\n")) == (0, True), done.stderr
    done = installed.call("python", "-c", "import orchestrator; print(orchestrator.__file__)")
    assert str(installed.bin.parent) in done.stdout


def test_the_demo_runs_outside_the_checkout(installed: Installed) -> None:
    done = installed.call("orchestrator", "demo")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("\n  yes  ") == 4
    assert done.stderr == ""
    left = [path.name for path in installed.nowhere.rglob("*") if path.is_file()]
    assert left == []


def test_its_requirements_agree(installed: Installed, bare: Installed) -> None:
    for each in (installed, bare):
        done = each.call("python", "-m", "pip", "check")
        assert done.returncode == 0, done.stdout


def test_whoever_has_claude_code_installs_no_second_one(bare: Installed) -> None:
    files = [path for path in bare.bin.parent.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files if not path.is_symlink()) < 200e6
    assert bare.call("python", "-c", "import claude_agent_sdk").returncode == 1
    done = bare.call("orchestrator", "config", "show")
    assert done.returncode == 0, done.stderr
    (bare.nowhere / "test_a.py").write_text("def test_it():\n    assert False\n", encoding="utf-8")
    done = bare.call("orchestrator", "run", "do the task")
    assert (done.returncode, done.stdout.count("Traceback")) == (3, 0), done.stderr
    assert "Claude Code is not installed" in done.stderr
    assert "claude-agent-sdk" in done.stderr


INSTALL = ("uv tool install .", "pipx install .", "pip install .")
UNINSTALL = {
    "uv": "uv tool uninstall prompt-learning-loop",
    "pipx": "pipx uninstall prompt-learning-loop",
    "pip": "pip uninstall --yes prompt-learning-loop",
}


@dataclass(frozen=True)
class Visit:
    """A program that was installed as a page shows, called, and removed again."""

    commands: tuple[str, str]
    version: str
    is_left: bool


@pytest.fixture(scope="module", params=INSTALL)
def visit(
    request: pytest.FixtureRequest,
    tree: Path,
    installers: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Visit:
    """Install, call and remove the program; here, because a test itself reaches no index."""
    tool, *words = request.param.split()
    tools = tmp_path_factory.mktemp("tools")
    variables = {
        **{"UV_TOOL_DIR": str(tools / "uv"), "UV_TOOL_BIN_DIR": str(tools / "bin")},
        **{"PIPX_HOME": str(tools / "pipx"), "PIPX_BIN_DIR": str(tools / "bin")},
        "PATH": f"{installers}{os.pathsep}{os.environ['PATH']}",
    }
    # pip installs beside itself; the other two have folders of their own.
    program = (installers if tool == "pip" else tools / "bin") / "orchestrator"
    run(str(installers / tool), *words, cwd=tree, **variables)
    version = run(str(program), "--version", **variables)
    run(str(installers / tool), *UNINSTALL[tool].split()[1:], **variables)
    return Visit((request.param, UNINSTALL[tool]), version, program.exists())


def test_each_way_to_install_and_uninstall_that_the_pages_show(visit: Visit) -> None:
    shown = {each.text for page in (README, FIRST_HOUR) for each in list_shown(page)}
    assert set(visit.commands) <= shown
    assert visit.version.startswith("orchestrator, version ")
    assert not visit.is_left
