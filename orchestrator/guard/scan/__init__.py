"""Searches added code for constructs whose only use is to deceive tests.

The syntax tree is searched, so that a word in a string or a comment is no offence, and only added
lines count. It is one barrier of several: code that evades it still has to pass the restored tests,
the runner's own stream of results and the control run. A construct that honest code may contain too
is reported, and is not decisive.

patches               the added and removed lines of a patch
python_scan           all checks on one Python file:
syntax                  names, strings and positions in a syntax tree
tool_changes            changes to the runner or to test libraries
lenient_equality        objects that compare equal to other values
mock_results            objects of test libraries as results of the product
memory_writes           writes into the interpreter's memory
runner_checks           checks whether tests are running
caller_checks           ... through the stack or the interpreter
environment_queries     queries of the process, its output or the tests' folder
environment_conditions  ... that results depend on
process_exits           the process is ended or replaced
dynamic_loading         code is loaded by other means than an import
expected_answers      inputs and expected values in the tests
hard_coded_answers    ... in branches and tables of the code
checksums             ... as checksums in code or data
javascript_scan       patterns for JavaScript
"""

from orchestrator.guard.scan.javascript_scan import iter_javascript_suspicions
from orchestrator.guard.scan.patches import Patch, read_patch
from orchestrator.guard.scan.python_scan import describe_suspicions, find_suspicions
from orchestrator.guard.scan.syntax import Suspicion

__all__ = [
    "Patch",
    "Suspicion",
    "describe_suspicions",
    "find_suspicions",
    "iter_javascript_suspicions",
    "read_patch",
]
