"""Derives what is guarded once, at the baseline, and stores it for processes that resume the run.

A process that checks after the agent worked must not derive it again from files that the agent may
have written.
"""

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Self

from orchestrator.errors import InfrastructureError
from orchestrator.guard import path_rules, report_comparison
from orchestrator.guard.command_chain import follow_command
from orchestrator.guard.copy_store import CopyStore
from orchestrator.guard.doctests import Doctests, find_doctest_files, read_doctests
from orchestrator.guard.environment_state import EnvironmentState, record_environment
from orchestrator.guard.errors import translate_os_errors
from orchestrator.guard.protection import CONFIG_NAMES, STARTUP, Protection, normalize_name
from orchestrator.guard.protection_derivation import Basis, derive_protection
from orchestrator.guard.suite_writes import Writes, is_output, is_source
from orchestrator.guard.task_runners import Reference
from orchestrator.platform import files

_FILE_NAME: Final = "protection.packed"
_DECIDES: Final = frozenset({*CONFIG_NAMES, *STARTUP, "conftest.py", "package.json", ".env"})


@dataclass(frozen=True)
class Baseline:
    """The state that all verdicts of one run rest on.

    Args:
        protection: what is guarded.
        environment: the one the suite ran in; None if the suite recorded no footprint.
        doctests: examples in product files.
    """

    protection: Protection
    environment: EnvironmentState | None = None
    doctests: Doctests = field(default_factory=dict)

    @classmethod
    def derive(cls, basis: Basis, writes: Writes, folder: Path) -> Self:
        """Derive what is guarded, and store it.

        Args:
            basis: the project and the suite's first report.
            writes: the files that the suite itself wrote in its first run.
            folder: the guard's folder.

        Raises:
            InfrastructureError: something cannot be read or stored.
        """
        with translate_os_errors(basis.project):
            generated = frozenset(_iter_generated_files(writes.rewritten, basis))
            derived = derive_protection(replace(basis, regenerated=generated & writes.changed))
            protection = replace(
                derived,
                touched=writes.touched,
                rewritten=writes.rewritten,
                volatile=generated | (writes.rewritten - derived.guarded.keys()),
            )
            environment = None
            if basis.footprint is not None:
                programs = follow_command(basis.project, basis.command).programs
                environment = record_environment(basis.footprint, programs, basis.path, folder)
            names = find_doctest_files(protection, basis.command, basis.report)
            found = cls(protection, environment, read_doctests(basis.project, names))
            files.write_file(folder / _FILE_NAME, found._pack(CopyStore(folder)))
        return found

    @classmethod
    def load(cls, folder: Path) -> Self | None:
        """Return what an earlier process stored; None if none did.

        Raises:
            InfrastructureError: it cannot be read.
        """
        path = folder / _FILE_NAME
        try:
            values = json.loads(zlib.decompress(path.read_bytes()))
            environment = CopyStore(folder).read_copy(values["environment"])
            if environment is None and values["environment"]:
                raise ValueError("the copy of the environment's state is missing")
            return cls(
                Protection.from_json(values["protection"]),
                EnvironmentState.from_json(json.loads(environment)) if environment else None,
                {
                    name: tuple((source, expected, options) for source, expected, options in found)
                    for name, found in values["doctests"].items()
                },
            )
        except FileNotFoundError:
            return None
        except (OSError, zlib.error, ValueError, KeyError, TypeError) as error:
            raise InfrastructureError(
                f"the guard's baseline cannot be read: {path}", "start a new run"
            ) from error

    def _pack(self, copies: CopyStore) -> bytes:
        environment = ""
        if self.environment:
            # Runs of one project share this copy, so equal states must give equal bytes.
            text = json.dumps(self.environment.as_json(), sort_keys=True)
            environment = copies.write_copy(text.encode("ascii"))
        values = {
            "protection": self.protection.as_json(),
            "environment": environment,
            "doctests": self.doctests,
        }
        return zlib.compress(json.dumps(values).encode("ascii"))


def _iter_generated_files(names: frozenset[str], basis: Basis) -> Iterator[str]:
    """Yield those of the files that the suite wrote that neither are tests nor affect them.

    That the suite wrote a file does not make it generated: a formatter rewrites tests too. Code
    counts as generated only if the runner recorded that nothing imported it.
    """
    project, footprint = basis.project, basis.footprint
    used = report_comparison.list_case_files(basis.report)
    if footprint:
        modules = [module.file for module in footprint.modules]
        paths = (*footprint.tests, *footprint.steering, *modules)
        used |= {normalize_name(project, path) for path in paths}
    chain = follow_command(project, basis.command)
    texts = (files.read_text(project / name) for name in chain.files)
    commands = "\n".join([basis.command, *texts]) if names & chain.files.keys() else ""
    for name in names:
        base = name.rpartition("/")[2]
        decides = base in _DECIDES or path_rules.is_test(name)
        starts = name in chain.files and chain.references[name] is not Reference.NAMED
        starts = starts and not is_output(name, commands)
        code = is_source(name) and footprint is None
        if not (name in used or decides or starts or code):
            yield name
