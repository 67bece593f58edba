// Run scripts of n8n's Code nodes as its task runner does (@n8n/task-runner, js-task-runner.js):
// each in a new context without `require`, `process` and Node's other globals, with built-ins that
// are frozen or replaced. Each line of the input is one run, each line of the output its result.
const readline = require('node:readline');
const vm = require('node:vm');

const HARDENING = `
  globalThis.global = globalThis;
  var module = { exports: {} };
  Object.getPrototypeOf = () => ({});
  Reflect.getPrototypeOf = () => ({});
  Object.setPrototypeOf = () => false;
  Object.defineProperty = () => ({});
  Object.defineProperties = () => ({});
  [Object, Function, Array, String, Number, RegExp, Error, Date, JSON, Math].forEach(Object.freeze);
`;
const SECONDS = 20;

const compiled = new Map();
const compile = (code) => {
  if (!compiled.has(code)) {
    const wrapped = `${HARDENING}module.exports = async function VmCodeWrapper() {${code}\n}()`;
    compiled.set(code, new vm.Script(wrapped));
  }
  return compiled.get(code);
};

const blocked = new Proxy({}, {
  get() {
    throw new Error('access to env vars denied');
  },
});
const findNode = (nodes, name) => {
  if (!(name in nodes)) throw new Error(`Referenced node doesn't exist: ${name}`);
  const items = [nodes[name]].flat().map((json) => ({ json }));
  return { isExecuted: true, first: () => items[0], all: () => items };
};

async function run({ code, json, nodes, env }) {
  const context = vm.createContext({
    Buffer,
    TextDecoder,
    TextEncoder,
    atob,
    btoa,
    setTimeout,
    $json: json,
    $: (name) => findNode(nodes, name),
    $env: env ?? blocked,
  });
  try {
    return { items: await compile(code).runInContext(context, { timeout: SECONDS * 1000 }) };
  } catch (error) {
    return { error: error.message };
  }
}

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    process.stdout.write(`${JSON.stringify(await run(JSON.parse(line)))}\n`);
  }
})();
