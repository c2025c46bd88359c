/**
 * The native addon: loading it and typing its contract. The only file that does either.
 *
 * Everything here is internal. Native errors are plain `Error`s about broken contracts; what a user can cause is
 * checked, and typed, before it gets here.
 */
import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { MobileNetError } from './errors.js';
import { packageRoot } from './place.js';
import type { PreprocessPlan } from './preprocess.js';

const require = createRequire(import.meta.url);

/** An instruction set that kernels are written for; the strongest the CPU has is used, below MOBILENETV2_ISA. */
export type Isa = 'scalar' | 'avx2' | 'avxvnni' | 'avx512' | 'avx512vnni' | 'amx' | 'neon' | 'neondot' | 'i8mm';

/** f32: float values. qu8: 8-bit values held as unsigned bytes (an int8 file's are moved by 128). */
export type Dtype = 'f32' | 'qu8';

/** One convolution; see native/core/op.h for the formula. Arrays are only read while packing. */
export interface NativeConv {
  inChannels: number;
  outChannels: number;
  kernel: number;
  stride: number;
  depthwise: boolean;
  weights: Float32Array | Uint8Array | Int8Array;
  bias: Float32Array | Int32Array;
  /** Clamp of the output, in its own dtype. */
  min: number;
  max: number;
  // What follows is for qu8 only.
  weightSigned?: boolean;
  weightZeroPoint?: number;
  /** Real factors, which native turns into fixed point: inputScale * weightScales[channel] / outputScale. */
  inputScale?: number;
  weightScales?: Float32Array;
  outputScale?: number;
  /** Whether the product of the two scales is rounded to float32 before it is divided. */
  floatProduct?: boolean;
  inputZeroPoint?: number;
  outputZeroPoint?: number;
  /** The caller's input bytes are two's complement (the stem of an int8 file). */
  inputSigned?: boolean;
}

/** Factors are real numbers, which native turns into fixed point; the same below. */
export interface NativeResidual {
  min: number;
  max: number;
  aZeroPoint?: number;
  aFactor?: number;
  bZeroPoint?: number;
  bFactor?: number;
  outputZeroPoint?: number;
  outputFactor?: number;
}

export interface NativePool {
  channels: number;
  mean?: boolean;
  bias?: number;
  inputZeroPoint?: number;
  outputZeroPoint?: number;
  factor?: number;
  min?: number;
  max?: number;
}

export interface NativeSoftmax {
  classes: number;
  beta: number;
  dequantize?: boolean;
  logitScale?: number;
  logitZeroPoint?: number;
  factor?: number;
}

export type NativeOp = { dtype: Dtype } & (
  | { kind: 'stem' | 'pointwise'; conv: NativeConv }
  | {
      kind: 'invertedResidual';
      expand: NativeConv | null;
      depthwise: NativeConv;
      project: NativeConv;
      residual: NativeResidual | null;
    }
  | { kind: 'globalAveragePool'; pool: NativePool }
  | { kind: 'dense'; conv: NativeConv; singleRounding: boolean; realMultiplier: number }
  | { kind: 'softmax'; softmax: NativeSoftmax }
);

/** Geometry of one stage; input row `y * stride - padTop + ky` is what tap ky of output row y reads. */
export interface StageShape {
  inHeight: number;
  inWidth: number;
  inChannels: number;
  outHeight: number;
  outWidth: number;
  outChannels: number;
  padTop: number;
  padLeft: number;
}

/** What a plan must give the kernel that runs a stage. */
export interface StageFacts {
  scratchBytes: number;
  /** Output rows the kernel makes per turn. */
  stripRows: number;
  /** Scratch common to all lanes when they are slices; null: the kernel has no such form, or bands are faster. */
  slicedScratchBytes: number | null;
}

export interface Stage {
  op: number;
  shape: StageShape;
  /** Rows the output keeps: a ring, or the whole height. */
  outputRows: number;
}

/** Rows of the last stage's output that one thread makes: rowBegin and on, rowEnd not included. */
export interface RowBand {
  rowBegin: number;
  rowEnd: number;
}

/** One thread's share of a step, and where its bytes lie in the arena. */
export interface Lane extends RowBand {
  /** One per stage. The last stage's output is the same for all lanes of a step. */
  places: { outputOffset: number; scratchOffset: number }[];
}

/**
 * A row chain: stages that take turns row strip by row strip, all but the last keeping only a ring of rows. A plain
 * step is a chain of one stage.
 */
