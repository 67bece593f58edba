"""Start the program: the module that the `orchestrator` command imports first.

PYTHONPATH precedes installed packages, and a project may well have a package `orchestrator` or
`prompts`, or a module `types.py`. So this module has the name of the distribution, and imports
nothing but what every Python has loaded before: with such a variable in the environment, Python is
started again without it, and only then is the rest imported. Agent and suite get all variables as
they were.
"""

import os
import sys

_WITHHELD = (
    "PYTHONASYNCIODEBUG",
    "PYTHONCASEOK",
    "PYTHONDEBUG",
    "PYTHONDEVMODE",
    "PYTHONDUMPREFS",
    "PYTHONHOME",
    "PYTHONINSPECT",
    "PYTHONINTMAXSTRDIGITS",
    "PYTHONMALLOCSTATS",
    "PYTHONOPTIMIZE",
    "PYTHONPATH",
    "PYTHONPLATLIBDIR",
    "PYTHONPROFILEIMPORTTIME",
    "PYTHONTRACEMALLOC",
    "PYTHONVERBOSE",
    "PYTHONWARNINGS",
)
"""Variables that change what Python imports, how it executes code, or what it prints: they are
meant for the project."""

_PREFIX = "_PROMPT_LEARNING_LOOP_"
"""Before the name of a variable that was withheld."""

_FOLDER = os.path.dirname(__file__)  # noqa: PTH120 -- pathlib is not loaded yet


def program() -> None:
    """Run the command line of this process, and end the process."""
    _open_missing_streams()
    if not _restore_variables():
        _restart_without_variables()
    _demote_script_folder()
    from orchestrator.cli.main import program as run_program

    run_program()


def _open_missing_streams() -> None:
    """Open the null device for each standard stream that was closed (`>&-`).

    Otherwise the next file to be opened would get its number: what is printed would go into a
    database.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest free number
        if getattr(sys, name) is None:
            stream = open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)


def _restore_variables() -> bool:
    """Restore the withheld variables, and return whether there were any."""
    withheld = [name for name in os.environ if name.startswith(_PREFIX)]
    for name in withheld:
        os.environ[name.removeprefix(_PREFIX)] = os.environ.pop(name)
    return bool(withheld)


def _restart_without_variables() -> None:
    """Start Python again without the variables to withhold; do nothing if there are none."""
    given = [name for name in _WITHHELD if os.environ.get(name)]
    if "PYTHONPATH" in given and _is_installed_by_path():
        given.remove("PYTHONPATH")
    if not given or sys.flags.ignore_environment or not sys.executable:
        return
    environment = dict(os.environ)
    for name in given:
        environment[_PREFIX + name] = environment.pop(name)
    # -P: without the folder of the file that is run, which would precede the standard library.
    command = [sys.executable, "-P", __file__, *sys.argv[1:]]
    try:
        os.execve(sys.executable, command, environment)  # noqa: S606 -- this program, no shell
    except OSError:  # arguments and environment are as long as the system allows
        return


def _is_installed_by_path() -> bool:
    """Return whether this module was found by PYTHONPATH, as after `pip install --target`."""
    folders = os.environ["PYTHONPATH"].split(os.pathsep)
    try:
        return os.path.realpath(_FOLDER) in map(os.path.realpath, filter(None, folders))
    except OSError:  # a relative folder, and a working directory that was deleted
        return False


def _demote_script_folder() -> None:
    """Move the folder of the script, or the working directory, to the end of the search path."""
    if not sys.flags.safe_path:
        sys.path.append(sys.path.pop(0))
    if _FOLDER not in sys.path:
        sys.path.append(_FOLDER)


if __name__ == "__main__":
    program()
