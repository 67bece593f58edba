"""Name what a rule may be about."""

from enum import StrEnum


class Subject(StrEnum):
    """What a rule is about. The values are stored and printed."""

    CODE = "code"
    """Names, values, structure and behaviour of the project's own code; the only subject that needs
    no person."""
    TESTS = "whether tests and checks exist and count"
    GIT = "git"
    CI = "continuous integration"
    COMMANDS = "commands and the shell"
    PACKAGES = "packages and where they come from"
    NETWORK = "the network"
    SECRETS = "secrets and personal data"
    SECURITY = "code that protects something"
    PERMISSIONS = "permissions and approval"
    AGENT = "the agent, its prompts and its instructions"
    DATA = "deleting data"
    OUTSIDE = "files of tools, or files outside the project"
    UNCLEAR = "unclear"
    """Not understood: another language, or a request that is in no table."""
