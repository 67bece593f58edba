"""Works on a list of tasks, in one lane or several, on one machine or many.

    read the list -> choose tasks -> [ run each in a lane ] -> merge queue -> branch -> tick

- scheduler: the order of things; read it first
- models, ports, events: the words of this package, and what it needs from above
- reading/: task lists as people write them, and the tick of a line
- store: the rows of lists and tasks
- choosing: which tasks may start now, beside those that run
- hot_files, predicting: which files a task will change, and which only one lane may change
- prompts, digest: what a run is asked, and what it reads about the others
- breakers: when a list stops before its end
- watching: conflicts between lanes, while agents work
- merging: the merge queue
- learned_rules: the one writer of what runs learned in lanes
- fleet/: jobs for other machines, workers, and the reaper of dead ones
"""
