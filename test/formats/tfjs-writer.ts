import { seededRandom } from './random.js';

export type WeightDtype = 'float32' | 'float16' | 'uint8' | 'uint16';

interface Layer {
  class_name: string;
  name: string;
  config: Record<string, unknown>;
  inbound_nodes: unknown[];
}

export interface TinyKerasOptions {
  seed?: number;
  dtype?: WeightDtype;
  height?: number;
  width?: number;
  classes?: number;
  /** How the model is wrapped: functional, Sequential of layers, or Teachable Machine's nest of Sequentials. */
  style?: 'functional' | 'teachable-machine';
  /** `modelTopology.model_config` (the converter's) or `modelTopology` itself (tfjs' own). */
  wrapped?: boolean;
  relu6?: 'ReLU' | 'Activation' | 'fused' | 'object';
  /** Batch normalisation without gamma or beta, or none at all (then convolutions have biases). */
  norm?: 'full' | 'no-scale' | 'no-center' | 'none';
  head?: 'dense' | 'conv' | 'flatten-dense';
  softmax?: 'fused' | 'Activation' | 'Softmax' | 'none';
  keras3?: boolean;
  /** Called with the layers before they are wrapped. */
  edit?: (layers: Layer[]) => void;
}

export interface ManifestEntry {
  name: string;
  shape: number[];
  dtype: string;
  quantization?: { dtype: string; scale?: number; min?: number };
}

/** float32 -> half bits, for normal numbers of which the half is exact. */
function toHalf(value: number): number {
  if (value === 0) return 0;
  const exponent = Math.floor(Math.log2(Math.abs(value)));
  const fraction = Math.round((Math.abs(value) / 2 ** exponent - 1) * 1024);
  return (value < 0 ? 0x8000 : 0) | ((exponent + 15) << 10) | fraction;
}

/** Collects layers and weights of a small MobileNetV2 and writes them as model.json and one shard. */
class KerasBuilder {
  readonly layers: Layer[] = [];
  readonly manifest: ManifestEntry[] = [];
  readonly shard: number[] = [];
  private readonly random: () => number;

  constructor(private readonly options: TinyKerasOptions) {
    this.random = seededRandom(options.seed ?? 1);
  }

  layer(class_name: string, name: string, config: Record<string, unknown>, ...from: string[]): string {
    const call = this.options.keras3
      ? [
          {
            args: [from.map((f) => ({ class_name: '__keras_tensor__', config: { keras_history: [f, 0, 0] } }))],
            kwargs: {},
          },
        ]
      : [from.map((f) => [f, 0, 0, {}])];
    this.layers.push({ class_name, name, config: { name, ...config }, inbound_nodes: from.length === 0 ? [] : call });
    return name;
  }

  /** A weight in [low, high): in steps that every storage holds exactly enough for tests to recompute it. */
  weight(name: string, shape: number[], low = -0.5, high = 0.5): void {
    const { dtype = 'float32' } = this.options;
    const count = shape.reduce((a, b) => a * b, 1);
    const entry: ManifestEntry = { name, shape, dtype: 'float32' };
    const levels = dtype === 'uint8' ? 255 : 65535;
    const scale = (high - low) / levels;
    if (dtype === 'float16') entry.quantization = { dtype };
    else if (dtype !== 'float32') entry.quantization = { dtype, scale, min: low };
    this.manifest.push(entry);
    for (let i = 0; i < count; i++) {
      const value = low + this.random() * (high - low);
      if (dtype === 'float32') this.shard.push(...new Uint8Array(Float32Array.of(value).buffer));
      else if (dtype === 'float16') this.shard.push(...new Uint8Array(Uint16Array.of(toHalf(value)).buffer));
      else if (dtype === 'uint8') this.shard.push(Math.round((value - low) / scale));
      else this.shard.push(...new Uint8Array(Uint16Array.of(Math.round((value - low) / scale)).buffer));
    }
  }

