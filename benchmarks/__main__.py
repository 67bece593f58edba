"""Measure: `python -m benchmarks [PART ...]`, and `--write` to put the figures into the README."""

import importlib
import importlib.util
import os
from dataclasses import replace
from typing import Final

import click

from benchmarks import machine, results

PARTS: Final = {
    "loop": "benchmarks.loop",
    "green": "benchmarks.green",
    "comparison": "benchmarks.comparison",
    "startup": "benchmarks.startup",
    "imports": "benchmarks.imports",
    "snapshot": "benchmarks.snapshot",
    "lanes": "benchmarks.lanes",
    "hook": "benchmarks.hook",
    "masking": "benchmarks.masking",
    "rules": "benchmarks.rules",
    "tree": "benchmarks.tree",
    "record": "benchmarks.record",
    "sessions": "benchmarks.sessions",
    "session_scan": "benchmarks.session_scan",
    "queue": "benchmarks.queue",
    "task_list": "benchmarks.task_list",
    "fleet_limits": "benchmarks.fleet_limits",
    "parallel_lanes": "benchmarks.parallel_lanes",
}
"""Each module has `measure() -> Table`."""

_PRESENT: Final = [part for part, module in PARTS.items() if importlib.util.find_spec(module)]


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(_PRESENT))
@click.option(
    "--write", is_flag=True, help="Measure nothing; put what was measured last into README."
)
def main(parts: tuple[str, ...], write: bool) -> None:
    """Measure PARTS, or all; print the figures and keep them in a file."""
    if write:
        if not results.load():
            raise click.ClickException("nothing was measured yet; run `python -m benchmarks`")
        results.write(_PRESENT)
        click.echo(f"{results.FILE} -> {results.README}")
        return
    for part in parts or _PRESENT:
        load_before = os.getloadavg()[0]
        table = importlib.import_module(PARTS[part]).measure()
        table = replace(table, machine=machine.facts(load_before))
        results.keep(part, table)
        click.echo(f"{table.plain}\n  {', '.join(f'{k} {v}' for k, v in table.machine.items())}\n")
    click.echo(f"Kept in {results.FILE}; `python -m benchmarks --write` puts it into the README.")


if __name__ == "__main__":
    main()
