"""Swaps the tree before an attempt in and out, again and again, until it is killed. Run as a child.

    python -m tests.faults.swapper PROJECT STATE BEFORE AFTER

Each turn is what one comparison does to a project; between its halves stands the tree before.
"""

import sys
from pathlib import Path

from orchestrator.models import Snapshot
from orchestrator.workspace import open_workspace
from orchestrator.workspace.swap import Swap, SwapNote, TreeSwap


def main() -> None:
    project, state = Path(sys.argv[1]), Path(sys.argv[2])
    before, after = Snapshot(sys.argv[3]), Snapshot(sys.argv[4])
    workspace = open_workspace(project, state / "run")
    swap = TreeSwap(workspace, SwapNote.for_project(project, state), state / "run")
    print("ready", flush=True)
    while True:
        assert not swap.apply(Swap(before, after, ()))
        assert not swap.revert(Swap(before, after, ()))


main()
