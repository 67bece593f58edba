"""`orchestrator docs`: read the documentation, which comes with the program."""

import shutil

import click

from orchestrator.cli.output import is_terminal, print_lines


@click.command()
@click.argument("name", required=False)
def docs(name: str | None) -> None:
    """List the pages of the documentation, or print the page NAME.

    On a terminal, a long page is shown by your pager; otherwise it is printed as Markdown.
    """
    from orchestrator.services.documentation import find_document, list_documents

    if name is None:
        documents = list_documents()
        width = max(len(each.name) for each in documents)
        print_lines(f"{each.name:<{width}}  {each.title}" for each in documents)
        click.echo("\nRead one: orchestrator docs NAME")
        return
    text = find_document(name).text
    if not is_terminal():
        print_lines(text.splitlines())
        return
    shown = _render_markdown(text)
    if shown.count("\n") < shutil.get_terminal_size().lines:
        click.echo(shown, nl=False)
    else:
        click.echo_via_pager(shown)


def _render_markdown(text: str) -> str:
    from rich.console import Console
    from rich.markdown import Markdown

    console = Console(width=shutil.get_terminal_size().columns)
    with console.capture() as capture:
        console.print(Markdown(text))
    return capture.get()
