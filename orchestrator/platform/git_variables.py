"""Name the environment variables by which git refers to one repository.

git sets them for its hooks, for `git rebase --exec` and for `git bisect run`. A program that
inherits them works on the repository of the caller, whatever its working directory is: a commit
in a work tree of our own, or of a test in a temporary repository, would move the user's branch.
"""

import re
from collections.abc import Mapping
from typing import Final

_LOCAL: Final = (
    # What `git rev-parse --local-env-vars` prints, of every version up to 2.51.
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
    # Not in that list, and about one repository all the same (git(1), githooks(5)).
    "GIT_ATTR_SOURCE",
    "GIT_INDEX_VERSION",
    "GIT_INTERNAL_TOPLEVEL",
    "GIT_NAMESPACE",
    "GIT_QUARANTINE_PATH",
    "GIT_REFLOG_ACTION",
    "GIT_REF_STORAGE",
)
_REPOSITORY_VARIABLE: Final = re.compile(
    rf"{'|'.join(_LOCAL)}|GIT_CONFIG_(?:KEY|VALUE)_\d+"  # the pairs that GIT_CONFIG_COUNT counts
)


def drop_repository_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which git finds the repository from the working directory.

    Settings that `git -c` passed on are dropped too, as git drops them between repositories. Facts
    about the machine and the user stay: GIT_CONFIG_GLOBAL, GIT_SSH_COMMAND, GIT_AUTHOR_NAME.
    """
    return {n: v for n, v in environment.items() if not _REPOSITORY_VARIABLE.fullmatch(n)}
