"""Decide which commands may ever be allowed without a question, whoever proposes it.

A permission rule lets a model run a command while nobody looks. So a program that can run any other
one, reach the network, delete, or change what others see is never proposed. Of programs that are
known to check, build or read, the rule may leave the arguments open (`Bash(go test *)`); any other
program is allowed with exactly the arguments that were seen.

A rule is plain words: no quotes, variables, globs, operators or redirections, because Claude Code
compares text, and text with those can mean something else than it says.
"""

import re
from typing import Final

_RULE: Final = re.compile(r"Bash\((?P<command>.*)\)", re.DOTALL)
_WORDS: Final = re.compile(r"[A-Za-z0-9_./:=@%+,^-]+(?: [A-Za-z0-9_./:=@%+,^-]+)*")
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

_OPEN_PROGRAMS: Final = frozenset(
    name
    for names in (
        "pytest py.test mypy pyright ruff black isort flake8 pylint bandit vulture tox nox",
        "jest vitest mocha ava tsc eslint prettier stylelint biome",
        "rustfmt gofmt golangci-lint staticcheck shellcheck shfmt hadolint yamllint markdownlint",
        "actionlint ctest rspec rubocop phpunit phpstan ktlint detekt swiftlint clang-format",
        "clang-tidy cppcheck",
    )
    for name in names.split()
)
"""Programs that check, format or test; their arguments may be left open."""

_SUBCOMMANDS: Final[dict[str, frozenset[str]]] = {
    program: frozenset(names.split())
    for program, names in {
        "git": "status blame ls-files rev-parse describe",
        "go": "test vet build fmt list doc version",
        "cargo": "test check build clippy fmt doc tree metadata bench nextest",
        "npm": "test run run-script ls list outdated",
        "pnpm": "test run ls list lint build",
        "yarn": "test run lint build list why",
        "make": "",
        "just": "",
        "task": "",
        "ninja": "",
        "cmake": "--build",
        "gradle": "test check build",
        "mvn": "test verify compile validate",
        "uv": "tree lock-check",
        "poetry": "check show",
        "rake": "",
        "mix": "test format credo compile",
        "bundle": "check list",
        "pre-commit": "run",
        "hatch": "test fmt",
    }.items()
}
"""Programs with commands of their own: only these may be allowed. Where none is named, each target
of the project may be, as what it does is written in the project."""

_SEVERAL_TARGETS: Final = frozenset(("make", "just", "task", "ninja", "rake", "gradle", "mvn"))
"""Of these, each further word is one more target: nothing may follow what was seen."""

_PUBLISHES: Final = re.compile(
    r"(?i)(?:^|[-_:/. ])(?:deploy|publish|release|push|upload|install|uninstall|clean|purge|delete"
    r"|destroy|drop|reset|migrate|migration|rollback|prod|production|seed|remove|rm|eject|login"
    r"|logout)(?:$|[-_:/. ])"
)
"""Words in the name of a target or script that do more than check or build."""
_DANGEROUS_OPTIONS: Final = re.compile(
    r"(?:^| )(?:-exec|-toolexec|-vettool|--exec|--eval|-delete|--output|--ext-diff|--open-files-in-"
    r"pager|--upload-pack|--pager|--pre|SHELL|-f|--file|--makefile|-C|--directory)(?:=| |$)"
)
"""Options by which a harmless program runs another one, or works elsewhere."""


def is_known_program(name: str) -> bool:
    """Return whether a rule may leave the arguments of a program open, or some of them."""
    return name in _OPEN_PROGRAMS or name in _SUBCOMMANDS


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
    text = " ".join(arguments)
    if found := _DANGEROUS_OPTIONS.search(f" {text}"):
        return f"with {found[0].strip(' =')} it can run another program, or work elsewhere"
    if program in _OPEN_PROGRAMS:
        return ""
    if program in _SUBCOMMANDS:
        return _explain_subcommand(program, arguments, is_open=is_open)
    if _PUBLISHES.search(f"{program} {text}"):
        return f"{program} {text}".strip() + " does more than check or build, by its name"
    if is_open:
        return (
            f"{program} is not known to do nothing but check, build or read, so it is only allowed"
            " with exactly the arguments that were seen"
        )
    return ""


def _explain_subcommand(program: str, arguments: list[str], *, is_open: bool) -> str:
    if is_open and program in _SEVERAL_TARGETS:
        return f"what may follow {program} are more targets, and each of them would be allowed"
    if not arguments:
        return f"{program} alone would allow all of its commands" if is_open else ""
    known, name = _SUBCOMMANDS[program], arguments[0]
    if known and name not in known:
        return f"{program} {name} is not known to do nothing but check, build or read"
    if _takes_script(program, name) and (not arguments[1:] or arguments[1].startswith("-")):
        return f"{program} {name} without the name of a script would allow all scripts"
    if _PUBLISHES.search(" ".join(arguments)):
        return f"{program} {' '.join(arguments)} does more than check or build, by its name"
    return ""


def _takes_script(program: str, name: str) -> bool:
    """Return whether a command of a program runs a script that is named after it."""
    return name in ("run", "run-script") and program in ("npm", "pnpm", "yarn")
