// Build the request to Claude. Prompts, model and schema come from the node "Settings".
const settings = $json;
const asked = settings.asked;
if (typeof asked !== 'object' || asked === null || Array.isArray(asked)) {
  throw new Error('bad request: the body is not a JSON object');
}

const text = (key) => (typeof asked[key] === 'string' ? asked[key].trim() : '');
const rules = Array.isArray(asked.known_rules) ? asked.known_rules : [];
const type = text('failure_type') || 'test_failure';
const prompt = settings[`prompt_${type}`];
if (typeof prompt !== 'string') {
  throw new Error(`bad request: there is no failure_type ${type.slice(0, 60)}`);
}
if (!text('diff') && !text('error_logs') && !text('context')) {
  throw new Error('bad request: there is no evidence: send diff, error_logs or context');
}

const parts = {
  'failure type': type,
  task: text('task_description'),
  context: text('context'),
  'active rules': rules
    .map((rule) => `[${rule.id}]\nRule: ${rule.rule}\nWhen: ${rule.when}\nWhy: ${rule.why}`)
    .join('\n\n'),
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

// The operator of this n8n may set another address of the API (a gateway, a test).
let base = 'https://api.anthropic.com';
try {
  base = $env.ANTHROPIC_BASE_URL || base;
} catch {
  // Workflows may read variables only if N8N_BLOCK_ENV_ACCESS_IN_NODE is false; reading throws.
}

return [
  {
    json: {
      key: text('idempotency_key').slice(0, 100) || `none-${mark}`,
      at: Date.now(),
      known_ids: rules.map((rule) => String(rule.id)),
      url: `${base.replace(/\/+$/, '')}/v1/messages`,
      request: {
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
      },
    },
  },
];
