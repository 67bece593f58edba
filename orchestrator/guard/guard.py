"""The guard of one run: remembers, refuses, restores, and looks whether a verdict holds."""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Final

from orchestrator import files
from orchestrator.errors import InfrastructureError
from orchestrator.footprint import Footprint
from orchestrator.guard import cases, path_rules
from orchestrator.guard.bytecode import drop_project_bytecode
from orchestrator.guard.command_chain import follow
from orchestrator.guard.counts import fewer_tests
from orchestrator.guard.derivation import Basis, derive
from orchestrator.guard.doctests import Doctests, edited_doctests, read_doctests
from orchestrator.guard.environment_state import (
    EnvironmentGuard,
    EnvironmentState,
    record_environment,
)
from orchestrator.guard.findings import KINDS, bound_findings, shown_name
from orchestrator.guard.instructions import Instructions
from orchestrator.guard.kept_files import Change, KeptFiles, Manifest, explained
from orchestrator.guard.new_tests import needs_reverted
from orchestrator.guard.protection import (
    CONFIG_NAMES,
    STARTUP,
    Guarded,
    Protection,
    name_of,
)
from orchestrator.guard.scan.answers import Answers, answers_in
from orchestrator.guard.scan.patches import read_patch
from orchestrator.guard.shadows import shadowing, sourceless
from orchestrator.guard.shared_files import is_shared
from orchestrator.guard.suite_watch import SuiteWatch, findings_of
from orchestrator.guard.suite_writes import SuiteWrites, Writes, is_output, is_source
from orchestrator.guard.tree import Tree, signature, walk
from orchestrator.guard.weighing import Scan
from orchestrator.memory.shelf import Shelf
from orchestrator.models import (
    Case,
    Diff,
    Finding,
    FindingKind,
    Findings,
    SuiteOutcome,
    SuiteReport,
)
from orchestrator.suites.environment import project_environment
from orchestrator.suites.pytest.settings import plugins_by_environment

_DECIDES: Final = frozenset({*CONFIG_NAMES, *STARTUP, "conftest.py", "package.json", ".env"})
_SHOWN: Final = 30
_PROTECTION: Final = "protection.json"
_REVERTED: Final = "reverted"
_RUNS_DOCTESTS: Final = re.compile(r"doctest\.\w+\(|-m doctest|DocTestSuite|testmod")
"""Code that runs the doctests of modules by itself, and not through pytest."""
_NAMES_DOCTESTS: Final = (".py", ".sh", ".mk", "")
_LARGEST_TEST: Final = 10_000_000

_REFUSAL: Final = (
    "{path} is guarded: tests that were there when this run began, and what configures them, are "
    "not to be edited. The verdict is taken on them as they were. Change the code that they test; "
    "new tests go into new files."
)


class GuardMode(StrEnum):
    """What becomes of edits of guarded files."""

    RESTORE = "restore"
    FLAG = "flag"
    OFF = "off"


Rerun = Callable[[Sequence[str]], SuiteReport]
"""Runs the suite again on the selected ids."""


