// A node failed: answer with its error in one line.
const said = $json.error?.message ?? $json.error ?? 'no cause is known';
const error = String(said).replace(/ \[line \d+.*\]$/, '');
if (error.startsWith('bad request')) {
  return [{ json: { status: 400, reply: { error, kind: 'bad_request' } } }];
}
return [{ json: { status: 502, reply: { error: `Claude was not reached: ${error}`, kind: 'try_again' } } }];
