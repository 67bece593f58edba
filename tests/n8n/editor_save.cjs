// Print a workflow as n8n's editor saves it: without parameters that have their default value, or
// that belong to no visible field. Arguments: the folder of n8n's packages, and the workflow.
const { readFileSync } = require('node:fs');
const [packages, file] = process.argv.slice(2);
const { NodeHelpers } = require(`${packages}/n8n-workflow`);

function loadType(node) {
  const split = node.type.lastIndexOf('.');
  const name = node.type.slice(split + 1);
  const folder = `${packages}/${node.type.slice(0, split)}`;
  const { className, sourcePath } = require(`${folder}/dist/known/nodes.json`)[name];
  const type = new (require(`${folder}/${sourcePath}`)[className])();
  return NodeHelpers.getVersionedNodeType(type, node.typeVersion);
}

const workflow = JSON.parse(readFileSync(file, 'utf8'));
for (const node of workflow.nodes) {
  const { description } = loadType(node);
  const { properties } = description;
  node.parameters = NodeHelpers.getNodeParameters(
    properties, node.parameters, false, false, node, description,
  );
}
process.stdout.write(JSON.stringify(workflow));