export interface Step {
  /** Arena offset of the input tensor; null: the image itself. */
  inputOffset: number | null;
  /**
   * The lanes are slices, as the kernel makes them, instead of independent bands of rows: one stage, every lane has all
   * rows, and output and scratch are common to all.
   */
  sliced: boolean;
  stages: Stage[];
  lanes: Lane[];
}

/** A tensor the caller gets as float32: values of `dtype` in the arena, scale * (q - zeroPoint) if quantised. */
export interface ProgramOutput {
  offset: number;
  count: number;
  dtype: Dtype;
  scale: number;
  zeroPoint: number;
}

export interface Program {
  dtype: Dtype;
  arenaBytes: number;
  outputs: ProgramOutput[];
  steps: Step[];
}

declare const handle: unique symbol;
export type ModelHandle = { readonly [handle]: 'model' };
export type ProgramHandle = { readonly [handle]: 'program' };

export interface Run {
  /** `count` images, NHWC, in the program's input type. */
  input: ArrayBufferView;
  count: number;
  /** One per image that may run at the same time; see {@link allocateArena}. */
  arenas: Uint8Array[];
  /** One per output of the program: count x its values, written; or null where nobody wants it. */
  outputs: (Float32Array | null)[];
  /** Length 1; the run stops at the next row strip once it is not 0. */
  cancel?: Int32Array | null;
}

export interface NativeBinding {
  /** Learning of `amx` changes the process (native/cpu/isa.h), which `withoutAmx` spares it. */
  isas(withoutAmx?: boolean): { best: Isa; available: Isa[] };
  kernels(): { name: string; isa: Isa }[];
  /** The index of the first value that is not between `low` and `high`, as neither of these and no NaN is; else -1. */
  firstOutside(values: Float32Array, low: number, high: number): number;
  /** MACs per second of one thread doing nothing else, by dtype; null where no loop is written. Blocks for up to 0.5 s. */
  machinePeak(isa: Isa): { readonly [D in Dtype]: number | null };
  /** On the calling thread and up to `threads` - 1 of the pool's; the packed bytes are the same. */
  packModel(ops: NativeOp[], isa: Isa, threads: number): ModelHandle;
  modelFacts(model: ModelHandle): {
    isa: Isa;
    packedBytes: number;
    kernels: string[];
    /** Equal for models whose packed weights are equal (a hash). */
    contentKey: string;
  };
  /** Lets go of the packed weights; runs that are under way keep them. */
  releaseModel(model: ModelHandle): void;
  stageFacts(model: ModelHandle, op: number, shape: StageShape, lanes: number): StageFacts;
  /** Rows that each stage's output must keep so that every lane can be made. */
  ringRows(model: ModelHandle, chain: { stages: Omit<Stage, 'outputRows'>[]; lanes: RowBand[] }): number[];
  bindProgram(model: ModelHandle, program: Program): ProgramHandle;
  /** Off the JavaScript thread. Resolves to false when cancelled. Buffers must not be transferred meanwhile. */
  run(program: ProgramHandle, run: Run, threads: number): Promise<boolean>;
  runSync(program: ProgramHandle, run: Run): boolean;
  /** Nanoseconds per op of the model, of one image on the calling thread (a program of one lane). */
  profile(program: ProgramHandle, run: Run): Float64Array;
  trace(
    program: ProgramHandle,
    run: Run,
    onRow: (op: number, layer: string, row: number, bytes: Uint8Array) => void,
  ): void;
  /** Crop, resize, normalise and quantise raw pixels into `output`, off the JavaScript thread. */
  preprocess(
    plan: PreprocessPlan,
    pixels: Uint8Array,
    output: ArrayBufferView,
    threads: number,
    isa: Isa,
  ): Promise<boolean>;
}

const ALIGNMENT = 64;

/** An arena of `bytes` usable bytes. An ArrayBuffer promises no alignment, so native aligns inside it. */
export function allocateArena(bytes: number): Uint8Array {
  return new Uint8Array(bytes + ALIGNMENT);
}

let loaded: NativeBinding | undefined;

/** @throws MobileNetError NATIVE_UNAVAILABLE naming platform, libc, Node and the remedy. */
export function native(): NativeBinding {
  loaded ??= named(() => require(findAddon()) as NativeBinding);
  return loaded;
}

/**
 * The addon's file: a local build, or the prebuilt binary for this platform.
 *
 * @throws MobileNetError NATIVE_UNAVAILABLE when there is none.
 */
export function addonPath(): string {
  return named(findAddon);
}

