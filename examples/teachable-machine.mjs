// A Teachable Machine export ("TensorFlow.js", downloaded and unpacked): model.json, weights.bin, metadata.json.
//
//   node examples/teachable-machine.mjs EXPORT_FOLDER IMAGE...
import { MobileNetV2 } from 'mobilenetv2';

const [folder, ...images] = process.argv.slice(2);
const model = await MobileNetV2.load(folder); // labels, input size and preprocessing come with the export
console.log(`${model.info.classes} classes: ${model.labels.join(', ')}`);
for (const { image, predictions, error } of await model.classifyBatch(images, { topK: 1 })) {
  console.log(
    `${image}: ${error ? error.message : `${predictions[0].label} (${predictions[0].probability.toFixed(3)})`}`,
  );
}
await model.close();