@dataclass
class Guard:
    """The guard of the tests of one run.

    Args:
        project: the project's real folder.
        mode: what becomes of edits.
        command: the suite's.
        environment: what the suite's environment is made from; ours if None.
        unguarded: globs of files that are never guarded.
        folder: keeps guarded content, and what was reverted. Set it before anything is asked but
            `refuse`.
        shelves: the active rulebooks, which are not the agent's to write either.
        locks: where rulebooks have their lock files; some folder of our own if None.
        task: what was asked for; values that it names may stand in the code.
    """

    project: Path
    mode: GuardMode
    command: str = ""
    environment: Mapping[str, str] | None = None
    unguarded: tuple[str, ...] = ()
    folder: Path | None = None
    shelves: Sequence[Shelf] = ()
    locks: Path | None = None
    task: str = ""
    _baseline: SuiteReport | None = None
    _protection: Protection | None = None
    _doctests: Doctests = field(default_factory=dict)
    """Examples in product files, as they were at the baseline."""
    _state: EnvironmentState | None = None
    _at_baseline: Writes = field(default_factory=Writes)
    _suite_writes: SuiteWrites | None = None
    _manifest: Manifest | None = None
    _settled: Manifest | None = None
    """Guarded files as the last attempt's verdict left them, if that was in this process."""
    _between: tuple[Finding, ...] = ()
    _remembered: int | None = None
    """The attempt whose files `_manifest` has."""
    _reverted: dict[str, Path] = field(default_factory=dict)
    _can_select: bool = True
    """Whether the suite runs only the files that it is asked for, as far as we know."""

    # ---- the baseline ----------------------------------------------------------------------

    def record_baseline(self, report: SuiteReport, footprint: Footprint | None) -> None:
        """Derive what is guarded from the baseline, or recall what an earlier process derived.

        Args:
            report: of the suite, before any agent worked.
            footprint: what the suite recorded; without one, names of files decide.

        Raises:
            InfrastructureError: something cannot be read or kept.
        """
        self._baseline = report
        if self.mode is GuardMode.OFF or self._recall_protection():
            return
        self._derive(report, footprint)

    def guarded(self) -> tuple[Guarded, ...]:
        """Return the guarded files, with the reason for each."""
        if self.mode is GuardMode.OFF or not self._protection:
            return ()
        return tuple(sorted(self._protection.guarded.values(), key=lambda each: each.path))

    @property
    def written_by_suite(self) -> frozenset[str]:
        """The files whose content runs of the suite changed so far, whatever the guard's mode."""
        return self._writes.names

    @property
    def suite_output(self) -> frozenset[str]:
        """Those of them that nobody else writes: neither code, nor configuration, nor guarded."""
        guarded = self._protection.guarded if self._protection else {}
        return frozenset(
            name for name in self.written_by_suite if not is_source(name) and name not in guarded
        )

    @property
    def rewritten_each_time(self) -> frozenset[str]:
        """The files whose content the suite changed at the baseline already, code too."""
        return self._writes.at_baseline

    # ---- an attempt ------------------------------------------------------------------------

    def remember(self, attempt: int) -> None:
        """Remember the guarded files as the attempt finds them.

        What changed since the last verdict in this process was changed by something that the
        agent left running: nobody else was asked to work. After a pause it is the user's.

        Raises:
            InfrastructureError: a file cannot be read or kept.
        """
        if self.mode is GuardMode.OFF:
            return
        self._between = ()
        kept = self._kept
        if self._remembered is not None and self.mode is GuardMode.RESTORE:
            self._between = self._rules_tampered(self._remembered, "between the attempts")
        tree = kept.look(self._settled)
        if self._settled and self.mode is GuardMode.RESTORE:
            when = "between the attempts"
            undone = self._undo(self._settled, f"{attempt}-before", when, tree)
            self._between += undone
            if undone:
                tree = kept.look(self._settled)
        known = self._settled or self._manifest
        self._manifest = kept.remember(f"attempt-{attempt}", known, tree)
        self._remembered, self._reverted = attempt, {}
        self._instructions.remember(attempt)

    def take_up(self, attempt: int) -> None:
        """Let an agent begin with what was remembered for an attempt, maybe by another process.

        Then the rules are remembered again: people may have changed them while the attempt lay
        half done. Where nobody can tell their changes from those of an agent that was killed, that
        is reported.

        Raises:
            LoopError: a file cannot be read or kept.
        """
        if self.mode is GuardMode.OFF or self._remembered == attempt:
            return
        self._recall(attempt)
        left = "before the attempt began again; left as it is"
        self._between = tuple(
            replace(finding, text=f"{finding.text} {left}")
            for finding in self._instructions.tampered(attempt)
        )
        self._instructions.remember(attempt)

    def break_off(self, attempt: int) -> Findings:
        """Restore the rules after an agent that did not finish; what changes now is people's.

        Raises:
            LoopError: a file cannot be written.
        """
        if self.mode is GuardMode.OFF:
            return Findings()
        found = self._rules_tampered(attempt)
        self._instructions.forget(attempt)
        self._remembered = None
        return Findings(found)

    def refuse(self, path: Path) -> str | None:
        """Return why a file must not be written now, in words for the agent; None if it may be."""
        if self.mode is not GuardMode.RESTORE or not self._manifest or not self._protection:
            return None
        rules = self._protection
        for full in {name_of(self.project, path), name_of(self.project, _real(self.project, path))}:
            guarded = full in self._manifest.entries or bool(rules.forbids(full))
            if guarded and not rules.frees(full) and (not is_shared(full) or full in rules.whole):
                return _REFUSAL.format(path=full)
        return None

    def revert(self, attempt: int) -> Findings:
        """Make the guarded files and the environment what they were, before the suite judges.

        Raises:
            InfrastructureError: a file cannot be written, or what was kept of it is gone.
        """
        if self.mode is GuardMode.OFF:
            return Findings()
        self._recall(attempt)
        manifest, kept = self._known, self._kept
        kept.require_kept()
        found = list(self._undo(manifest, str(attempt), "", kept.look(manifest)))
        found += self._environment(str(attempt), "")
        return Findings((*self._between, *found, *self._rules_tampered(attempt)))

    def watch_suite(
        self, run: Callable[[], SuiteReport], *, baseline: bool = False
    ) -> tuple[SuiteReport, Findings]:
        """Run the suite, and look before and after it.

        Args:
            run: runs the suite.
            baseline: whether it is the first run: what changes then, the suite itself writes.

        Returns:
            The report, and what changed that must not: guarded files, which are restored, and the
            project's sources.

        Raises:
            InfrastructureError: something cannot be read or restored.
        """
        if baseline:
            report, self._at_baseline = self._watch_writes(run, baseline=True)
            return report, Findings()
        if self.mode is GuardMode.OFF or (self._manifest is None and not self._recall_latest()):
            return self._watch_writes(run)[0], Findings()
        watch = SuiteWatch(self._rules, self._kept, self._known, self._writes.contents)
        stale = self._drop_bytecode()
        early = watch.before()
        if early and self.mode is GuardMode.RESTORE:
            # Nobody is asked to work now: something that the agent left behind does.
            self._restore(self._known, early, f"{self._remembered}-late")
            watch.before()
        else:
            early = []
        report = run()
        found, changes = watch.after()
        self._writes.add(*watch.looks)
        found += [*findings_of(early, "after it was restored"), *stale]
        if self.mode is GuardMode.RESTORE and changes:
            self._restore(self._known, changes, f"{self._remembered}-suite")
        when = "while the suite ran"
        found += [replace(each, decisive=True) for each in self._environment("suite", when)]
        return report, Findings(tuple(self._weighed(found)))

    def collect_writes(self, run: Callable[[], SuiteReport]) -> tuple[SuiteReport, frozenset[str]]:
        """Run the suite where nothing is judged; return the files whose content it changed too.

        Raises:
            InfrastructureError: something cannot be read or kept.
        """
        report, writes = self._watch_writes(run)
        return report, writes.changed

    def check(
        self,
        attempt: int,
        report: SuiteReport,
        diff: Diff,
        rerun: Rerun | None = None,
        *,
        solved: bool = True,
    ) -> Findings:
        """Look whether the verdict on an attempt can be believed.

        Args:
            attempt: its number.
            report: the run that the verdict rests on, made after `revert`.
            diff: what the agent changed.
            solved: whether the attempt counts as solved, if it is believed.
            rerun: runs selected cases again; without it that is not done.

        Raises:
            InfrastructureError: something cannot be read or kept.
        """
        if self.mode is GuardMode.OFF or not self._baseline:
            return Findings()
        self._recall(attempt)
        tree = self._kept.look(self._known)
        new = [name for name in tree if self._is_new(name)]
        found = list(shadowing(self._rules, new))
        found += sourceless(self._rules, tree, self._changed(tree))
        if self._doctests:
            names = self._with_doctests(report, tree)
            found += edited_doctests(self.project, self._doctests, names)
        found += self._scanned(diff, tree)
        found += cases.hidden(self._baseline, report) if solved else []
        found += filter(self._is_unexplained, cases.inconsistent(report, self._baseline))
        found += fewer_tests(self._baseline, report)
        found = self._weighed(found)
        if self.mode is GuardMode.FLAG:
            return Findings(tuple(found))
        if rerun and solved and not any(finding.decisive for finding in found):
            found += self._without_new_tests(report, rerun)
            tree = self._kept.look(self._known)
        found += self._rules_tampered(attempt, "while the suite ran")
        self._settled = self._kept.remember(None, self._known, tree)
        return Findings(tuple(found))

    def reverted_for(self, case: Case) -> bool:
        """Return whether a new test fails only where something that it needs was reverted."""
        if not case.failing or not case.file or not self._manifest:
            return False
        if case.file in self._manifest.entries or not self._is_new(case.file):
            return False
        new = [n for n in self._kept.look(self._manifest) if self._is_new(n)]
        text = f"{case.message}\n{case.detail}"
        return needs_reverted(self.project, case.file, text, self._reverted_files(), new)

    def describe_state(self) -> str:
        """Return in one line whether the tests are as they were; empty where nobody knows.

        Raises:
            InfrastructureError: a file cannot be read.
        """
        if self.mode is GuardMode.FLAG and self._manifest:
            return "the tests are as the agent left them"
        if self.mode is not GuardMode.RESTORE or not self._manifest:
            return ""
        changed = self._kept.changes(self._manifest, self._kept.look(self._manifest))
        if not changed:
            return "the tests are as they were when the attempt began"
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        first = f"{changed[0].name}{more}"
        return f"changed tests are not reverted yet, `orchestrator resume` does that: {first}"

    # ---- below: one look each --------------------------------------------------------------

    @property
    def _writes(self) -> SuiteWrites:
        if self._suite_writes is None:
            self._suite_writes = SuiteWrites(self.project, self.folder)
        return self._suite_writes

    def _watch_writes(
        self, run: Callable[[], SuiteReport], *, baseline: bool = False
    ) -> tuple[SuiteReport, Writes]:
        if self.project == Path():  # there is no project: see `no_guard`
            return run(), Writes()
        return self._writes.watch(run, baseline=baseline)

    def _derive(self, report: SuiteReport, footprint: Footprint | None) -> None:
        env = project_environment(self.project, self.environment)
        plugins = plugins_by_environment(env)
        path = env.get("PATH", os.defpath)
        rewritten = self._at_baseline.rewritten
        generated = frozenset(self._generated(rewritten, report, footprint))
        basis = Basis(
            self.project,
            self.command,
            report,
            footprint,
            generated & self._at_baseline.changed,
            self.unguarded,
            path,
            plugins,
            self.task,
        )
        with explained(self.project):
            derived = derive(basis)
            self._protection = replace(
                derived,
                touched=self._at_baseline.touched,
                rewritten=rewritten,
                volatile=generated | (rewritten - derived.guarded.keys()),
            )
            if footprint is not None:
                programs = follow(self.project, self.command).programs
                self._state = record_environment(footprint, programs, path, self._own)
            self._doctests = read_doctests(self.project, self._with_doctests(report))
            state = self._state.as_json() if self._state else None
            values = {
                "protection": self._protection.as_json(),
                "environment": state,
                "doctests": self._doctests,
            }
            files.write_file(self._own / _PROTECTION, json.dumps(values).encode("ascii"))

    def _generated(
        self, names: frozenset[str], report: SuiteReport, footprint: Footprint | None
    ) -> Iterator[str]:
        """Yield those of some files that hold neither tests nor what decides on them.

        What the suite wrote is not for that its own: a formatter writes tests too. Code counts as
        generated only where the runner says that nothing imported it.
        """
        used = cases.case_files(report)
        if footprint:
            modules = [module.file for module in footprint.modules]
            paths = (*footprint.tests, *footprint.steering, *modules)
            used |= {name_of(self.project, path) for path in paths}
        chain = follow(self.project, self.command).files
        texts = (files.read_text(self.project / name) for name in chain)
        commands = "\n".join([self.command, *texts]) if names & chain.keys() else ""
        for name in names:
            base = name.rpartition("/")[2]
            decides = base in _DECIDES or path_rules.is_test(name)
            starts = name in chain and not chain[name].startswith("named by")
            starts = starts and not is_output(name, commands)
            code = is_source(name) and footprint is None
            if not (name in used or decides or starts or code):
                yield name

    def _recall_protection(self) -> bool:
        if self._protection:
            return True
        path = self._own / _PROTECTION
        try:
            values = json.loads(path.read_text(encoding="ascii"))
            self._protection = Protection.from_json(values["protection"])
            state = values["environment"]
            self._state = EnvironmentState.from_json(state) if state else None
            self._doctests = {
                name: tuple((source, expected, options) for source, expected, options in examples)
                for name, examples in values["doctests"].items()
            }
        except FileNotFoundError:
            return False
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InfrastructureError(
                f"what is guarded cannot be read: {path}", "begin a new run"
            ) from error
        return True

    def _recall(self, attempt: int) -> None:
        if self._remembered != attempt or self._manifest is None:
            self._recall_protection()
            self._manifest = self._kept.recall(f"attempt-{attempt}")
            self._remembered = attempt

    def _recall_latest(self) -> bool:
        """Recall the last attempt that was remembered; return whether there is one."""
        numbers = [
            int(match[1])
            for path in files.find(self._own, "attempt-*.json")
            if (match := re.fullmatch(r"attempt-(\d+)", path.stem))
        ]
        if numbers:
            self._recall(max(numbers))
        return bool(numbers)

    @property
    def _own(self) -> Path:
        if self.folder is None:
            raise RuntimeError("the guard has no folder yet")
        return self.folder

    @property
    def _rules(self) -> Protection:
        if self._protection is None and not self._recall_protection():
            # Nobody has taken a baseline: names of files are all that there is.
            self._derive(self._baseline or SuiteReport(SuiteOutcome.NO_TESTS, None), None)
        assert self._protection is not None  # noqa: S101 - just derived, or recalled
        return self._protection

    @property
    def _known(self) -> Manifest:
        assert self._manifest is not None  # noqa: S101 - remembered, or recalled
        return self._manifest

    @property
    def _kept(self) -> KeptFiles:
        return KeptFiles(self._rules, self._own)

    def _is_new(self, name: str) -> bool:
        return name not in self._known.entries and name not in self._known.others

    def _changed(self, tree: Tree) -> list[str]:
        """Return the names of new and changed files that are not guarded."""
        known = self._known
        return [
            name
            for name, at in sorted(tree.items())
            if name not in known.entries and known.others.get(name) != signature(at)
        ]

    def _is_unexplained(self, finding: Finding) -> bool:
        """Return whether a finding is not about what a guarded file does, which is as it was."""
        file = re.search(r" (?:by|of) (/.+)$", finding.text)
        return not file or name_of(self.project, file[1]) not in self._known.entries

    def _with_doctests(self, report: SuiteReport, tree: Tree | None = None) -> set[str]:
        """Return the product files whose doctests run, as far as one can say."""
        rules = self._rules
        texts = [self.command]
        for name in (*rules.tests, *rules.guarded):
            path = self.project / name
            if path.suffix in _NAMES_DOCTESTS:
                texts.append(files.read_text(path))
        if any(map(_RUNS_DOCTESTS.search, texts)):
            names = set(tree or walk(self.project, rules.environments))
        else:
            names = cases.case_files(report)
        return {name for name in names if name.endswith(".py") and name not in rules.guarded}

    def _undo(self, to: Manifest, name: str, when: str, tree: Tree) -> tuple[Finding, ...]:
        changes = self._kept.changes(to, tree)
        done = ""
        if self.mode is GuardMode.RESTORE:
            changes = [*changes, *self._kept.moved(to, changes, tree)]
            self._restore(to, changes, name)
            done = "reverted"
        found = [_finding(change, ", ".join(filter(None, (when, done)))) for change in changes]
        return tuple(bound_findings(found, "the tests", "files", _SHOWN))

    def _restore(self, to: Manifest, changes: Sequence[Change], name: str) -> None:
        aside = self._own / _REVERTED / name
        self._kept.restore(to, changes, aside)
        if name.isdigit():
            self._reverted |= {change.name: aside / change.name for change in changes}

    def _reverted_files(self) -> Mapping[str, Path]:
        """Return what was reverted in this attempt, also by another process."""
        aside = self._own / _REVERTED / str(self._remembered)
        kept = {
            os.path.relpath(path, aside): Path(path)
            for path in files.find_files(aside)
            if files.is_file(path)
        }
        return {**kept, **self._reverted}

    def _drop_bytecode(self) -> list[Finding]:
        text = "bytecode that is not its source's runs in its place, and cannot be removed"
        with explained(self.project):
            wrong = drop_project_bytecode(self.project, self._rules.environments)
        return [Finding(FindingKind.STEERING, name, text, decisive=True) for name in wrong]

    def _environment(self, name: str, when: str) -> list[Finding]:
        if self._state is None:
            return []
        restore = self.mode is GuardMode.RESTORE
        aside = self._own / _REVERTED / name
        with explained(self.project):
            watch = EnvironmentGuard(self._state, self._own, aside, restore=restore)
            found = watch.findings(suite_ran=bool(when))
        return [replace(each, text=", ".join(filter(None, (each.text, when)))) for each in found]

    def _weighed(self, found: Sequence[Finding]) -> list[Finding]:
        if self.mode is GuardMode.FLAG:
            return [replace(finding, decisive=False) for finding in found]
        return list(found)

    def _scanned(self, diff: Diff, tree: Tree) -> list[Finding]:
        known, rules = self._known, self._rules
        changed = [name for name in self._changed(tree) if name not in rules.guarded]
        sources = {name: self._is_new(name) for name in changed}
        others = [name for name in known.others if name not in sources]
        home = (self.environment or os.environ).get("HOME", os.path.expanduser("~"))  # noqa: PTH111
        scan = Scan(rules, read_patch(diff.patch), self._answers(), known.taken, home)
        return scan.findings(sources, others)

    def _answers(self) -> Answers:
        failing = {
            words[-1]
            for case in (self._baseline.failing if self._baseline else ())
            if (words := re.findall(r"\w+", case.function or case.id.split("[")[0]))
        }
        names = sorted(self._rules.tests) if failing else ()
        texts = [files.read_bytes(self.project / name, _LARGEST_TEST) for name in names]
        return answers_in(texts, failing, self.task)

    def _without_new_tests(self, report: SuiteReport, rerun: Rerun) -> list[Finding]:
        """Run the old tests alone: new ones may do anything in the process of the old ones.

        What fails then has to fail again, because some old tests are unsteady.
        """
        if not self._baseline or not self._can_select:
            return []
        new = cases.case_files(report) - cases.case_files(self._baseline)
        new = {name for name in new if name not in self._known.entries}
        old = cases.test_files(self._baseline, self.project)
        if not new or not old:
            return []
        alone, watched = self.watch_suite(lambda: rerun(old))
        self._can_select = cases.is_control(alone, new)
        if not self._can_select:
            return [*watched.found, *cases.inconsistent(alone, self._baseline)]
        found = cases.agreeing(report, alone, new, self._baseline)
        if not found:
            return list(watched.found)
        again, watched_again = self.watch_suite(lambda: rerun(old))
        second = cases.agreeing(report, again, new, self._baseline)
        where = {each.where for each in second}
        found = [each for each in found if each.where in where]
        return [*watched.found, *watched_again.found, *found]

    # ---- the learned rules -----------------------------------------------------------------

    @property
    def _instructions(self) -> Instructions:
        return Instructions(self.shelves, self._own, self.locks or self._own / "locks")

    def _rules_tampered(self, attempt: int, when: str = "") -> tuple[Finding, ...]:
        restore = self.mode is GuardMode.RESTORE
        name = f"{attempt} rules {when}".rstrip().replace(" ", "-")
        aside = self._own / _REVERTED / name if restore else None
        return tuple(
            replace(each, text=", ".join(filter(None, (each.text, when, "reverted" * restore))))
            for each in self._instructions.tampered(attempt, aside)
        )


def guard_of(
    project: Path,
    mode: GuardMode,
    command: str,
    environment: Mapping[str, str] | None = None,
    shelves: Sequence[Shelf] = (),
    locks: Path | None = None,
    unguarded: Sequence[str] = (),
) -> Guard:
    """Return the guard for a run, which still needs a folder.

    Args:
        project: the project's directory.
        mode: what becomes of edits.
        command: the suite's command.
        environment: what the suite's environment is made from; ours if None.
        shelves: the active rulebooks; the project's if there are none.
        locks: where rulebooks have their lock files; some folder of our own if None.
        unguarded: globs of files that are never guarded.
    """
    project = project.resolve()
    return Guard(
        project,
        mode,
        command,
        environment,
        tuple(unguarded),
        shelves=shelves or (Shelf(project),),
        locks=locks,
    )


def no_guard() -> Guard:
    """Return a guard that guards nothing."""
    return Guard(Path(), GuardMode.OFF)


def _real(project: Path, path: Path) -> str:
    return os.path.realpath(project / path)


def _finding(change: Change, done: str) -> Finding:
    text = f"{change.what}, {done}" if done else change.what
    return Finding(KINDS[change.kind], shown_name(change.name), text)
