"""Access files, locks and processes of the operating system; knows nothing of the product.

platform.folders        finds the git work tree and Claude Code's folders; quick to import
platform.project        finds and checks the project's folder
platform.packages       recognizes a package with tests of its own
platform.project_commands  writes commands that work where the person stands
platform.files          queries, reads and writes files
platform.atomic         replaces a file atomically; quick to import
platform.private_folders creates folders for their owner alone; quick to import
platform.in_place        writes a file that a rename cannot replace
platform.git_variables  drops the variables by which git refers to one repository
platform.bom            finds byte order marks
platform.escape_sequences  removes the colours of a program's output
platform.locking        locks files between processes
platform.process        runs a program to its end
platform.child          a running child, with its readers
platform.watchdog       ends a child that exceeds a limit
platform.popen          starts a program
platform.children       keeps track of the children of each run
platform.process_tree   finds and ends what descends from a child
platform.parent_watch   has this process watched by parent_watch_program, which ends its children
platform.secret_folders  creates temporary folders for secrets, which parent_watch_program removes
platform.orphans        ends what lost its parent
platform.stop_flag      asks the main thread to stop, from a handler of signals
platform.liveness       checks whether a recorded process is still running
"""
