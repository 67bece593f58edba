"""The project's files, seen from outside: snapshots, diffs, restoring, and work trees.

- git: how `git` is started
- repository: what has to be known about the user's repository
- private: the private git directory in which snapshots are made
- snapshots: take a snapshot, compare two, restore one
- trees: what differs between two trees
- modes, bytecode: the permissions of files, and Python's cache of them, after a restore
- restore_plan: which files a restore replaces, and which it leaves alone
- restore: restore the files of an earlier snapshot
- tree_files: write files of a tree into another folder
- own_files: which files are still as a run left them
- unseen_paths: what a snapshot could not see
- empty_folders: folders without files, of which git knows nothing
- run_trees: the files as each process of a run found and left them
- swap: put the tree before an attempt in place for one run of the suite
- pinning: store a tree so that it does not depend on the user's repository
- repository_history: commits, branches and work trees, through GitPython
- worktree: a separate work tree, in which an isolated run works
- uncommitted: how many files are not committed
- carrying: the user's untracked instruction files in it
- merge_obstacles: what a merge of its branch would meet in the user's folder
- lanes: the repository that the lanes of a task list share
- lane_base: ... its creation, and the commit with the user's uncommitted work
- lane_trees: ... the work trees of lanes, and snapshots of them
- lane_files: ... which files git would add
- lane_history: ... its commits and refs
- virtual_merge: merge commits without a work tree
- publishing: bring a commit into the user's repository as a branch
- fake: a project in memory, for tests
"""

from orchestrator.workspace.snapshots import GitWorkspace, open_workspace

__all__ = ["GitWorkspace", "open_workspace"]
