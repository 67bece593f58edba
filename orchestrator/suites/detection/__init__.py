"""Find out how a project runs its tests, by reading its files; nothing of the project is executed.

suite          `DetectedSuite`: a command, why it was chosen, and the other candidates
frameworks     `infer_framework`: whether a command line starts pytest
project_files  read files of any origin, with bounds
pytest_config  settings of pytest, in the files where it looks for them
modules        find a module of the project by its name
source_tree    the test files of a project, and the packages in it that have their own
tools          uv, poetry, pdm, pipenv, hatch, tox and nox
task_runners   `make test` and `npm test`
interpreters   the interpreter that runs a command, and what is installed for it
workspaces     declared members of a workspace
languages      other languages than Python and JavaScript
evidence       all of that about one project
python_suites  commands that run tests in Python, the best first
ranking        `detect_suite`: weigh the evidence

Whether pytest can import the project is not guessed from files: `services.suite_choice` lets pytest
collect the cases.
"""

from orchestrator.suites.detection.frameworks import infer_framework
from orchestrator.suites.detection.ranking import detect_suite
from orchestrator.suites.detection.suite import DetectedSuite

__all__ = ["DetectedSuite", "detect_suite", "infer_framework"]
