// Every image below a folder to CSV or JSON lines, as fast as the machine goes and in constant memory.
//
//   node examples/folder-to-table.mjs FOLDER [csv|jsonl] [MODEL] > labels.csv
import { opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { MobileNetV2 } from 'mobilenetv2';

const [folder = '.', format = 'csv', source = 'imagenet'] = process.argv.slice(2);

async function* imagesBelow(directory) {
  for await (const entry of await opendir(directory, { recursive: true })) {
    if (/\.(jpe?g|png|webp|avif|gif|tiff?)$/i.test(entry.name)) yield join(entry.parentPath, entry.name);
  }
}

const quoted = (value) => (/[",\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);

function line({ image, predictions, error }) {
  const [best] = predictions ?? [];
  const row = {
    image,
    label: best?.label ?? best?.index ?? '',
    probability: best?.probability ?? '',
    error: error?.code,
  };
  return format === 'csv'
    ? Object.values(row)
        .map((value) => quoted(String(value ?? '')))
        .join(',')
    : JSON.stringify(row);
}

const model = await MobileNetV2.load(source);
if (format === 'csv') console.log('image,label,probability,error');
for await (const result of model.classifyStream(imagesBelow(folder), { topK: 1 })) console.log(line(result));
await model.close();
