// Build the request to Claude. Prompts, model and schema come from the node "Settings". The same
// failure gives the same request as `teacher/prompt.py`, but for the mark of the fences.
const settings = $json;
const asked = settings.asked;
if (typeof asked !== 'object' || asked === null || Array.isArray(asked)) {
  throw new Error('bad request: the body is not a JSON object');
}

// What Python calls white space; `trim` and `\s` of JavaScript differ in six characters.
const SPACE = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;
const strip = (text) => {
  let [start, end] = [0, text.length];
  while (start < end && SPACE.test(text[start])) start += 1;
  while (end > start && SPACE.test(text[end - 1])) end -= 1;
  return text.slice(start, end);
};
// The API refuses lone surrogates, which names of files and output that are not UTF-8 contain.
const asText = (value) =>
  typeof value === 'string' ? value.replace(/\p{Surrogate}/gu, '?') : '';
const text = (key) => strip(asText(asked[key]));

const type = text('failure_type') || 'test_failure';
const prompt = type === 'shared' ? undefined : settings[`prompt_${type}`];
if (typeof prompt !== 'string') {
  throw new Error(`bad request: there is no failure_type ${[...type].slice(0, 60).join('')}`);
}
if (!text('diff') && !text('error_logs') && !text('context')) {
  throw new Error('bad request: there is no evidence: send diff, error_logs or context');
}
const rules = Array.isArray(asked.known_rules) ? asked.known_rules : [];
if (rules.some((rule) => !['string', 'number'].includes(typeof rule?.id))) {
  throw new Error('bad request: each of known_rules has to be an object with an id');
}
const knownIds = rules.map((rule) => asText(String(rule.id)));

const parts = {
  'failure type': type,
  task: text('task_description'),
  context: text('context'),
  'active rules': strip(
    rules
      .map(({ rule, when, why, note }, at) => {
        const lines = [`[${knownIds[at]}]`, `Rule: ${asText(rule)}`, `When: ${asText(when)}`];
        lines.push(`Why: ${asText(why)}`);
        if (asText(note)) lines.push(`Note: ${asText(note)}`);
        return lines.join('\n');
      })
      .join('\n\n'),
  ),
  diff: text('diff'),
  logs: text('error_logs'),
};

// The mark does not occur in the evidence, so that no evidence can close its fence.
const evidence = Object.values(parts).join('\n');
let mark;
do {
  mark = [1, 2].map(() => Math.random().toString(16).slice(2, 10).padEnd(8, '0')).join('');
} while (evidence.includes(mark));
const fenced = Object.entries(parts).map(
  ([name, data]) => `<<${mark} ${name}>>\n${data || '(none)'}\n<<${mark} end of ${name}>>`,
);

// The address of the API, or of a gateway in front of it: Settings, then n8n's environment.
let base = strip(asText(settings.base_url));
try {
  base ||= $env.ANTHROPIC_BASE_URL;
} catch {
  // Workflows may read variables only if N8N_BLOCK_ENV_ACCESS_IN_NODE is false; reading throws.
}
const url = `${(base || 'https://api.anthropic.com').replace(/\/+$/, '')}/v1/messages`;

const request = {
  model: settings.model,
  max_tokens: settings.max_tokens,
  system: [
    {
      type: 'text',
      text: `${settings.prompt_shared}\n\n${prompt}`,
      cache_control: { type: 'ephemeral' },
    },
  ],
  messages: [
    { role: 'user', content: [settings.outside, ...fenced, settings.question].join('\n\n') },
  ],
  output_config: { format: { type: 'json_schema', schema: settings.schema } },
};

// Claude has less time than the caller waits, so that the caller hears of it when it is used up.
const DEFAULT_SECONDS = 90;
const MOST_SECONDS = 7 * 24 * 3600; // as much as `n8n.timeout` may be
const given = asked.timeout_seconds;
const isUsable = typeof given === 'number' && given > 0;
const seconds = isUsable ? Math.min(given, MOST_SECONDS) : DEFAULT_SECONDS;
const timeoutMs = Math.ceil(Math.max(seconds - 5, seconds / 2) * 1000);

// Whatever changes the answer: with another prompt or model, it is another question. With other
// evidence, too, so that nobody gets the answer to another's question by the same key.
const { messages, ...settled } = request;
const questionKey = text('idempotency_key') || `none-${mark}`;
const { outside, question } = settings;
const memoryText = JSON.stringify([questionKey, url, settled, outside, question, parts]);

return [
  {
    json: {
      question_key: questionKey,
      memory_text: memoryText,
      fresh: asked.fresh === true,
      at: Date.now(),
      timeout_ms: timeoutMs,
      known_ids: knownIds,
      url,
      workflow_version: settings.version,
      request,
    },
  },
];
