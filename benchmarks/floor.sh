#!/bin/sh
# The least that carries a task through the same children: a suite, Claude Code, git, one request.
# It knows what the teacher will say and what the request is; it checks nothing and keeps nothing.
#
# Environment: TASK, ATTEMPTS, SUITE, CLAUDE, ALLOWED, OUT (a folder), REQUEST (a file), RULE.

$SUITE >"$OUT/baseline.log" 2>&1
attempt=1
while [ "$attempt" -le "$ATTEMPTS" ]; do
  git add -A
  before=$(git write-tree)
  "$CLAUDE" -p "$TASK" --output-format stream-json --verbose --permission-mode acceptEdits \
    --allowedTools "$ALLOWED" --max-turns=15 >"$OUT/agent-$attempt.jsonl" </dev/null
  git add -A
  git diff --cached --binary "$before" >"$OUT/attempt-$attempt.patch"
  $SUITE >"$OUT/suite-$attempt.log" 2>&1 && exit 0
  $SUITE --last-failed >"$OUT/again-$attempt.log" 2>&1
  curl -sS -o "$OUT/lesson-$attempt.json" -H "x-api-key: $ANTHROPIC_API_KEY" \
    -H "content-type: application/json" -d "@$REQUEST" "$ANTHROPIC_BASE_URL/v1/messages"
  printf '%s\n' "$RULE" >>CLAUDE.md
  attempt=$((attempt + 1))
done
exit 1