  norm(name: string, channels: number, from: string): string {
    const { norm = 'full' } = this.options;
    if (norm === 'none') return from;
    if (norm !== 'no-scale') this.weight(`${name}/gamma`, [channels], 0.5, 1.5);
    if (norm !== 'no-center') this.weight(`${name}/beta`, [channels]);
    this.weight(`${name}/moving_mean`, [channels]);
    this.weight(`${name}/moving_variance`, [channels], 0.5, 2);
    const config = { axis: -1, epsilon: 0.001, scale: norm !== 'no-scale', center: norm !== 'no-center' };
    return this.layer('BatchNormalization', name, config, from);
  }

  relu6(name: string, from: string): string {
    const { relu6 = 'ReLU' } = this.options;
    if (relu6 === 'Activation') return this.layer('Activation', name, { activation: 'relu6' }, from);
    if (relu6 === 'object') {
      const activation = { class_name: 'function', config: 'relu6', registered_name: 'relu6' };
      return this.layer('Activation', name, { activation }, from);
    }
    return relu6 === 'fused' ? from : this.layer('ReLU', name, { max_value: 6 }, from);
  }

  conv(
    name: string,
    inChannels: number,
    filters: number,
    from: string,
    more: { kernel?: number; stride?: number; clamp?: boolean } = {},
  ) {
    const { kernel = 1, stride = 1, clamp = true } = more;
    const useBias = this.options.norm === 'none';
    this.weight(`${name}/kernel`, [kernel, kernel, inChannels, filters]);
    if (useBias) this.weight(`${name}/bias`, [filters]);
    const activation = this.options.relu6 === 'fused' && clamp ? 'relu6' : 'linear';
    const geometry = {
      kernel_size: [kernel, kernel],
      strides: [stride, stride],
      padding: stride === 2 ? 'valid' : 'same',
    };
    const y = this.layer('Conv2D', name, { filters, ...geometry, use_bias: useBias, activation }, from);
    const normed = this.norm(`${name}_BN`, filters, y);
    return clamp ? this.relu6(`${name}_relu`, normed) : normed;
  }

  depthwise(name: string, channels: number, stride: number, from: string): string {
    const useBias = this.options.norm === 'none';
    const input =
      stride === 2
        ? this.layer(
            'ZeroPadding2D',
            `${name}_pad`,
            {
              padding: [
                [0, 1],
                [0, 1],
              ],
            },
            from,
          )
        : from;
    this.weight(`${name}/depthwise_kernel`, [3, 3, channels, 1]);
    if (useBias) this.weight(`${name}/bias`, [channels]);
    const activation = this.options.relu6 === 'fused' ? 'relu6' : 'linear';
    const geometry = { kernel_size: [3, 3], strides: [stride, stride], padding: stride === 2 ? 'valid' : 'same' };
    const y = this.layer(
      'DepthwiseConv2D',
      name,
      { ...geometry, use_bias: useBias, depth_multiplier: 1, activation },
      input,
    );
    return this.relu6(`${name}_relu`, this.norm(`${name}_BN`, channels, y));
  }

  block(name: string, inChannels: number, t: number, channels: number, stride: number, from: string): string {
    const expanded = t === 1 ? from : this.conv(`${name}_expand`, inChannels, inChannels * t, from);
    const inside = this.depthwise(`${name}_depthwise`, inChannels * t, stride, expanded);
    const y = this.conv(`${name}_project`, inChannels * t, channels, inside, { clamp: false });
    return stride === 1 && inChannels === channels ? this.layer('Add', `${name}_add`, {}, from, y) : y;
  }

  features(): string {
    const { height = 32, width = 32 } = this.options;
    this.layer('InputLayer', 'input_1', { batch_input_shape: [null, height, width, 3] });
    const padded = this.layer(
      'ZeroPadding2D',
      'Conv1_pad',
      {
        padding: [
          [0, 1],
          [0, 1],
        ],
      },
      'input_1',
    );
    let x = this.conv('Conv1', 3, 8, padded, { kernel: 3, stride: 2 });
    x = this.block('block_0', 8, 1, 6, 1, x);
    x = this.block('block_1', 6, 2, 10, 2, x);
    x = this.block('block_2', 10, 2, 10, 1, x);
    return this.conv('Conv_1', 10, 16, x);
  }

