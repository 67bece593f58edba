"""Decide which commands may ever be allowed without a question, whoever proposes it.

A permission rule lets a model run a command while nobody looks. So a program that can run any other
one, reach the network, delete, or change what others see is never proposed. Of a few that are known
to check, format or test, the rule may leave the arguments open (`Bash(go test *)`), and it is said
what that allows; any other program is allowed with exactly the arguments that were seen, and a
target or a script of the project only if its name says that it checks, formats, tests or builds.

A rule is plain words: no quotes, variables, globs, operators or redirections, because Claude Code
compares text, and text with those can mean something else than it says.
"""

import re
from collections.abc import Sequence
from typing import Final

_RULE: Final = re.compile(r"Bash\((?P<command>.*)\)", re.DOTALL)
_WORDS: Final = re.compile(r"(?!-)[A-Za-z0-9_./:=@%+,^-]+(?: [A-Za-z0-9_./:=@%+,^-]+)*")
_OPEN: Final = re.compile(r"(?: \*|:\*)$")
_LONGEST: Final = 200
_ASSIGNMENT: Final = re.compile(r"[A-Za-z_]\w*\+?=")

_KINDS: Final[dict[str, str]] = {
    "an interpreter: it can run anything": (
        "python pythonw pypy node nodejs deno bun ruby irb perl php lua luajit tclsh wish awk gawk"
        " mawk nawk sed ed ex vi vim nvim emacs nano osascript Rscript R julia java jshell groovy"
        " scala kotlin elixir iex erl escript ghci runghc racket guile swift dotnet gdb lldb bc dc"
        " sqlite3 psql mysql mariadb mongo mongosh redis-cli m4 expect jq-repl ipython jupyter"
        " tsx ts-node"
    ),
    "a shell: it can run anything": (
        "sh bash zsh dash ksh ash mksh fish csh tcsh pwsh powershell busybox toybox eval source ."
        " trap su login tmux screen script"
    ),
    "it starts other programs": (
        "env xargs parallel nice ionice nohup setsid timeout time stdbuf exec builtin command watch"
        " entr find fd chroot unshare nsenter strace ltrace chrt taskset caffeinate at batch"
        " start-stop-daemon crontab systemctl systemd-run service launchctl docker podman nerdctl"
        " kubectl helm vagrant ansible ansible-playbook terraform tofu pulumi npx bunx uvx pipx dlx"
        " mise asdf direnv"
    ),
    "it uses the network": (
        "curl wget http https httpie aria2c ftp sftp tftp telnet nc ncat netcat socat ssh scp rsync"
        " rclone mosh ping dig nslookup host whois traceroute nmap openssl gpg aws gcloud az doctl"
        " heroku fly flyctl vercel netlify gh glab hub lynx links w3m mail sendmail mutt"
    ),
    "it deletes or overwrites files": (
        "rm rmdir unlink shred dd truncate mv cp install ln mkfs fdisk parted wipefs tee patch"
        " chmod chown chgrp setfacl tar unzip zip gzip gunzip 7z cpio split csplit trash"
    ),
    "it acts with the rights of another user, or on other processes": (
        "sudo doas pkexec runuser kill pkill killall reboot shutdown poweroff halt mount umount"
        " passwd useradd usermod userdel groupadd visudo setcap sysctl modprobe insmod"
    ),
    "reading in the project needs no rule, and elsewhere it should ask": (
        "ls cat head tail less more wc grep egrep fgrep rg ag ack tree stat file du df strings od"
        " xxd hexdump diff cmp cut uniq nl sort tac jq yq printenv set export history"
    ),
    "it installs packages": (
        "pip pip2 pip3 conda mamba micromamba apt apt-get aptitude dpkg yum dnf rpm zypper pacman"
        " apk brew port snap flatpak gem easy_install nix nix-env guix choco winget scoop composer"
        " corepack"
    ),
}
_REFUSED: Final = {name: why for why, names in _KINDS.items() for name in names.split()}
_VERSION: Final = re.compile(r"(?<=[A-Za-z])-?\d+(?:\.\d+)*$")


def _split(*lines: str) -> frozenset[str]:
    return frozenset(name for line in lines for name in line.split())


