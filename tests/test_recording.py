"""What a recording shows of a command: as a terminal does, with its questions answered."""

import os
import sys
from pathlib import Path

from docs.recording import Recording

PROGRAM = """
import sys, time
print("\\x1b[31mred\\x1b[0m and " + sys.argv[1])
sys.stdout.write("working ...")
sys.stdout.flush()
sys.stdout.write("\\r\\x1b[Kdone\\n")
answer = input("Go on? [y/N]: ")
print("yes" if answer == "y" else "no", sys.stdout.isatty())
raise SystemExit(7)
"""


def test_it_shows_what_a_terminal_shows(tmp_path: Path) -> None:
    folder = tmp_path / "p"
    folder.mkdir()
    recording = Recording(200, folder, dict(os.environ), {str(folder): "~/project"})
    code = recording.type("program PROJECT", [sys.executable, "-c", PROGRAM, str(folder)])
    assert code == 7
    lines = recording.render_lines()
    assert [line.plain for line in lines] == [
        "$ program PROJECT",
        "red and ~/project",
        "done",
        "Go on? [y/N]: y",
        "yes True",
    ]
    assert "red" in str(lines[1].spans[0].style)
    assert "red" not in str(lines[1].spans[-1].style)


def test_a_long_line_is_broken_after_its_replacements(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 30)
    folder.mkdir()
    recording = Recording(40, folder, dict(os.environ), {str(folder): "~"})
    show = "import sys; print(sys.argv[1] + '/' + 50 * 'a'); print(39 * 'b' + '…'); print('short')"
    recording.type("show", [sys.executable, "-c", show, str(folder)])
    lines = [line.plain for line in recording.render_lines()]
    assert lines == ["$ show", f"~/{38 * 'a'}", 12 * "a", f"{39 * 'b'}…", "short"]
