// Of several requests with the same key, only the first asks Claude. A later one gets the stored
// answer or, while the first is still in progress, status 503 with `Retry-After`.
const question = $('Build request').first().json;
const { key } = $('Add memory key').first().json;
const mine = $('Register request').first().json.id ?? 0; // no row has the id 0
// Who asked longer ago than Claude may take has failed, and left its row behind.
const IN_PROGRESS_MS = question.timeout_ms + 5_000;
// "Delete old answers" comes after an answer: without requests meanwhile, older ones are still here.
const REMEMBERED_MS = 24 * 3600 * 1000;

const parse = (text) => {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
};
const rows = $('Look up answer')
  .all()
  .map((item) => item.json)
  .filter((row) => row.key === key)
  .sort((one, other) => one.id - other.id);

// `at` is when the answer was asked for, `drop` the row that has an older answer.
const { at, workflow_version } = question;
const stored = rows.findLast(
  (row) => at - row.at < REMEMBERED_MS && typeof parse(row.answer)?.action === 'string',
);
const drop = mine && stored ? stored.id : 0;
if (stored && !question.fresh) {
  const reply = { ...parse(stored.answer), remembered: true, workflow_version };
  return [{ json: { ask: false, status: 200, reply, at: stored.at, drop } }];
}
const first = rows.find((row) => !row.answer && at - row.at < IN_PROGRESS_MS);
if (first && first.id !== mine) {
  const error = 'the same request is still in progress';
  const reply = { error, kind: 'try_again', workflow_version };
  return [{ json: { ask: false, status: 503, retry_after: 5, reply } }];
}
return [{ json: { ask: true, at, drop } }];
