import pytest


@pytest.fixture(autouse=True)
def _no_outer_pytest(monkeypatch: pytest.MonkeyPatch) -> None:
    """The suites under test are run by pytest from within pytest: the inner one starts clean."""
    for name in ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "PYTEST_XDIST_TESTRUNUID", "VIRTUAL_ENV"):
        monkeypatch.delenv(name, raising=False)
    # Nothing here needs the installed plugins, and loading them is half of each run's time.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