_OPEN_COMMANDS: Final[dict[str, str]] = {
    **dict.fromkeys(
        _split(
            "black isort vulture rustfmt shellcheck shfmt hadolint yamllint clang-format",
            "staticcheck",
        ),
        "",
    ),
    "gofmt": "those that write a profile to a file (-cpuprofile)",
    "ruff": "those that write to a file (--output-file)",
    "bandit": "those that write to a file (-o)",
    "go test": "those that make go test run another program (-exec, -toolexec)",
    **dict.fromkeys(
        ("pytest", "py.test"),
        "those that make pytest load other code (-p, -c, --rootdir) or empty a folder (--basetemp)",
    ),
}
"""Commands whose arguments may be left open, and which of them do more than check or format. None
of them runs other programs, installs or changes the folder; but without a rule for them a person is
asked about each test, and tests are code that may do anything, whatever the arguments are."""

_CHECKERS: Final = _split(
    "mypy pyright flake8 pylint jest mocha ava tsc eslint prettier stylelint markdownlint",
    "actionlint ctest rspec rubocop phpunit clang-tidy cppcheck",
)
"""Programs that check, format or test, and by an option or a file of settings run other programs,
load code or install something: only what was seen may be allowed."""

_SUBCOMMANDS: Final[dict[str, frozenset[str]]] = {
    "git": _split("status blame ls-files rev-parse describe"),
    "go": _split("test vet build fmt list doc version"),
    "cargo": _split("test check build clippy fmt doc tree metadata bench nextest"),
    "golangci-lint": _split("run fmt"),
    "biome": _split("check lint format ci"),
    "vitest": _split("run"),
    "phpstan": _split("analyse analyze"),
    "swiftlint": _split("lint"),
    "uv": _split("tree"),
    "poetry": _split("check show"),
    "mix": _split("test format credo compile"),
    "bundle": _split("check list"),
    "pre-commit": _split("run"),
    "hatch": _split("test fmt"),
}
"""Programs with commands of their own: only these may be allowed."""

_TARGETS: Final = frozenset(("make", "just", "task", "ninja", "rake", "gradle", "mvn"))
"""Programs whose words are targets of the project: what they do is written there, so all that is
known of one is its name."""
_SCRIPTS: Final = frozenset(("npm", "pnpm", "yarn"))
"""Programs that run scripts of the project, with or without `run` before the name."""
_NAMES: Final = _split(
    "test tests lint check build compile verify fmt format typecheck types vet coverage"
)
"""What a target or script may be named..."""
_ENDINGS: Final = _split(
    "all unit integration e2e fix ci cov html dev debug fast quick js ts css go py rust"
)
"""... and what may follow, as in `test:unit`."""

_OPTIONS: Final = _split(
    "-q -v -vv --quiet --verbose --silent --all --all-files --all-targets --all-features",
    "--workspace --release --locked --check --diff --fix --write --strict --noEmit --ci --coverage",
    "--no-cache --output-on-failure",
)
"""Options that do not start another program, load code, install or lead out of the project."""
_JOBS: Final = re.compile(r"-j\d+")

_PUBLISHES: Final = re.compile(
    r"(?i)(?:^|[-_:/. ])(?:deploy|publish|release|push|upload|install|uninstall|clean|purge|delete"
    r"|destroy|drop|reset|migrate|migration|rollback|prod|production|seed|remove|rm|eject|login"
    r"|logout)(?:$|[-_:/. ])"
)
"""Words in the name of a program, or in what follows, that do more than check or build."""
_DANGEROUS_OPTIONS: Final = re.compile(
    r"(?:^| )(?:--?(?:exec|toolexec|vettool|eval|delete|init-hook|load-plugins|basetemp|rootdir"
    r"|config|manifest-path|prefix|cwd|shell|script-shell|output|output-file|ext-diff"
    r"|open-files-in-pager|upload-pack|pager|pre|file|makefile|directory)|exec|SHELL|-f|-C)"
    r"(?:=| |$)"
)
"""Options by which a harmless program runs another one, or works elsewhere."""


def is_known_program(name: str) -> bool:
    """Return whether a program is known to check, format, test or build."""
    groups = (_CHECKERS, _SUBCOMMANDS, _TARGETS, _SCRIPTS)
    return name in _OPEN_COMMANDS or any(name in each for each in groups)


def has_dangerous_option(words: Sequence[str]) -> bool:
    """Return whether some words have an option that runs another program, or leads elsewhere."""
    return any(_DANGEROUS_OPTIONS.search(word.partition(" ")[0]) for word in words)


def describe_open_rule(rule: str) -> str:
    """Return what the `*` of a permission rule allows, in a line; empty if it has none."""
    found = _RULE.fullmatch(rule)
    if not found or not _OPEN.search(found["command"]):
        return ""
    also = _OPEN_COMMANDS.get(_find_open(_OPEN.sub("", found["command"])), "")
    return f"any arguments, also {also or 'those that name files elsewhere'}"


