"""Lessons of a teacher that was talked into harm, and honest ones, by other hands.

- `cases`: reads the lessons, and selects the sample
- `runner`: sends a lesson through the command line, and sees what became of it
- `figures`: what the records amount to, and the limits
"""
