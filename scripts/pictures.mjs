// node scripts/pictures.mjs [--no-build] [--model FILE]: docs/images/report.png and docs/images/terminal.svg, the
// pictures of the command line in the README. Run it on a quiet machine. The report is photographed in Chromium.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { setUp } from './build.mjs';
import { root, runScript, SetupError } from './setup.mjs';

const images = join(root, 'docs', 'images');
const LINE_HEIGHT = 17;
const CHARACTER_WIDTH = 7.83; // of 13 px monospace fonts

function cli(...args) {
  const result = spawnSync(process.execPath, [join(root, 'dist', 'cli.js'), ...args], { encoding: 'utf8', cwd: root });
  if (result.status !== 0) throw new SetupError(`mobilenetv2 ${args.join(' ')}: ${result.stderr}`);
  return result.stdout;
}

function escapeXml(text) {
  return text.replace(/[&<>]/g, (character) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[character]);
}

/** A terminal with what commands print. @param session [command line, output] pairs */
function terminalSvg(session) {
  const lines = session.flatMap(([command, output]) => [
    { prompt: command },
    ...output
      .trimEnd()
      .split('\n')
      .map((text) => ({ text })),
    { text: '' },
  ]);
  const columns = Math.max(...lines.map(({ prompt, text }) => (prompt ?? text).length + (prompt ? 2 : 0)));
  const width = Math.ceil(columns * CHARACTER_WIDTH) + 40;
  const height = lines.length * LINE_HEIGHT + 36;
  const body = lines.map(({ prompt, text }, i) => {
    const start = `<text x="20" y="${30 + i * LINE_HEIGHT}" xml:space="preserve"`;
    if (prompt === undefined) return `${start} fill="#d5dae1">${escapeXml(text)}</text>`;
    return `${start} fill="#f5f7fa"><tspan fill="#7fc78a">$ </tspan>${escapeXml(prompt)}</text>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"`,
    ' font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, \'DejaVu Sans Mono\', monospace" font-size="13">',
    `<rect width="${width}" height="${height}" rx="8" fill="#1d2229"/>`,
    ...body,
    '</svg>\n',
  ].join('\n');
}

async function photograph(page, png) {
  const { chromium } = await import('playwright-core');
  const executablePath = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/google-chrome'].find(
    (path) => path && existsSync(path),
  );
  if (!executablePath) throw new SetupError('Chromium was not found: apt-get install chromium, or CHROMIUM=path');
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  try {
    const view = await browser.newPage({ viewport: { width: 1120, height: 1400 } });
    await view.goto(pathToFileURL(page).href);
    // The roofline and the arena, which say most; the whole page is long.
    const top = await view.locator('#roofline-0').boundingBox();
    await view.locator('[id^="profile"]').evaluateAll((sections) => {
      for (const section of sections) section.style.display = 'none';
    });
    const end = await view.locator('#arena').boundingBox();
    if (!top || !end) throw new SetupError('the report has no roofline or no arena');
    await view.screenshot({
      path: png,
      fullPage: true,
      clip: { x: 0, y: top.y, width: 1120, height: end.y + end.height - top.y },
    });
  } finally {
    await browser.close();
  }
}

await runScript(async () => {
  const { values } = parseArgs({ options: { 'no-build': { type: 'boolean' }, model: { type: 'string' } } });
  if (!values['no-build']) await setUp();
  const shown = values.model ? 'mobilenet_v2_1.0_224_quant.tflite' : '--arch mobilenet_v2:1.0:224 --precision int8';
  const source = values.model ? [values.model] : ['--arch', 'mobilenet_v2:1.0:224', '--precision', 'int8'];
  const benchSource = values.model ? ['--model', values.model] : source;
  const directory = mkdtempSync(join(tmpdir(), 'mobilenetv2-pictures-'));
  try {
    const report = join(directory, 'report.html');
    cli('bench', ...benchSource, '--threads', '1', '--duration', '3', '--report', report);
    await photograph(report, join(images, 'report.png'));
    const benchText = cli('bench', ...benchSource, '--threads', '1', '--duration', '3');
    const inspectText = cli('inspect', ...source, '--memory');
    const title = values.model ?? 'no path to hide';
    const hide = (text) => text.replaceAll(title, 'mobilenet_v2_1.0_224_quant.tflite');
    const drawing = inspectText.slice(inspectText.indexOf('The plan'), inspectText.indexOf('\ntensor '));
    const bench = values.model ? `--model ${shown}` : shown;
    writeFileSync(
      join(images, 'terminal.svg'),
      terminalSvg([
        [`mobilenetv2 bench ${bench} --threads 1`, hide(benchText)],
        [`mobilenetv2 inspect ${shown} --memory | grep -A 20 plan`, hide(drawing)],
      ]),
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
});
