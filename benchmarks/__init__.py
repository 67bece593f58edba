"""What the loop costs beyond its children. `python -m benchmarks`; figures in README.md here."""
