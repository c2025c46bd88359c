// An HTTP endpoint that classifies uploaded images, with Fastify.
//
//   node examples/upload-server.mjs [PORT] [MODEL]
//   curl --data-binary @cat.jpg -H 'content-type: image/jpeg' 'http://localhost:3000/classify?top=3'
import Fastify from 'fastify';
import { MobileNetError, MobileNetV2 } from 'mobilenetv2';

const [port = '3000', source = 'imagenet'] = process.argv.slice(2);
const model = await MobileNetV2.load(source, { queueLimit: 64 });

const statusOf = {
  INVALID_ARGUMENT: 400,
  IMAGE_INVALID: 415,
  IMAGE_TOO_LARGE: 413,
  OVERLOADED: 503, // as many images wait as may: better an answer now than one too late
  MODEL_CLOSED: 503,
};

const server = Fastify({ bodyLimit: 20 * 2 ** 20 });
// Bytes and nothing else: a string would be a path, and text or JSON bodies would let strangers name local files.
server.removeAllContentTypeParsers();
server.addContentTypeParser(/^image\//, { parseAs: 'buffer' }, (_request, body, done) => done(null, body));

server.post('/classify', async (request, reply) => {
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort()); // nobody waits for the answer any more
  const { top } = request.query;
  return { predictions: await model.classify(request.body, { topK: Number(top ?? 5), signal: gone.signal }) };
});

server.setErrorHandler((error, _request, reply) => {
  const known = error instanceof MobileNetError;
  const status = known ? (statusOf[error.code] ?? 500) : (error.statusCode ?? 500);
  if (status === 503) reply.header('retry-after', '1');
  reply.code(status).send({ error: known ? error.code : error.name, message: error.message });
});

server.addHook('onClose', () => model.close());
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => server.close());

console.log(`listening on ${await server.listen({ port: Number(port) })}`);
