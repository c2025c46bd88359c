// Draws docs/images/fused-block.svg: what exists in memory while a fused inverted residual block makes one output row.
// node scripts/draw-fused-block.mjs
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const ROWS = 8; // of the pictured tensors
const ROW = 17; // pixels of a row's height
const DEPTH = [44, -26]; // where the image's width goes, in the plane
const TOP = 118; // of every tensor's front face
const y = 4; // the output row that is being made

// Front faces: channels to the right, rows downwards. The expanded tensor has t = 6 times the narrow one's channels.
const NARROW = 24;
const WIDE = 6 * NARROW;
const tensors = {
  input: { x: 44, channels: NARROW, name: 'input', size: 'h × w × k' },
  expanded: { x: 206, channels: WIDE, name: 'expanded', size: 'h × w × 6k' },
  depthwise: { x: 488, channels: WIDE, name: 'depthwise', size: 'h × w × 6k' },
  output: { x: 770, channels: NARROW, name: 'output', size: 'h × w × k' },
};
const COLOURS = {
  narrow: { front: '#8fb7e3', top: '#b9d3ef', side: '#6c9bcf' },
  taken: { front: '#2f6fb7', top: '#5b92d0', side: '#235a98' },
  wide: { front: '#e8954a', top: '#f2bd8d', side: '#c97426' },
};

const shapes = [];
const points = (...list) => list.map(([px, py]) => `${px},${py}`).join(' ');
const text = (px, py, content, more = '') =>
  shapes.push(`<text x="${px}" y="${py}" text-anchor="middle" ${more}>${content}</text>`);

/** Rows [from, to) of a tensor as a solid box. */
function rows(tensor, from, to, colour) {
  const [dx, dy] = DEPTH;
  const [left, right] = [tensor.x, tensor.x + tensor.channels];
  for (let row = to - 1; row >= from; row--) {
    const [top, bottom] = [TOP + row * ROW, TOP + (row + 1) * ROW];
    const face = (fill, ...corners) =>
      shapes.push(`<polygon points="${points(...corners)}" fill="${fill}" stroke="#ffffff" stroke-width="0.8"/>`);
    face(colour.side, [right, top], [right + dx, top + dy], [right + dx, bottom + dy], [right, bottom]);
    face(colour.front, [left, top], [right, top], [right, bottom], [left, bottom]);
    if (row === from) face(colour.top, [left, top], [right, top], [right + dx, top + dy], [left + dx, top + dy]);
  }
}

/** The outline of a whole tensor. */
function outline(tensor) {
  const [dx, dy] = DEPTH;
  const [left, right, bottom] = [tensor.x, tensor.x + tensor.channels, TOP + ROWS * ROW];
  const style = 'fill="none" stroke="#9a9a9a" stroke-width="1" stroke-dasharray="3 3"';
  shapes.push(`<polygon points="${points([left, TOP], [right, TOP], [right, bottom], [left, bottom])}" ${style}/>`);
  const back = [
    [left, TOP],
    [left + dx, TOP + dy],
    [right + dx, TOP + dy],
    [right + dx, bottom + dy],
    [right, bottom],
  ];
  shapes.push(`<polyline points="${points(...back)}" ${style}/>`);
  shapes.push(`<polyline points="${points([right, TOP], [right + dx, TOP + dy])}" ${style}/>`);
}

/** An arrow from the right side of one tensor to the left side of the next, with what happens on the way. */
function operation(from, to, lines) {
  const start = from.x + from.channels + DEPTH[0] + 6;
  const end = to.x - 8;
  const level = TOP + (y + 0.5) * ROW;
  shapes.push(
    `<line x1="${start}" y1="${level}" x2="${end}" y2="${level}" stroke="#333333" stroke-width="1.6" marker-end="url(#head)"/>`,
  );
  for (const [i, line] of lines.entries()) text((start + end) / 2, level - 12 - (lines.length - 1 - i) * 15, line);
}

for (const tensor of Object.values(tensors)) outline(tensor);
rows(tensors.input, y + 2, ROWS, COLOURS.narrow);
rows(tensors.input, y + 1, y + 2, COLOURS.taken);
rows(tensors.input, 0, y + 1, COLOURS.narrow);
rows(tensors.expanded, y - 1, y + 2, COLOURS.wide);
rows(tensors.depthwise, y, y + 1, COLOURS.wide);
rows(tensors.output, y, y + 1, COLOURS.taken);
rows(tensors.output, 0, y, COLOURS.narrow);

operation(tensors.input, tensors.expanded, ['1×1', 'expand', 'ReLU6']);
operation(tensors.expanded, tensors.depthwise, ['3×3', 'depthwise', 'ReLU6']);
operation(tensors.depthwise, tensors.output, ['1×1', 'project', 'linear']);

// The skip: out of the input's row y, below everything, into the output's row y.
const bottom = TOP + ROWS * ROW;
const level = TOP + (y + 0.5) * ROW;
const [left, right] = [tensors.input.x, tensors.output.x + tensors.output.channels + DEPTH[0]];
const skip = [
  `M ${left - 2} ${level} h -12 q -12 0 -12 12 V ${bottom + 20} q 0 12 12 12`,
  `H ${right + 12} q 12 0 12 -12 V ${level + DEPTH[1] + 12} q 0 -12 -12 -12 H ${right + 3}`,
].join(' ');
shapes.push(
  `<path d="${skip}" fill="none" stroke="#2f6fb7" stroke-width="1.8" stroke-linejoin="round" marker-end="url(#skip)"/>`,
);
text((left + right) / 2, bottom + 26, 'skip: + row y of the input (only at stride 1 with equal channels)');

const notes = {
  input: 'row y + 1 is read',
  expanded: 'three rows exist: y − 1, y, y + 1',
  depthwise: 'one row exists: y',
  output: 'row y is made',
};
for (const [key, tensor] of Object.entries(tensors)) {
  const middle = tensor.x + (tensor.channels + DEPTH[0]) / 2;
  text(middle, 26, tensor.name, 'class="name"');
  text(middle, 45, tensor.size, 'class="note"');
  text(middle, 64, notes[key], 'class="note"');
}

const head = (id, fill) =>
  `<marker id="${id}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto"><path d="M0,0 L10,5 L0,10 z" fill="${fill}"/></marker>`;
const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="880" height="330" viewBox="0 0 880 330" role="img">
<title>Fused inverted residual block: of the expanded tensors, only a few rows ever exist</title>
<style>text { font: 13px sans-serif; fill: #333333 } .name { font-weight: bold; font-size: 15px } .note { fill: #666666; font-size: 12px }</style>
<defs>${head('head', '#333333')}${head('skip', '#2f6fb7')}</defs>
<rect width="880" height="330" fill="#ffffff"/>
${shapes.join('\n')}
<text x="440" y="316" text-anchor="middle" class="note">Down: image rows. To the right: channels. Into the page: image columns. Dashed: what an unfused network would keep in memory.</text>
</svg>
`;
writeFileSync(fileURLToPath(new URL('../docs/images/fused-block.svg', import.meta.url)), svg);
