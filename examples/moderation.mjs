// Content moderation with the weights of the npm package nsfwjs (npm install nsfwjs): which images may be shown?
//
//   node examples/moderation.mjs IMAGE...
import { MobileNetV2 } from 'mobilenetv2';

const LIMITS = { Porn: 0.4, Hentai: 0.4, Sexy: 0.7 };

const model = await MobileNetV2.load('nsfwjs');
const results = await model.classifyBatch(process.argv.slice(2), { topK: model.info.classes });
for (const { image, predictions, error } of results) {
  if (error) {
    console.log(`${image}: held back, cannot be looked at (${error.code})`); // what nobody has seen is not shown
    continue;
  }
  const reasons = predictions.filter(({ label, probability }) => probability >= (LIMITS[label] ?? 2));
  const why = reasons.map(({ label, probability }) => `${label} ${(probability * 100).toFixed(0)} %`).join(', ');
  console.log(`${image}: ${reasons.length > 0 ? `held back (${why})` : 'may be shown'}`);
}
await model.close();
