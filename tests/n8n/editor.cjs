// n8n's editor in Chromium, used as a person uses it. Called by editor.py: each line of input is a
// step as JSON, `[name, ...arguments]`; each line of output is `{"result": ...}` or `{"error": ...}`.
const { createInterface } = require('node:readline');
const { chromium, selectors } = require('playwright-core');

const [, , base, folder, executablePath] = process.argv;
// A first page on a busy machine takes half a minute.
const PATIENCE_MS = 120_000;
selectors.setTestIdAttribute('data-test-id');

const steps = {
  // The first page of a fresh n8n: the owner's account.
  async createOwner(page, owner) {
    await page.goto(`${base}/setup`);
    for (const [field, value] of Object.entries(owner)) {
      await page.fill(`input[name=${field}]`, value);
    }
    await page.getByTestId('form-submit-button').click();
    await page.waitForURL('**/home/workflows');
  },

  async importWorkflow(page, file) {
    await page.goto(`${base}/home/workflows`);
    // An empty start page says this; later there is the button "Create workflow".
    await page.getByText(/^(Build a workflow|Create workflow)$/).first().click();
    await page.getByTestId('canvas-add-button').waitFor();
    const chooser = page.waitForEvent('filechooser');
    await chooseFromMenu(page, 'Import', 'From file');
    const saved = page.waitForResponse(isSaved('/rest/workflows'));
    await (await chooser).setFiles(file);
    const { data } = await (await saved).json();
    await page.getByTestId('canvas-node').first().waitFor();
    return data.id;
  },

  // Open a node, press the button under "Credential for ...", and fill the form.
  async addCredential(page, node, kind, fields) {
    await page.locator(`[data-test-id=canvas-node][data-node-name="${node}"]`).dblclick();
    await page.getByRole('button', { name: `Connect to ${kind}` }).click();
    const form = page.getByTestId('editCredential-modal');
    for (const [field, value] of Object.entries(fields)) {
      await form.getByTestId(`parameter-input-${field}`).locator('input, textarea').fill(value);
    }
    const saved = page.waitForResponse(isSaved('/rest/credentials'));
    await form.getByTestId('credential-save-button').click();
    await saved;
    // n8n closes the form itself only if it has no way to try the credential out.
    await form.waitFor({ state: 'hidden', timeout: 5_000 }).catch(() => page.keyboard.press('Escape'));
    await form.waitFor({ state: 'hidden' });
    await page.getByTestId('ndv-close-button').click({ timeout: 5_000 }).catch(() => {});
    await page.getByTestId('ndv').waitFor({ state: 'hidden' });
  },

  async publish(page) {
    await page.getByTestId('workflow-open-publish-modal-button').click();
    const published = page.waitForResponse(isSaved('/activate'));
    await page.getByTestId('workflow-publish-button').click();
    await published;
    await page.getByRole('button', { name: 'Got it' }).click();
  },

  // "... > Settings" of a workflow; `choices` has the label of each field and what to choose.
  async chooseSettings(page, choices) {
    await chooseFromMenu(page, 'Settings');
    const dialog = page.getByTestId('workflow-settings-dialog');
    for (const [label, choice] of Object.entries(choices)) {
      await dialog.locator('.el-row', { hasText: label }).last().getByRole('combobox').click();
      await page.getByRole('option', { name: choice, exact: true }).filter({ visible: true }).click();
    }
    const saved = page.waitForResponse(isSaved('/rest/workflows'));
    await page.getByTestId('workflow-settings-save-button').locator('button').click();
    await saved;
    await dialog.waitFor({ state: 'hidden' });
  },

  // A call of n8n's REST interface with the cookie of the page.
  async call(page, method, path, data) {
    const [status, text] = await page.evaluate(async ([url, how, body]) => {
      const headers = { 'content-type': 'application/json', 'browser-id': localStorage['n8n-browserId'] };
      const answer = await fetch(url, { method: how, headers, body: body && JSON.stringify(body) });
      return [answer.status, await answer.text()];
    }, [`/rest/${path}`, method, data]);
    if (status !== 200) throw new Error(`${method} ${path}: ${status} ${text}`);
    return JSON.parse(text).data;
  },
};

function isSaved(path) {
  return (response) =>
    response.url().includes(path) && response.request().method() !== 'GET' && response.ok();
}

async function chooseFromMenu(page, ...entries) {
  await page.getByTestId('workflow-menu').click();
  for (const entry of entries.slice(0, -1)) {
    await page.getByRole('menuitem', { name: entry, exact: true }).hover();
  }
  await page.getByRole('menuitem', { name: entries.at(-1), exact: true }).click();
}

async function main() {
  const browser = await chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
  const page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
  page.setDefaultTimeout(PATIENCE_MS);
  for await (const line of createInterface({ input: process.stdin })) {
    const [name, ...values] = JSON.parse(line);
    try {
      const result = (await steps[name](page, ...values)) ?? null;
      console.log(JSON.stringify({ result }));
    } catch (error) {
      const picture = `${folder}/${name}.png`;
      await page.screenshot({ path: picture }).catch(() => {});
      console.log(JSON.stringify({ error: `${name}: ${error.message} (see ${picture})` }));
    }
  }
  await browser.close();
}

main();
