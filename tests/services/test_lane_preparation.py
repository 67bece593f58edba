"""A lane has the user's ignored files, what its command made, and a TMPDIR and ports of its own."""

import os
import shlex
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import ConfigError, InfrastructureError
from orchestrator.services.lane_ports import reserve_ports
from orchestrator.services.lane_preparation import build_lane_environment, prepare_lane
from orchestrator.suites.environment import find_virtualenv
from tests.services.judged_lists import JudgedList

IGNORED = ".env\n*.key\nmade\n.venv/\n"


def python(code: str) -> str:
    return shlex.join([sys.executable, "-c", code])


class Prepared(JudgedList):
    """A list with one lane."""

    def __init__(self, folder: Path, **lanes: Any) -> None:
        super().__init__(folder, {".gitignore": IGNORED, "x.py": ""}, lanes=lanes)
        self.lane = self.folder / "lanes" / "1"
        self.repository.add_lane(self.lane, self.base)

    def prepare(self, **variables: str) -> tuple[str, ...]:
        log = self.lane.with_name("1.log")
        environment = {**os.environ, **variables}
        return prepare_lane(
            self.config,
            self.project,
            self.lane,
            log,
            environment=environment,
            masker=self.masker,
        )


def test_only_ignored_files_that_match_are_copied(tmp_path: Path) -> None:
    world = Prepared(tmp_path, include=[".env", "**/*.key", "x.py"])
    (tmp_path / "secret.key").write_text("secret")
    for name in (".env", "sub/a.key", "made", "b.txt"):
        world.write(name, name)
    (world.project / "out.key").symlink_to(tmp_path / "secret.key")
    (world.project / "in.key").symlink_to("sub/a.key")
    assert sorted(world.prepare()) == [".env", "in.key", "sub/a.key"]
    assert (world.lane / ".env").read_text() == ".env"
    assert (world.lane / "in.key").read_text() == "sub/a.key"
    assert not (world.lane / "in.key").is_symlink()
    assert not (world.lane / "out.key").exists()
    # What the user changes reaches the lane with its next run.
    world.write(".env", "new")
    world.prepare()
    assert (world.lane / ".env").read_text() == "new"
    assert world.repository.snapshot_lane(world.lane, world.base, "x") == world.base


def test_links_that_an_agent_made_are_not_followed(tmp_path: Path) -> None:
    world = Prepared(tmp_path, include=[".env", "**/*.key"])
    for name in (".env", "sub/a.key"):
        world.write(name, "mine")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("theirs")
    (world.lane / ".env").symlink_to(outside / "file")
    (world.lane / "sub").symlink_to(outside)
    world.prepare()
    assert (outside / "file").read_text() == "theirs"
    assert not (outside / "a.key").exists()
    assert (world.lane / ".env").read_text() == "mine"


def test_a_file_that_the_lane_does_not_ignore_is_left_out(tmp_path: Path) -> None:
    world = Prepared(tmp_path, include=[".env"])
    world.write(".env", "secret")
    (world.lane / ".gitignore").write_text("")
    assert world.prepare() == ()
    assert not (world.lane / ".env").exists()


def test_the_command_runs_once_for_each_lane_and_text(tmp_path: Path) -> None:
    world = Prepared(tmp_path, prepare=python("open('made', 'a').write('x'); print('made it')"))
    world.prepare()
    world.prepare()
    assert (world.lane / "made").read_text() == "x"
    assert "made it" in world.lane.with_name("1.log").read_text()


def test_a_command_that_fails_says_so_masked_and_runs_again(tmp_path: Path) -> None:
    code = "import sys; open('made', 'a').write('x'); print('no hunter2-hunter2'); sys.exit(3)"
    world = Prepared(tmp_path, prepare=python(code))
    for _ in range(2):
        with pytest.raises(
            InfrastructureError, match=r"failed with exit code 3: .*: no "
        ) as caught:
            world.prepare()
        assert "hunter2" not in str(caught.value)
    assert "hunter2" not in world.lane.with_name("1.log").read_text()
    assert (world.lane / "made").read_text() == "xx"


@pytest.mark.parametrize(
    ("lanes", "error", "said"),
    [
        ({"prepare": "npm 'ci"}, ConfigError, "cannot be read"),
        ({"include": ["../.env"]}, ConfigError, "leads out of the project"),
        ({"prepare": "no-such-program-anywhere"}, InfrastructureError, "cannot be started"),
        (
            {"prepare": python("import time; time.sleep(60)"), "prepare_timeout": 1},
            InfrastructureError,
            "took longer than 1 s",
        ),
    ],
)
def test_a_command_that_cannot_do_it(
    tmp_path: Path, lanes: dict[str, Any], error: type[Exception], said: str
) -> None:
    world = Prepared(tmp_path, **lanes)
    with pytest.raises(error, match=said) as caught:
        world.prepare()
    assert "\n" not in str(caught.value)


def test_without_the_users_folder_there_is_nothing_to_copy(tmp_path: Path) -> None:
    world = Prepared(tmp_path, include=[".env"])
    world.project = tmp_path / "elsewhere"
    assert world.prepare() == ()


def test_a_lane_uses_the_users_virtual_environment(tmp_path: Path) -> None:
    world = Prepared(tmp_path)
    own = world.project / ".venv"
    (own / "bin").mkdir(parents=True)
    (own / "pyvenv.cfg").write_text("home = /usr/bin\n")
    (own / "bin" / "python").symlink_to(sys.executable)
    assert find_virtualenv(world.project) == own
    world.prepare()
    assert find_virtualenv(world.lane) == own


def test_the_environment_of_a_lane(tmp_path: Path) -> None:
    lane = tmp_path / "lanes" / "3"
    found = build_lane_environment({"A": "1", "TMPDIR": "other"}, lane, {"PORT": 4000})
    assert found["A"] == "1"
    assert found["PORT"] == "4000"
    assert found["ORCHESTRATOR_LANE"] == "3"
    assert found["TMPDIR"] == str(lane.with_name("3.tmp"))
    assert lane.with_name("3.tmp").stat().st_mode & 0o777 == 0o700


def test_no_port_is_given_twice_while_lanes_live(tmp_path: Path) -> None:
    state = tmp_path / "state"
    lanes = [tmp_path / str(number) for number in range(7)]
    for lane in lanes:
        lane.mkdir()
    given = [reserve_ports(("PORT", "WEB_PORT"), lane, state) for lane in lanes]
    ports = [port for each in given for port in each.values()]
    assert len(set(ports)) == 14
    assert [reserve_ports(("PORT", "WEB_PORT"), lane, state) for lane in lanes] == given
    # What another program has taken since is given up.
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", given[0]["PORT"]))
        taken.listen()
        again = reserve_ports(("PORT", "WEB_PORT"), lanes[0], state)
    assert again["PORT"] not in ports
    assert again["WEB_PORT"] == given[0]["WEB_PORT"]
    note = state / "locks" / "lane-ports.json"
    note.write_text("damaged")
    assert reserve_ports(("PORT",), lanes[0], state)["PORT"] > 0
    lanes[0].rmdir()
    reserve_ports(("PORT",), lanes[1], state)
    assert str(lanes[0]) not in note.read_text()
