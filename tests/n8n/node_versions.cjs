// Print the newest version of each of these node types in an n8n. Called by test_failures.py.
const [, , root, ...types] = process.argv;
const newest = {};
for (const type of types) {
  const at = type.lastIndexOf('.');
  const base = `${root}/node_modules/${type.slice(0, at)}`;
  const file = `/${type.slice(at + 1)}.node.js`.toLowerCase();
  const { nodes } = require(`${base}/package.json`).n8n;
  const path = nodes.find((each) => each.toLowerCase().endsWith(file));
  const [Node] = Object.values(require(`${base}/${path}`)).filter((each) => typeof each === 'function');
  const { defaultVersion, version } = new Node().description;
  newest[type] = defaultVersion ?? Math.max(...[version].flat());
}
console.log(JSON.stringify(newest));
process.exit(0);