/** `glibc 2.36` or `musl`: what Node runs on, where there is more than one. */
export function libc(): string | null {
  if (process.platform !== 'linux') return null;
  const report = process.report as NodeJS.ProcessReport & { excludeNetwork: boolean }; // typed from Node 22 on
  const { excludeNetwork } = report;
  report.excludeNetwork = true; // the report would wait for name servers
  const { header } = report.getReport() as { header?: { glibcVersionRuntime?: string } };
  report.excludeNetwork = excludeNetwork;
  return header?.glibcVersionRuntime ? `glibc ${header.glibcVersionRuntime}` : 'musl';
}

function named<T>(use: () => T): T {
  try {
    return use();
  } catch (cause) {
    const platform = [`${process.platform}-${process.arch}`, libc(), `Node ${process.version}`].filter(Boolean);
    throw new MobileNetError(
      'NATIVE_UNAVAILABLE',
      `no native addon for ${platform.join(', ')}: ` +
        `looked in ${join(packageRoot, 'build', 'Release')} and ${join(packageRoot, 'prebuilds')}. ` +
        'Published are Linux (x64, arm64, ARMv7), macOS and Windows (x64, arm64): if this is one of them, install the ' +
        'package again; else build it with `npm run build` in a clone of the repository (CMake and a C++17 compiler ' +
        'are needed). ' +
        `Reason: ${cause instanceof Error ? cause.message.split('\n')[0] : String(cause)}`,
      { cause },
    );
  }
}

/** The variables that node-gyp-build obeys, but for PREBUILDS_ONLY: it must not use a local build. */
const STEERING = ['MOBILENETV2_PREBUILD', 'LIBC', 'ARM_VERSION', 'npm_config_arch', 'npm_config_platform'];

/**
 * By the names that this package's own builds have; node-gyp-build, which lists folders and knows more names, takes
 * milliseconds to load.
 */
function findAddon(): string {
  const { env, platform, arch } = process;
  const musl = platform === 'linux' && runsOnMusl();
  if (STEERING.every((name) => !env[name])) {
    const local = env.PREBUILDS_ONLY ? [] : ['Release', 'Debug'].map((kind) => join('build', kind, 'mobilenetv2.node'));
    const tags = platform === 'linux' ? (musl ? '.musl' : '.glibc') : '';
    const files = [...local, join('prebuilds', `${platform}-${arch}`, `node.napi${tags}.node`)];
    const found = files.map((file) => join(packageRoot, file)).find((path) => existsSync(path));
    if (found !== undefined) return found;
  }
  // It knows musl by Alpine's release file alone; other systems have musl's loader and no such file.
  const unsaid = musl && !env.LIBC;
  if (unsaid) env.LIBC = 'musl';
  try {
    return (require('node-gyp-build') as { resolve(root: string): string }).resolve(packageRoot);
  } finally {
    if (unsaid) delete env.LIBC;
  }
}

function runsOnMusl(): boolean {
  return existsSync(`/lib/ld-musl-${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}.so.1`) && nodeNeedsMusl();
}

/** By the first page of the executable, which names its loader; else by Node's report, which takes milliseconds. */
function nodeNeedsMusl(): boolean {
  const page = Buffer.alloc(4096);
  let file: number | undefined;
  try {
    file = openSync(process.execPath, 'r');
    readSync(file, page);
  } catch {
    // an executable that is gone or cannot be read, which the report does without
  } finally {
    if (file !== undefined) closeSync(file);
  }
  if (page.includes('/ld-musl-')) return true;
  return page.includes('/ld-linux') ? false : libc() === 'musl';
}

let chosenIsa: Isa | undefined;

/**
 * The strongest instruction set that kernels may use: what the CPU has, below the ceiling of MOBILENETV2_ISA.
 *
 * @throws MobileNetError ISA_UNAVAILABLE when that variable names a set the CPU lacks, or none.
 */
export function isaCeiling(): Isa {
  const wanted = process.env.MOBILENETV2_ISA;
  chosenIsa ??= resolveIsa(wanted, native().isas(Boolean(wanted) && wanted !== 'amx'));
  return chosenIsa;
}

/** @internal */
export function resolveIsa(wanted: string | undefined, { best, available }: { best: Isa; available: Isa[] }): Isa {
  if (wanted === undefined || wanted === '') return best;
  const found = available.find((isa) => isa === wanted);
  if (found !== undefined) return found;
  throw new MobileNetError(
    'ISA_UNAVAILABLE',
    `MOBILENETV2_ISA is ${JSON.stringify(wanted)}; this CPU offers ${available.join(', ')}`,
  );
}
