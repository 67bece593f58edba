// Pictures of the shipped workflows in n8n's own editor. Called by screenshots.py.
import { chromium } from 'playwright-core';

const [, , base, folder, ...workflows] = process.argv;
const owner = { email: 'you@example.org', password: 'Loopback-0nly', firstName: 'A', lastName: 'B' };
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
const page = await browser.newPage({
  viewport: { width: 1600, height: 560 },
  deviceScaleFactor: 2, // the canvas is wide: its labels are small
  colorScheme: 'light',
});
await page.goto(`${base}/setup`);
const made = await page.request.post(`${base}/rest/owner/setup`, { data: owner });
if (!made.ok()) throw new Error(`no owner: ${made.status()} ${await made.text()}`);
for (const id of workflows) {
  await page.goto(`${base}/workflow/${id}`);
  await page.waitForSelector('[data-test-id="canvas-node"]', { timeout: 60_000 });
  await page.waitForTimeout(3000);
  await page.keyboard.press('Escape');
  await page.keyboard.press('1'); // zoom to fit
  await page.waitForTimeout(1500);
  await page.screenshot({ path: `${folder}/${id}.png` });
}
await browser.close();
