// Say why there is no lesson: what earlier nodes said, or what their error means. This is an
// expression of a Set node and no Code node, so it works without n8n's task runner, too.
(() => {
  const { version: workflow_version } = $('Settings').first().json;
  const { status, retry_after = 0, reply, error, details } = $json;
  if (reply) return { status, retry_after, reply };
  const fail = (status, kind, error, retry_after = 0) => {
    return { status, retry_after, reply: { error, kind, workflow_version } };
  };

  // Of Claude's errors, n8n's own words are guesses ("perhaps it is offline"): take Node's.
  const words = details?.description ?? error?.messages?.[0] ?? error?.message ?? error;
  const said = String(words ?? '').replace(/ \[line \d+.*\]$/, '').replace(/\/\/\S*@/g, '//').trim();
  if (said.startsWith('bad request')) return fail(400, 'bad_request', said);

  // Without a task runner, n8n goes on with the input of the Code node instead of its output.
  const request = $('Build request').isExecuted && $('Build request').first(0)?.json;
  const isOfClaude = $prevNode.name === 'Ask Claude';
  const isOfRunner = !isOfClaude && /^Task |runner/i.test(said);
  const isWithoutRunner = !error || isOfRunner || (request && !request.request);
  if (isWithoutRunner) {
    const cause = "n8n's task runner did not answer: n8n is stopping or starting";
    return fail(503, 'try_again', cause, 5);
  }
  if (!isOfClaude) {
    return fail(502, 'misconfigured', `the node "${$prevNode.name}" failed: ${said}`);
  }

  if (/^timeout of \d+ms exceeded/.test(said)) {
    return fail(504, 'timed_out', `Claude did not answer within ${request.timeout_ms / 1000} s`);
  }
  // A fault of the network may pass, and has a code of its own; one of a credential (no code), an
  // address or a certificate does not pass.
  const code = String(details?.httpCode ?? '');
  const lasting =
    /CERT|CRL|TLS|SSL|SELF_SIGNED|UNABLE_TO|ERR_INVALID|EPROTO|INVALID_|PATH_LENGTH|HOSTNAME/;
  const kind = !code || lasting.test(code) ? 'misconfigured' : 'try_again';
  return fail(502, kind, `Claude was not reached: ${said || code || 'no cause is known'}`);
})()
