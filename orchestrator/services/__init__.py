"""What a command asks for: start and resume a run, report, teach what waits, the demo."""
