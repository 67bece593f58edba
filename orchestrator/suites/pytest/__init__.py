"""Run pytest and read its results: everything that is specific to pytest is here.

suite        `PytestSuite`: add the plugin to the command, run it, and read its records
settings     where pytest looks for its settings
node_ids     parse node ids, and select cases by them
plugin/      runs inside the project's pytest and sends a record for each event
report       read the records and build the report
session      the state of one pytest process, and the cases made from it
collection   the cases of a suite, counted without running them
excerpts     shorten messages and tracebacks
case_reach   the files that each case uses
footprint    the files that the verdict depends on
verdict      judge a run by its exit code and its records
summary      recognise pytest's last line in any output
tracebacks   parse pytest's tracebacks
"""