def explain_refusal(rule: str) -> str:
    """Return why a permission rule is never proposed; empty if it may be."""
    found = _RULE.fullmatch(rule)
    if not found:
        return "only rules for single commands are proposed, as in Bash(go test *)"
    command = found["command"]
    is_open = bool(_OPEN.search(command))
    return explain_command(_OPEN.sub("", command), is_open=is_open)


def explain_command(command: str, *, is_open: bool = False) -> str:
    """Return why a command is never allowed without a question; empty if it may be.

    Args:
        command: the command, or its first words.
        is_open: whether any arguments may follow.
    """
    if len(command) > _LONGEST:
        return f"it is longer than {_LONGEST} characters"
    if not _WORDS.fullmatch(command):
        return (
            "it is more than plain words: quotes, variables, globs, chains, pipes, substitutions"
            " and redirections are never allowed in advance"
        )
    first, *arguments = command.split(" ")
    if _ASSIGNMENT.match(first):
        return "it sets a variable for the command, which can change what it does"
    program = first.rpartition("/")[2].removesuffix(".exe")
    if why := _find_refusal(program):
        return f"{program or first}: {why}"
    if first.startswith("/") or ".." in first.split("/"):
        return f"{first} is a program by its path, and another one can be put there"
    return _explain_arguments(first, arguments, is_open=is_open)


def _find_refusal(program: str) -> str:
    """Return why a program is refused, whatever its version: `python3.11` is `python`."""
    names = (program, program.lower(), _VERSION.sub("", program), _VERSION.sub("", program.lower()))
    return next((_REFUSED[name] for name in names if name in _REFUSED), "")


def _explain_arguments(program: str, arguments: list[str], *, is_open: bool) -> str:
    text = " ".join((program, *arguments))
    if found := _DANGEROUS_OPTIONS.search(text.removeprefix(program)):
        return f"with {found[0].strip(' =')} it can run another program, or work elsewhere"
    if _find_open(text):
        return ""
    if is_open:
        return (
            f"{text} may do more than check, format or test, with other arguments, so it is only"
            " allowed with exactly those that were seen"
        )
    if is_known_program(program):
        return _explain_exact(program, arguments)
    is_more = _PUBLISHES.search(text)
    return f"{text} does more than check or build, by its name" if is_more else ""


def _find_open(command: str) -> str:
    """Return the beginning of a command whose arguments may be left open, or nothing."""
    words = command.split(" ")
    begins = (" ".join(words[: count + 1]) for count in range(len(words)))
    return next((each for each in begins if each in _OPEN_COMMANDS), "")


def _explain_exact(program: str, arguments: list[str]) -> str:
    """Return why a known program is not allowed with exactly these arguments."""
    if program in _TARGETS or program in _SCRIPTS:
        return _explain_targets(program, arguments)
    if program in _SUBCOMMANDS and not _SUBCOMMANDS[program].intersection(arguments[:1]):
        return f"{program} {' '.join(arguments[:1])} is not known to do nothing but check or build"
    unknown = next((each for each in arguments if not _is_harmless(each)), "")
    return f"{unknown} is not known to stay in the project and run nothing else" if unknown else ""


def _explain_targets(program: str, arguments: list[str]) -> str:
    """Return why targets or scripts are not allowed: their names have to say what they do."""
    is_script = program in _SCRIPTS
    names = arguments[1:] if is_script and arguments[:1] in (["run"], ["run-script"]) else arguments
    names = [each for each in names if is_script or not _is_option(each)]
    if not names:
        return f"{program} without a name runs whatever the project has made of it"
    unknown = next((each for each in names if not _is_known_name(each)), "")
    return f"{unknown} does more than check or build, as far as its name says" if unknown else ""


def _is_known_name(target: str) -> bool:
    first, *rest = re.split(r"[-_:.]", target)
    return first in _NAMES and _NAMES.union(_ENDINGS).issuperset(rest)


def _is_harmless(argument: str) -> bool:
    """Return whether an argument is a known option, or names something in the project."""
    if argument.startswith("-"):
        return _is_option(argument)
    return not argument.startswith("/") and ".." not in argument.split("/") and "=" not in argument


def _is_option(argument: str) -> bool:
    return argument in _OPTIONS or bool(_JOBS.fullmatch(argument))
