"""`python -m orchestrator.session_hooks`: run the hook where the package can be imported."""

from orchestrator.session_hooks.entry import main

main()
