"""Judges an attempt by experiment: runs of the suite with the attempt's changes and without them.

suite_obstacle      checks before any cost whether the suite can judge at all
experiment          runs the suite as often as needed, and concludes the verdict
comparison          decides which run is needed next, and classifies each failing case
evidence            ... from the runs so far, and how each case ended in them
exit_status         ... also for a command that fails although every case passes
relation            relates a case to the task and to the change
task_text           ... by the words of the task
definitions         ... by the definitions that a change touches, and a test can reach
code_reduction      ... without docstrings and annotations, for tasks that ask for these
missing_dependency  finds a module that is declared and not installed
missing_modules     reads which modules a text reports as missing
advice              explains what is wrong if the environment is to blame
free_memory         ... how much memory machine, container and process have
file_access         ... why a file or folder may not be used
"""
