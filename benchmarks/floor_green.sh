#!/bin/sh
# The least that makes one attempt with the same children: git, Claude Code, git, the suite.
#
# Environment: TASK, SUITE, CLAUDE, ALLOWED, OUT (a folder).

git add -A
before=$(git write-tree)
"$CLAUDE" -p "$TASK" --output-format stream-json --verbose --permission-mode acceptEdits \
  --allowedTools "$ALLOWED,Bash(printf *)" --max-turns=15 >"$OUT/agent.jsonl" </dev/null
git add -A
git diff --cached --binary "$before" >"$OUT/attempt.patch"
$SUITE >"$OUT/suite.log" 2>&1
