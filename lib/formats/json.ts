import { describe } from '../errors.js';
import { corrupt } from './failures.js';

/* Typed access to parsed JSON. Each function says what it was reading when the value is of another type. */

export type JsonObject = { readonly [key: string]: unknown };

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function object(value: unknown, what: string): JsonObject {
  return isObject(value) ? value : corrupt(`${what}: expected an object, got ${describe(value)}`);
}

/** A copy: in memory, unlike in JSON, an array may have holes, and these must not be skipped. */
export function array(value: unknown, what: string): readonly unknown[] {
  return Array.isArray(value) ? [...value] : corrupt(`${what}: expected an array, got ${describe(value)}`);
}

export function string(value: unknown, what: string): string {
  return typeof value === 'string' ? value : corrupt(`${what}: expected a string, got ${describe(value)}`);
}

export function number(value: unknown, what: string): number {
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  return corrupt(`${what}: expected a finite number, got ${describe(value)}`);
}

export function integer(value: unknown, what: string, min: number, max: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
  return corrupt(`${what}: expected an integer in ${min} ... ${max}, got ${describe(value)}`);
}

/** One integer for both sides, or [height, width]: Keras writes either. */
export function pair(value: unknown, what: string, min: number, max: number): readonly [number, number] {
  if (!Array.isArray(value)) {
    const both = integer(value, what, min, max);
    return [both, both];
  }
  if (value.length !== 2) corrupt(`${what}: expected two integers, got ${describe(value)}`);
  return [integer(value[0], `${what}[0]`, min, max), integer(value[1], `${what}[1]`, min, max)];
}

const decoder = new TextDecoder('utf-8', { fatal: true });

/** Parses a JSON file's text or bytes (UTF-8, a byte order mark is skipped). */
export function parseJson(source: string | Uint8Array, what: string): unknown {
  try {
    return JSON.parse(typeof source === 'string' ? source : decoder.decode(source));
  } catch (error) {
    return corrupt(`${what}: not valid JSON (${error instanceof Error ? error.message : String(error)})`, error);
  }
}
