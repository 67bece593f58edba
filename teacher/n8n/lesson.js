// Turn Claude's answer into the webhook's answer: 200 with a lesson, or another status with the
// cause.
const MODEL_MAY_RECOVER = [408, 409];
const ACTIONS = ['add', 'reinforce', 'amend', 'none'];

const refuse = (status, kind, error, more = {}) => [
  { json: { status, ...more, reply: { error, kind, ...more.reply } } },
];

const { statusCode: status, body, headers = {} } = $json;
if (status !== 200) {
  const said = body?.error?.message ?? (typeof body === 'string' ? body.slice(0, 300) : '');
  const error = `Claude answered ${status}: ${said || 'nothing more'}`;
  if (status === 429) {
    return refuse(429, 'try_again', error, { retry_after: headers['retry-after'] ?? 10 });
  }
  const isTemporary = status >= 500 || MODEL_MAY_RECOVER.includes(status);
  return refuse(502, isTemporary ? 'try_again' : 'misconfigured', error);
}
if (!Array.isArray(body?.content)) {
  return refuse(502, 'misconfigured', 'the server that answered is not the Messages API');
}

const billed = body.usage ?? {};
const usage = {
  input_tokens: billed.input_tokens ?? 0,
  output_tokens: billed.output_tokens ?? 0,
  cache_read_tokens: billed.cache_read_input_tokens ?? 0,
  cache_write_tokens: billed.cache_creation_input_tokens ?? 0,
};
const paid = { model: $('Question').first().json.request.model, usage };
const answer = body.content
  .filter((block) => block.type === 'text')
  .map((block) => block.text)
  .join('');
const unusable = (error) =>
  refuse(502, 'unusable_answer', error, { reply: { answer: answer.slice(0, 2000), ...paid } });

if (['max_tokens', 'model_context_window_exceeded'].includes(body.stop_reason)) {
  return unusable('it was cut off; raise max_tokens in the node "Settings"');
}
if (body.stop_reason === 'refusal') {
  return unusable('the model refused to answer');
}

let lesson;
try {
  lesson = JSON.parse(answer.replace(/^\s*```(?:json)?\s*\n([^]*)\n\s*```\s*$/, '$1'));
} catch {
  return unusable('it is not JSON');
}
if (typeof lesson !== 'object' || lesson === null || Array.isArray(lesson)) {
  return unusable('it is not a JSON object');
}
const action = String('action' in lesson ? lesson.action : 'add').trim().toLowerCase();
if (!ACTIONS.includes(action)) {
  return unusable(`\`action\` is none of ${ACTIONS.join(', ')}`);
}
const hasText = ['add', 'amend'].includes(action);
const missing = ['rule', 'when', 'why'].filter((key) => typeof lesson[key] !== 'string');
if (hasText && missing.length) {
  return unusable(`\`${action}\` needs ${missing.join(', ')}`);
}
const known = $('Question').first().json.known_ids;
if (['reinforce', 'amend'].includes(action) && !known.includes(String(lesson.target).trim())) {
  return unusable(`\`${action}\` needs an active rule as \`target\`, not ${lesson.target}`);
}

const reply = { action };
for (const key of ['reason', 'target', 'rule', 'when', 'why', 'paths']) {
  if (lesson[key] !== null && lesson[key] !== undefined) reply[key] = lesson[key];
}
return [{ json: { status: 200, reply: { ...reply, ...paid } } }];
