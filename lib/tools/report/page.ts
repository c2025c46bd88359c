/** The page of a report: one file, nothing loaded from anywhere. */
import { COLOURS } from './charts.js';

/** HTML that is safe to place in a page: made by {@link html}, or trusted as it is. */
export class Html {
  constructor(readonly text: string) {}
}

type Part = string | number | Html | readonly Html[] | null;

/** Template tag: values are escaped unless they are {@link Html}. */
export function html(strings: TemplateStringsArray, ...values: readonly Part[]): Html {
  const text = (value: Part): string => {
    if (value === null) return '';
    if (value instanceof Html) return value.text;
    return typeof value === 'object' ? value.map((part) => part.text).join('') : escapeHtml(String(value));
  };
  return new Html(strings.reduce((all, part, i) => `${all}${text(values[i - 1] ?? null)}${part}`));
}

function escapeHtml(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return text.replace(/[&<>"']/g, (character) => entities[character] as string);
}

export interface HtmlColumn {
  readonly head: string;
  readonly text?: true;
}

export function table(columns: readonly HtmlColumn[], rows: readonly (readonly (string | number)[])[]): Html {
  const cell = (value: string | number, i: number) =>
    columns[i]?.text ? html`<td class="text">${value}</td>` : html`<td>${value}</td>`;
  return html`<div class="wide"><table>
<thead><tr>${columns.map(({ head, text }) => (text ? html`<th class="text">${head}</th>` : html`<th>${head}</th>`))}</tr></thead>
<tbody>${rows.map((row) => html`<tr>${row.map(cell)}</tr>\n`)}</tbody>
</table></div>`;
}

export function figure(id: string, title: string, svg: string, caption: string): Html {
  return html`<section id="${id}"><h2>${title}</h2>
<figure>${new Html(svg)}<figcaption>${caption}</figcaption></figure></section>\n`;
}

export function section(id: string, title: string, body: readonly Html[]): Html {
  return html`<section id="${id}"><h2>${title}</h2>${body}</section>\n`;
}

const STYLE = `
body { margin: 2rem auto; max-width: 1080px; padding: 0 1rem; color: ${COLOURS.text}; background: #fff;
  font: 15px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
h1 { font-size: 1.5rem; margin-bottom: 0.2rem; }
h2 { font-size: 1.1rem; margin: 2.2rem 0 0.4rem; border-bottom: 1px solid ${COLOURS.grid}; padding-bottom: 0.2rem; }
p.facts, figcaption { color: ${COLOURS.quiet}; font-size: 0.9rem; margin: 0.2rem 0; }
p.warning { background: #fdf3e1; border-left: 4px solid ${COLOURS.warm}; padding: 0.4rem 0.8rem; }
figure { margin: 0.5rem 0; } figure svg { max-width: 100%; height: auto; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.85rem; }
th, td { padding: 0.15rem 0.55rem; text-align: right; border-bottom: 1px solid ${COLOURS.grid}; white-space: nowrap; }
th { color: ${COLOURS.quiet}; font-weight: 600; } .text { text-align: left; }
`;

export function page(title: string, body: readonly Html[]): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${new Html(STYLE)}</style>
</head>
<body>
${body}</body>
</html>
`.text;
}
