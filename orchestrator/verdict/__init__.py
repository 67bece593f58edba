"""The verdict on an attempt: an experiment, and what it shows.

baseline     whether the suite can judge at all, before a token is spent
evidence     runs of the suite on the tree after and on the tree before, and how each case ended
task_text    what the words of a task ask for
relation     what ties a case to the task and to the change
compare      which run is still needed, and what each failing case is
exit_status  a command that fails though every case passes
dependency   a module that is declared and not installed
missing_modules  which modules a text says are missing
advice       what to tell a person once the experiment has blamed the environment
free_memory  how much memory the machine, a container and a process have now
file_access  why a file or folder may not be used
"""
