"""A small calculator."""

from calculator.arithmetic import percentage, power, safe_divide, split_bill
from calculator.expressions import ExpressionError, evaluate
from calculator.session import Calculator
from calculator.statistics import mean, median, moving_average

__all__ = [
    "Calculator",
    "ExpressionError",
    "evaluate",
    "mean",
    "median",
    "moving_average",
    "percentage",
    "power",
    "safe_divide",
    "split_bill",
]