  dense(name: string, inputs: number, units: number, activation: string, useBias: boolean): Layer {
    this.weight(`${name}/kernel`, [inputs, units]);
    if (useBias) this.weight(`${name}/bias`, [units]);
    return { class_name: 'Dense', name, config: { name, units, activation, use_bias: useBias }, inbound_nodes: [] };
  }

  classifier(features: string): string {
    const { classes = 5, head = 'dense', softmax = 'fused', height = 32, width = 32 } = this.options;
    const fused = softmax === 'fused' ? 'softmax' : 'linear';
    let x: string;
    if (head === 'flatten-dense') {
      const pool = { pool_size: [Math.ceil(height / 4), Math.ceil(width / 4)], strides: [1, 1], padding: 'valid' };
      x = this.layer('Flatten', 'flatten', {}, this.layer('AveragePooling2D', 'pool', pool, features));
    } else x = this.layer('GlobalAveragePooling2D', 'pool', {}, features);
    x = this.layer('Dropout', 'dropout', { rate: 0.2 }, x);
    if (head === 'conv') {
      x = this.layer('Reshape', 'reshape_1', { target_shape: [1, 1, 16] }, x);
      this.weight('conv_preds/kernel', [1, 1, 16, classes]);
      this.weight('conv_preds/bias', [classes]);
      const config = { filters: classes, kernel_size: [1, 1], strides: [1, 1], padding: 'same', activation: fused };
      x = this.layer('Conv2D', 'conv_preds', config, x);
      x = this.layer('Reshape', 'reshape_2', { target_shape: [classes] }, x);
    } else {
      const dense = this.dense('predictions', 16, classes, fused, true);
      x = this.layer(dense.class_name, dense.name, dense.config, x);
    }
    if (softmax === 'Activation') return this.layer('Activation', 'act_softmax', { activation: 'softmax' }, x);
    return softmax === 'Softmax' ? this.layer('Softmax', 'softmax', {}, x) : x;
  }

  functional(name: string, output: string): Layer {
    const config = { name, layers: this.layers, input_layers: [['input_1', 0, 0]], output_layers: [[output, 0, 0]] };
    return { class_name: 'Model', name, config, inbound_nodes: [] };
  }

  build(): object {
    const features = this.features();
    if (this.options.style !== 'teachable-machine') {
      const output = this.classifier(features);
      this.options.edit?.(this.layers);
      return this.functional('model', output);
    }
    const classes = this.options.classes ?? 3;
    this.options.edit?.(this.layers);
    const sequential = (name: string, layers: object[]) => ({ class_name: 'Sequential', config: { name, layers } });
    const pool = { class_name: 'GlobalAveragePooling2D', config: { name: 'gap' } };
    const head = [
      this.dense('dense_Dense1', 16, 7, 'relu', true),
      this.dense('dense_Dense2', 7, classes, 'softmax', false),
    ];
    return sequential('all', [
      sequential('base', [this.functional('model1', features), pool]),
      sequential('head', head),
    ]);
  }
}

/** A small seeded Keras MobileNetV2 as model.json (parsed) and the bytes of its one shard, `weights.bin`. */
export function tinyKeras(options: TinyKerasOptions = {}) {
  const builder = new KerasBuilder(options);
  const model = builder.build();
  const modelTopology = (options.wrapped ?? true) ? { keras_version: '2.2.4', model_config: model } : model;
  const weightsManifest = [{ paths: ['weights.bin'], weights: builder.manifest }];
  const modelJson = { format: 'layers-model', modelTopology, weightsManifest };
  return { modelJson, weights: Uint8Array.from(builder.shard), manifest: builder.manifest };
}
