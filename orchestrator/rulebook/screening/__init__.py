"""Decide whether a rule may become active by itself: by what it is about, not by its wording.

A rule is read by an agent in every later session, and what a failing test printed may have talked
a teacher into it. So a rule about the code of the project may become active by itself; everything
else waits for a person, whatever it says, and so does whatever cannot be classified.

- `screen`: the result for one rule; calls the modules below in this order.
- `characters`: which characters a rule may contain.
- `marks`: addresses, markup, and encoded text.
- `sentences`: a rule as segments: what it asks for, and what it advises against.
- `outside_subjects`: what is not the project's code: git, shell, network, the agent, ...
- `security_subjects`: code that protects something, and the ways to treat it safely.
- `verbs`: what a rule about code asks for.
- `languages`: the words of English, and of some other languages.
- `subjects`: the names of the subjects.
- `tables`, `tables/`: the words and patterns, as text files.
"""
