/**
 * `promise.finally(then)`, and with `result` also `.then(result)`, as one promise instead of five: after an inference
 * the caches hold none of this code, and every step of it takes microseconds. What `then` throws, the promise rejects
 * with.
 */
export function onSettled<T>(promise: Promise<T>, then: () => void): Promise<T>;
export function onSettled<T>(promise: Promise<unknown>, then: () => void, result: () => T): Promise<T>;
export function onSettled<T>(promise: Promise<T>, then: () => void, result?: () => T): Promise<T> {
  return promise.then(
    (value) => {
      then();
      return result === undefined ? value : result();
    },
    (error) => {
      then();
      throw error;
    },
  );
}
