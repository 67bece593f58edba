"""Looks in added code for constructs whose use is to fool tests.

It reads the syntax tree, so that a word in a string or a comment is no offence, and it looks at
added lines only. It is one net of several: what is written to get past it still has to get past the
restored tests, the runner's own stream of results and the control run. What honest code may look
like too is a suspicion, and decides nothing.

patches    the added and removed lines of a patch
syntax     names, folded strings, and where in a file a node stands
tools      the runner's and the test libraries' own code is changed
equality   objects that are equal to more than they are
stand_ins  objects of the test libraries as results of the product
memory     objects of the interpreter are overwritten
questions  code that asks who calls it, or whether tests run
surroundings  results that depend on the process, its output or the tests' folder
endings    the process is ended or replaced
loading    code is loaded from where nobody looks
answers    the tests' own inputs and answers stand in the code
checksums  checksums of the tests' inputs stand in code or data
javascript the same questions for JavaScript, by patterns
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
