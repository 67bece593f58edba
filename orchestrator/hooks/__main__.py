"""`python -m orchestrator.hooks`: the hook, where the package can be imported."""

from orchestrator.hooks.entry import main

main()
