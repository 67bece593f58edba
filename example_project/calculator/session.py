"""A calculator that remembers what it worked out."""

from calculator.expressions import evaluate


class Calculator:
    """Works out expressions and keeps a history, oldest first.

    Args:
        history: lines of an earlier session to go on from.
    """

    def __init__(self, history: list[str] = []) -> None:
        self.history = history

    def calculate(self, expression: str) -> float:
        """Give the value of an expression, and remember both."""
        value = evaluate(expression)
        self.history.append(f"{expression} = {value:g}")
        return value

    def clear(self) -> None:
        """Forget everything."""
        self.history.clear()

    def last(self, count: int = 5) -> list[str]:
        """Give the last lines of the history, oldest first."""
        return self.history[-count:] if count > 0 else []
