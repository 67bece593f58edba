// Of several requests with the same key, only the first asks Claude. A later one gets the stored
// answer or, while the first is still in progress, status 503 with `Retry-After`.
const IN_PROGRESS_MS = 50_000; // longer than the timeout of "Claude": an older request has failed

const question = $('Question').first().json;
const mine = $('Register').first().json.id;
const rows = $('Look up')
  .all()
  .map((item) => item.json)
  .filter((row) => row.key === question.key)
  .sort((one, other) => one.id - other.id);

const answered = rows.find((row) => row.answer);
if (answered) {
  return [{ json: { ask: false, status: 200, reply: JSON.parse(answered.answer) } }];
}
const first = rows.find((row) => question.at - row.at < IN_PROGRESS_MS);
if (first && first.id !== mine) {
  const reply = { error: 'the same request is still in progress', kind: 'try_again' };
  return [{ json: { ask: false, status: 503, retry_after: 5, reply } }];
}
return [{ json: { ask: true } }];
