"""List what is known of programs: their subcommands, and which of them change nothing."""

from typing import Final


def _list(text: str) -> frozenset[str]:
    return frozenset(text.split())


SUBCOMMANDS: Final = {
    "git": 1, "go": 1, "gh": 2, "npm": 1, "pnpm": 1, "yarn": 1, "bun": 1, "deno": 1, "cargo": 1,
    "docker": 1, "docker-compose": 1, "kubectl": 1, "helm": 1, "terraform": 1, "mise": 1, "make": 9,
    "just": 9, "task": 9, "pip": 1, "pip3": 1, "poetry": 1, "pipenv": 1, "uv": 1, "hatch": 1,
    "brew": 1, "apt": 1, "apt-get": 1, "aws": 2, "gcloud": 3, "az": 2, "systemctl": 1, "dotnet": 1,
    "mvn": 9, "mvnw": 9, "gradle": 9, "gradlew": 9, "rake": 9, "rails": 1, "bundle": 1, "mix": 1,
    "composer": 1, "swift": 1, "golangci-lint": 1, "tox": 0, "nox": 0, "alembic": 1, "ruff": 1,
}  # fmt: skip
"""How many words after a program say what it does."""
RUN: Final = _list("run r exec x tool compose")
"""Subcommands after which the next word says what is done: `npm run lint`."""
WRAPPERS: Final = {
    "sudo": "ugCDhp", "env": "uCS", "command": "", "nohup": "", "nice": "n", "timeout": "ks",
    "gtimeout": "ks", "time": "fo", "xvfb-run": "", "npx": "p", "bunx": "", "pnpx": "",
    "stdbuf": "ioe", "exec": "a", "builtin": "", "caffeinate": "tw", "xargs": "InPLdsE",
}  # fmt: skip
"""Programs that run the program after them, with their one-letter options that have a value."""
RUNNERS: Final = frozenset(
    (program, subcommand)
    for program, subcommands in (
        *(("uv", "run"), ("poetry", "run"), ("pipenv", "run"), ("hatch", "run"), ("rye", "run")),
        *(("pdm", "run"), ("pixi", "run"), ("bundle", "exec"), ("npm", "exec"), ("mise", "exec x")),
        *(("pnpm", "exec dlx"), ("yarn", "exec dlx")),
    )
    for subcommand in subcommands.split()
)
"""Subcommands that run the program after them."""
READERS: Final = _list("""
    ls cat head tail wc echo pwd cd grep egrep fgrep rg ag sort uniq cut tr jq yq which type stat
    file du df date printf true false test [ [[ : diff cmp comm less more tree realpath readlink
    basename dirname env printenv whoami id uname hostname ps pgrep lsof sleep nl column od xxd
    hexdump md5sum sha1sum sha256sum shasum strings seq sed awk gawk find fd bat wait read export
    set unset pushd popd exit return break continue local tac rev fold paste help man history
""")
"""Programs that change no file; options such as `sed -i` are looked at in addition."""
PLAIN: Final = _list("""
    rm mv cp mkdir rmdir touch chmod chown ln tar zip unzip gzip gunzip curl wget ssh scp rsync kill
    pkill killall node python python3 ruby perl bash sh zsh source . eval gofmt goimports prettier
    eslint black mypy pytest jest vitest mocha rspec phpunit ctest tsc open code vim nano tee dd
    sqlite3 psql mysql redis-cli nc ping dig openssl base64 patch trap
""")
"""Programs whose first argument is a name, not a subcommand."""
LONG_WITH_ONE_DASH: Final = _list("""
    go find fd java javac gofmt terraform openssl ffmpeg ffprobe convert gcc g++ clang xcodebuild
    adb emulator nomad vault consul packer staticcheck govulncheck
""")
"""Programs whose options are words after one dash: `go test -run`."""
READING: Final = {
    "git": _list("""
        status log diff show rev-parse ls-files ls-tree blame merge-base describe grep reflog
        cat-file for-each-ref rev-list shortlog show-ref check-ignore var version help name-rev
        count-objects diff-tree diff-index whatchanged ls-remote
    """),
    "gh": _list("view list diff checks status search"),
    "go": _list("doc env version list vet help"),
    "npm": _list("ls list view outdated audit root why"),
    "docker": _list("ps images logs inspect version info"),
    "kubectl": _list("get describe logs version explain"),
    "pip": _list("list show freeze check"),
    "cargo": _list("tree metadata version search"),
    "mise": _list("ls tasks version which env"),
    "brew": _list("list info search"),
    "systemctl": _list("status list-units show"),
}
"""Subcommands that change nothing."""
GLOBAL_OPTIONS: Final = _list("-C -c -R --repo -n --namespace -f --file --prefix --cwd -p")
"""Options with a value that stand before a subcommand: `git -C folder status`."""
BRANCH_LISTS: Final = _list("-a -r -v -vv --list --show-current --contains")
"""Options of `git branch` that only list."""
SILENT: Final = _list("cd export set echo printf sleep true source . exit return")
"""Programs that say nothing of what a command is for."""
FILTERS: Final = _list(
    "head tail grep egrep fgrep rg sed awk gawk tee cat less sort uniq wc tr cut jq"
)
"""Programs that others are piped into, to see less of their output."""
FORMATTERS: Final = _list("""
    gofmt goimports gofumpt prettier black ruff isort autopep8 yapf rustfmt clang-format shfmt
    eslint biome rubocop php-cs-fixer ktlint spotless dprint mix-format terraform-fmt
""")
"""Programs that rewrite the files that were just edited."""
CHECKS: Final = _list("""
    lint build vet typecheck type-check check test tests add commit push fetch clippy audit
""")
"""Subcommands and tasks that look at the source files of a project, or take them as they are."""
CODE_TASKS: Final = CHECKS | _list("compile fmt format verify ci")
"""Subcommands and tasks that compile or check code."""
GO_COMPILES: Final = _list("build vet test run install generate fix")
COMPILERS: Final = (
    _list("""
    gcc g++ cc c++ clang clang++ javac kotlinc rustc swiftc scalac golangci-lint staticcheck
    pre-commit stylelint checkstyle cargo dotnet make cmake ninja mvn mvnw gradle gradlew
""")
    | FORMATTERS
)
"""Programs that compile or check code, whatever follows."""
CHECKERS: Final = _list(
    "mypy pyright flake8 pylint tsc eslint shellcheck hadolint pytest jest vitest"
)
"""Programs that do so."""
