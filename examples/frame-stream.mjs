// Raw RGB frames from standard input, such as a webcam's through ffmpeg. Frames that come faster than they can be
// classified are dropped, so that labels are of now.
//
//   ffmpeg -f v4l2 -i /dev/video0 -f rawvideo -pix_fmt rgb24 -s 320x240 - | node examples/frame-stream.mjs 320 240 [MODEL]
import { MobileNetV2 } from 'mobilenetv2';

const [width = 320, height = 240] = process.argv.slice(2, 4).map(Number);
const model = await MobileNetV2.load(process.argv[4] ?? 'imagenet');
const frameBytes = width * height * 3;

let newest = null;
let frames = 0;
let ended = false;
let wake = () => {};

async function readFrames() {
  let frame = Buffer.allocUnsafe(frameBytes);
  let filled = 0;
  for await (const chunk of process.stdin) {
    for (let at = 0; at < chunk.length; ) {
      const taken = chunk.copy(frame, filled, at);
      at += taken;
      filled += taken;
      if (filled < frameBytes) continue;
      newest = { data: frame, width, height, channels: 3, number: frames++ };
      frame = Buffer.allocUnsafe(frameBytes); // the old one now belongs to the model until it is classified
      filled = 0;
      wake();
    }
  }
  ended = true;
  wake();
}

async function* latestFrames() {
  for (;;) {
    if (newest === null) {
      if (ended) return;
      await new Promise((resolve) => {
        wake = resolve;
      });
      continue;
    }
    const frame = newest;
    newest = null;
    yield frame;
  }
}

const reading = readFrames();
let classified = 0;
for await (const { image, predictions } of model.classifyStream(latestFrames(), { topK: 1, concurrency: 2 })) {
  const [best] = predictions;
  classified++;
  console.log(`frame ${image.number}: ${best.label ?? best.index} ${(best.probability * 100).toFixed(1)} %`);
}
await reading;
console.log(`${classified} of ${frames} frames`);
await model.close();
