"""Check each link of the chain from a failing test to a rule in an agent's request.

    results         what a check finds
    subject         what is checked: project, configuration, environment, state directory
    registry        all checks, in the order of the chain
    running         runs the checks, each within its time limit, and repairs
    config_copy     a copy of Claude Code's configuration folder, for the probe
    probe           sends one request of the real program to a server on this machine
    written_rules   the rules that are written in the files, and what is wrong with their place
    causes          why a file of instructions is not in a request

Every other module checks one link or a few that belong together. To add a check, write a function
that takes a Subject and yields Checks, and add it to `registry.CHECKS`. A check changes nothing;
what could be corrected safely is its `repair`, which `doctor --fix` calls.
"""
