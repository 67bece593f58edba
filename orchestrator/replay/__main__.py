"""`python -m orchestrator.replay SCENARIO.yaml`: serve a scenario until Ctrl-C."""

import contextlib
import sys
import threading
from pathlib import Path

import click

from orchestrator.counts import format_count
from orchestrator.errors import LoopError
from orchestrator.replay import RecordedRequest, ReplayServer, load_scenario


def _parse_variables(
    _context: click.Context, _option: click.Parameter, given: tuple[str, ...]
) -> object:
    pairs = [item.partition("=") for item in given]
    for name, equals, _value in pairs:
        if not name or not equals:
            raise click.BadParameter(f"{name!r} is not NAME=VALUE")
    return {name: value for name, _equals, value in pairs}


@click.command()
@click.argument("scenario", type=click.Path(path_type=Path))
@click.option("--port", default=0, show_default="a free one", type=click.IntRange(0, 65535))
@click.option(
    "--var",
    "variables",
    multiple=True,
    metavar="NAME=VALUE",
    callback=_parse_variables,
    help="Replace ${NAME} in replies by VALUE. May be given more than once.",
)
def main(scenario: Path, port: int, variables: dict[str, str]) -> None:
    """Serve the Anthropic Messages API with the replies of SCENARIO until Ctrl-C.

    Prints the URL for ANTHROPIC_BASE_URL (any ANTHROPIC_API_KEY works), then one line for each
    request.
    """
    try:
        server = ReplayServer(
            load_scenario(scenario), port=port, variables=variables, on_request=_print_request
        )
        with server, contextlib.suppress(KeyboardInterrupt):
            click.echo(server.url)
            threading.Event().wait()
        click.echo(f"stopped after {format_count(len(server.requests), 'request')}", err=True)
    except LoopError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)


def _print_request(request: RecordedRequest) -> None:
    result = request.mismatch or f"{request.summary} -> {request.answer}"
    click.echo(f"{request.number}: {result}")


if __name__ == "__main__":
    main()
