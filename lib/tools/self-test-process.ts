/** The process that self-test.ts starts for one instruction set. */
import type { Isa } from '../native.js';
import { testIsa } from './self-test.js';

testIsa(process.argv[2] as Isa).then((tests) => process.send?.(tests));
