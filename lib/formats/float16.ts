/** IEEE 754 half precision to single, exactly; infinities and NaNs stay what they are. */
export function float16ToFloat32(halves: Uint16Array): Float32Array {
  const result = new Float32Array(halves.length);
  for (let i = 0; i < halves.length; i++) {
    const half = halves[i] as number;
    const exponent = (half >> 10) & 31;
    const fraction = half & 1023;
    let magnitude: number;
    if (exponent === 31) magnitude = fraction === 0 ? Number.POSITIVE_INFINITY : Number.NaN;
    else if (exponent === 0) magnitude = fraction * 2 ** -24;
    else magnitude = (1024 + fraction) * 2 ** (exponent - 25);
    result[i] = half & 0x8000 ? -magnitude : magnitude;
  }
  return result;
}
