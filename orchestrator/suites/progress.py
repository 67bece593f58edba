"""What pytest's `-v` output tells while it runs: cases as they end, and the one that runs."""

import re
from pathlib import Path
from typing import Final

from orchestrator.events import CaseFinished, Listener
from orchestrator.models import Case, CaseOutcome

_OUTCOMES: Final = {
    "PASSED": CaseOutcome.PASSED,
    "XPASS": CaseOutcome.PASSED,
    "FAILED": CaseOutcome.FAILED,
    "ERROR": CaseOutcome.ERROR,
    "SKIPPED": CaseOutcome.SKIPPED,
    "XFAIL": CaseOutcome.SKIPPED,
}
_WORD: Final = "|".join(_OUTCOMES)
_ENDED: Final = re.compile(
    rf"(?P<id>\S.*?::.+?)(?: <- .+)? (?P<word>{_WORD})(?: \(.*\))?(?:\s+\[.*\])?\s*"
)
_ENDED_BY_WORKER: Final = re.compile(rf"\[gw\d+\].* (?P<word>{_WORD}) (?P<id>\S.*?::.+?)\s*")
_ANSI: Final = re.compile(r"\x1b\[[0-9;]*m")
_ROOTDIR: Final = re.compile(r"rootdir: (.+?)(?:, (?:configfile|inifile): .*)?")
_LINE_BOUND: Final = 4096


class Progress:
    """Reads pytest's output line by line and tells `on_event` of each case that ended."""

    def __init__(self, on_event: Listener) -> None:
        self._on_event = on_event
        self.rootdir: Path | None = None
        """As pytest's header names it, if it does."""
        self.running = ""
        """Id of the case whose line was begun and not ended."""
        self.cases: list[Case] = []
        """The cases that ended."""

    def take(self, line: bytes) -> None:
        """Take one line of output or of stderr. The last one may be unfinished."""
        if len(line) > _LINE_BOUND or not (b"::" in line or line.startswith(b"rootdir: ")):
            return
        text = _ANSI.sub("", line.decode("utf-8", "replace"))
        if match := _ROOTDIR.fullmatch(text.strip()):
            self.rootdir = self.rootdir or Path(match[1])
        elif match := _ENDED.fullmatch(text) or _ENDED_BY_WORKER.fullmatch(text):
            self.running = ""
            self.cases.append(Case(match["id"], _OUTCOMES[match["word"]]))
            self._on_event(CaseFinished(self.cases[-1]))
        elif not text.endswith("\n"):
            self.running = text.split(" <- ")[0].strip()
