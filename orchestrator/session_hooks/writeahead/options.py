"""Command-line options, split from the other arguments as programs do it."""

TYPE_CHECKING = False  # mypy knows the name; `typing` itself is slow to import
if TYPE_CHECKING:
    from collections.abc import Collection


def read_options(
    arguments: list[str], with_value: "Collection[str]" = ()
) -> tuple[set[str], list[str]]:
    """Split arguments into options and other words.

    Args:
        arguments: the words after the program or its subcommand.
        with_value: options that take a value, which is in neither result.

    Returns:
        The options, with `-rf` as `-r` and `-f` and without attached values; and the other words.
    """
    options, plain, at = set(), [], 0
    while at < len(arguments):
        word = arguments[at]
        at += 1
        if word == "--":
            plain += arguments[at:]
            break
        if word.startswith("--"):
            name, attached, _ = word.partition("=")
            options.add(name)
            at += name in with_value and not attached
        elif word.startswith("-") and word != "-":
            for end, letter in enumerate(word[1:], 2):
                options.add(f"-{letter}")
                if f"-{letter}" in with_value:
                    at += end == len(word)
                    break
        else:
            plain.append(word)
    return options, plain
