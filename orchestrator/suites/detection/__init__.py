"""Find out how a project runs its tests, by reading its files; nothing of the project is executed.

suite          `DetectedSuite`: a command, why it was chosen, and the other candidates
project_files  read files of any origin, with bounds
pytest_config  settings of pytest, in the files where it looks for them
source_tree    the test files of a project, and the packages in it that have their own
tools          uv, poetry, pdm, hatch, tox and nox
task_runners   `make test` and `npm test`
interpreters   the interpreter that runs a command, and whether it has pytest
workspaces     declared members of a workspace
ranking        `detect_suite`: weigh the evidence

Whether pytest can import the project is not guessed from files: `services.suite_choice` lets pytest
collect the cases.
"""

from orchestrator.suites.detection.ranking import detect_suite
from orchestrator.suites.detection.suite import DetectedSuite, infer_framework

__all__ = ["DetectedSuite", "detect_suite", "infer_framework"]
