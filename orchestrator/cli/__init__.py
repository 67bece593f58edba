"""The command line: parse, call, print, exit code. Nothing is decided here."""

from orchestrator.cli.main import main

__all__ = ["main"]
