"""`python -m orchestrator`."""

from orchestrator.cli.main import program

program()
