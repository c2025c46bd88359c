/** Tables without lines, and their Markdown and CSV forms. */
import Table from 'cli-table3';

export interface Column {
  readonly head: string;
  readonly align?: 'left' | 'right';
}

export type Row = readonly string[];

/** For cli-table3: no lines between cells, two spaces instead. */
export const NO_LINES = {
  ...{ top: '', 'top-mid': '', 'top-left': '', 'top-right': '', mid: '', 'left-mid': '', 'mid-mid': '' },
  ...{ bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '', 'right-mid': '' },
  ...{ left: '', right: '', middle: '' },
};

/** Aligned columns, two spaces apart, no spaces at line ends. */
export function alignedTable(columns: readonly Column[], rows: readonly Row[]): string {
  const table = new Table({
    colAligns: columns.map(({ align }) => align ?? 'right'),
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 2 },
    chars: NO_LINES,
  });
  if (columns.some(({ head }) => head !== '')) table.push(columns.map(({ head }) => head));
  for (const row of rows) table.push([...row]);
  return table.toString().replace(/ +$/gm, '');
}

export function markdownTable(columns: readonly Column[], rows: readonly Row[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  const rule = columns.map(({ align }) => (align === 'left' ? '---' : '---:'));
  return [line(columns.map(({ head }) => head)), line(rule), ...rows.map(line)].join('\n');
}

/** RFC 4180, one header line. */
export function csv(header: readonly string[], rows: readonly (readonly (string | number | null)[])[]): string {
  const cell = (value: string | number | null) => {
    const text = value === null ? '' : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [header, ...rows].map((row) => row.map(cell).join(',')).join('\n');
}
