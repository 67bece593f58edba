"""The files that are not code and come with the program."""

from importlib import resources
from importlib.resources.abc import Traversable


def find_shipped_file(name: str) -> Traversable:
    """Return a data file of the wheel, or in a checkout the file that it is built from.

    Args:
        name: the path from the folder `data` in the wheel, which is the one from the root of a
            checkout.
    """
    packaged = resources.files("orchestrator").joinpath("data", name)
    if packaged.is_file() or packaged.is_dir():
        return packaged
    return resources.files("orchestrator").joinpath("..", name)
