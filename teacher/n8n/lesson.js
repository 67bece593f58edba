// Turn Claude's answer into the webhook's answer: 200 with a lesson, or another status with the
// cause. Accepts and refuses exactly what `teacher/answer.py` does; both are tested with one table.
const ACTIONS = '<actions>';
const MAX_SENTENCE = '<max_sentence>';
const MAX_DEPTH = '<max_depth>';
const MODEL_MAY_RECOVER = [408, 409];

const question = $('Build request').first().json;
const reply = (status, content, more = {}) => [
  { json: { status, ...more, reply: { ...content, workflow_version: question.workflow_version } } },
];
const replaceSurrogates = (text) => text.replace(/\p{Surrogate}/gu, '?');
const cut = (text, length) => [...replaceSurrogates(text)].slice(0, length).join('');
const quote = (text) => cut(text, 300).replace(/[\p{C}\p{Z}]+/gu, ' ').trim();
const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
const parse = (text) => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

const { statusCode: status, body, headers = {} } = $json;
// A gateway may send JSON under another content type.
const message = typeof body === 'string' ? parse(body) : body;
if (!(status >= 200 && status < 300)) {
  const said = message?.error?.message ?? body;
  const words = typeof said === 'string' ? quote(said) : '';
  const error = `Claude answered ${status}: ${words || 'nothing more'}`;
  if (status === 404) return reply(502, { error, kind: 'unknown_model' });
  const isTemporary = status === 429 || status >= 500 || MODEL_MAY_RECOVER.includes(status);
  if (!isTemporary) return reply(502, { error, kind: 'misconfigured' });
  // The API says so when waiting does not help, such as at the limit of an account.
  const kind = headers['x-should-retry'] === 'false' ? 'refused' : 'try_again';
  const wait = headers['retry-after'] ?? (status === 429 ? 10 : 0);
  return reply(status === 429 ? 429 : 502, { error, kind }, { retry_after: wait });
}
const stopReason = message?.stop_reason ?? null;
if (!isObject(message?.usage) || (stopReason !== null && typeof stopReason !== 'string')) {
  const error = 'the server that answered is not the Messages API';
  return reply(502, { error, kind: 'misconfigured' });
}

const billed = message.usage;
const usage = {
  input_tokens: billed.input_tokens ?? 0,
  output_tokens: billed.output_tokens ?? 0,
  cache_read_tokens: billed.cache_read_input_tokens ?? 0,
  cache_write_tokens: billed.cache_creation_input_tokens ?? 0,
};
const paid = { model: question.request.model, usage };
const answer = (Array.isArray(message.content) ? message.content : [])
  .map((block) => block?.text)
  .filter((text) => typeof text === 'string')
  .join('');
const refuse = (error) =>
  reply(502, { error, kind: 'unusable_answer', answer: cut(answer, 2000), ...paid });

if (['max_tokens', 'model_context_window_exceeded'].includes(stopReason)) {
  return refuse('it was cut off; raise max_tokens in the node "Settings"');
}
if (stopReason === 'refusal') return refuse('the model refused to answer');

// What Python calls white space; `trim` and `\s` of JavaScript differ in six characters.
const SPACE = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;
const joinLines = (text) => text.split(SPACE).filter(Boolean).join(' ');
const strip = (text) => {
  let [start, end] = [0, text.length];
  while (start < end && SPACE.test(text[start])) start += 1;
  while (end > start && SPACE.test(text[end - 1])) end -= 1;
  return text.slice(start, end);
};

const removeFence = (text) => {
  const stripped = strip(text.replace(/^\ufeff/, ''));
  const [opening] = /^```(?:json)?/iu.exec(stripped) ?? [''];
  const rest = stripped.slice(opening.length);
  return opening && rest.endsWith('```') ? strip(rest.slice(0, -3)) : stripped;
};
const measureDepth = (text) => {
  let [depth, deepest, inString] = [0, 0, false];
  for (const [token] of text.matchAll(/\\.|["[\]{}]/gsu)) {
    if (token === '"') inString = !inString;
    else if (!inString && '[{'.includes(token)) depth += 1;
    else if (!inString && ']}'.includes(token)) depth -= 1;
    deepest = Math.max(deepest, depth);
  }
  return deepest;
};
const hasLoneSurrogate = (value) => {
  let found = false;
  JSON.stringify(value, (key, each) => {
    found ||= !key.isWellFormed() || (typeof each === 'string' && !each.isWellFormed());
    return each;
  });
  return found;
};

const json = removeFence(answer);
if (measureDepth(json) > MAX_DEPTH) return refuse('it is nested too deeply');
const lesson = parse(json);
if (lesson === undefined || !json.isWellFormed() || hasLoneSurrogate(lesson)) {
  return refuse('it is not JSON');
}
if (!isObject(lesson)) return refuse('it is not a JSON object');

const given = 'action' in lesson ? lesson.action : 'add';
const action = typeof given === 'string' ? strip(given).toLowerCase() : '';
if (!ACTIONS.includes(action)) return refuse(`\`action\` is none of ${ACTIONS.join(', ')}`);
const texts = {};
for (const key of ['target', 'rule', 'when', 'why', 'reason']) {
  const value = lesson[key] ?? '';
  if (typeof value !== 'string') return refuse(`\`${key}\` is not text`);
  texts[key] = joinLines(value);
  if (['rule', 'when', 'why'].includes(key) && [...texts[key]].length > MAX_SENTENCE) {
    return refuse(`\`${key}\` is longer than ${MAX_SENTENCE} characters`);
  }
}
const globs = lesson.paths ?? [];
if (!Array.isArray(globs)) return refuse('`paths` is not a list');
const paths = globs
  .map((glob) => (typeof glob === 'string' ? strip(glob) : glob))
  .filter((glob) => glob !== '');
const wrong = paths.findIndex((glob) => typeof glob !== 'string');
if (wrong >= 0) return refuse(`\`paths.${wrong}\` is not text`);

const hasText = ['add', 'amend'].includes(action);
const hasTarget = ['reinforce', 'amend'].includes(action);
const missing = ['rule', 'when', 'why'].filter((key) => !texts[key]);
if (hasText && missing.length) {
  return refuse(`\`${action}\` needs ${missing.map((key) => `\`${key}\``).join(', ')}`);
}
const { target, rule, when, why, reason } = texts;
if (hasTarget && !question.known_ids.includes(target)) {
  const known = question.known_ids.join(', ') || 'there are none';
  const problem = `\`${action}\` needs an active rule as \`target\``;
  return refuse(`${problem}, not '${quote(target)}' (${known})`);
}

return reply(200, {
  action,
  ...(reason && { reason }),
  ...(hasTarget && { target }),
  ...(hasText && { rule, when, why, paths }),
  ...paid,
});
