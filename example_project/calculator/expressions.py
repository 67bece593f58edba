"""Expressions in text, such as `2 * (3 + 4)`.

    sum     = product  { ("+" | "-") product }
    product = unary    { ("*" | "/") unary }
    unary   = "-" unary | power
    power   = atom     [ "^" unary ]
    atom    = number | "(" sum ")"
"""

import operator
import re

_TOKEN = re.compile(r"\s*(\d+\.?\d*|\.\d+|[-+*/^()])")

_SUMS = {"+": operator.add, "-": operator.sub}
_PRODUCTS = {"*": operator.mul, "/": operator.truediv}


class ExpressionError(ValueError):
    """The text is not an expression, or has no value."""


def evaluate(text: str) -> float:
    """Give the value of an expression."""
    parser = _Parser(_tokens(text))
    try:
        value = parser.sum()
    except ZeroDivisionError:
        raise ExpressionError(f"division by zero in {text!r}") from None
    if parser.current is not None:
        raise ExpressionError(f"unexpected {parser.current!r} in {text!r}")
    return value


def _tokens(text: str) -> list[str]:
    tokens = []
    position = 0
    text = text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise ExpressionError(f"unexpected {text[position:].strip()[0]!r} in {text!r}")
        tokens.append(match[1])
        position = match.end()
    return tokens


class _Parser:
    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._next = 0

    @property
    def current(self) -> str | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def sum(self) -> float:
        left = self.product()
        if self.current in _SUMS:
            return _SUMS[self._take()](left, self.sum())
        return left

    def product(self) -> float:
        left = self.unary()
        while self.current in _PRODUCTS:
            left = _PRODUCTS[self._take()](left, self.unary())
        return left

    def unary(self) -> float:
        if self.current == "-":
            self._take()
            return -self.unary()
        return self.power()

    def power(self) -> float:
        base = self.atom()
        if self.current == "^":
            self._take()
            return base ** self.unary()
        return base

    def atom(self) -> float:
        token = self._take()
        if token == "(":
            value = self.sum()
            if self._take() != ")":
                raise ExpressionError("a parenthesis is not closed")
            return value
        try:
            return float(token)
        except ValueError:
            raise ExpressionError(f"unexpected {token!r}") from None

    def _take(self) -> str:
        token = self.current
        if token is None:
            raise ExpressionError("the expression ends too early")
        self._next += 1
        return token
