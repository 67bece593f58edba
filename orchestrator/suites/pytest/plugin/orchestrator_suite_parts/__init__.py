"""The parts of the plugin, in a package of their own that pytest's import hook leaves alone.

They run inside the project's pytest: standard library and pytest alone, Python 3.8 or later.
"""
