/** Packages that only some measurements need: loaded when asked for, from the project one works in or from our own. */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { MobileNetError } from '../errors.js';

export interface OptionalPackage<T> {
  readonly exports: T;
  /** Null when the package does not let its package.json be read. */
  readonly version: string | null;
}

/** @throws MobileNetError PACKAGE_MISSING with the command that installs it. */
export async function loadOptional<T>(name: string, purpose: string): Promise<OptionalPackage<T>> {
  const found = await findOptional<T>(name);
  if (found) return found;
  throw new MobileNetError('PACKAGE_MISSING', `${purpose} needs the package ${name}: npm install ${name}`);
}

/** Null when it is not installed, or not for this platform. */
export async function findOptional<T>(name: string): Promise<OptionalPackage<T> | null> {
  for (const from of [join(process.cwd(), 'package.json'), import.meta.url]) {
    const require = createRequire(from);
    let path: string;
    try {
      path = require.resolve(name);
    } catch {
      continue;
    }
    try {
      const module = await import(pathToFileURL(path).href);
      return { exports: (module.default ?? module) as T, version: versionOf(require, name) };
    } catch {
      // present, but for another platform or half installed: the other place may do
    }
  }
  return null;
}

function versionOf(require: NodeJS.Require, name: string): string | null {
  try {
    return (require(`${name}/package.json`) as { version: string }).version;
  } catch {
    return null;
  }
}
