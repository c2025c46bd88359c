/**
 * `work().finally(then)`, and with `result` also `.then(result)`, as one promise instead of five: after an inference the
 * caches hold none of this code, and every step of it takes microseconds. What any of them throws, the promise rejects
 * with.
 */
export function onSettled<T>(work: () => Promise<T>, then: () => void): Promise<T>;
export function onSettled<T>(work: () => Promise<unknown>, then: () => void, result: () => T): Promise<T>;
export function onSettled<T>(work: () => Promise<T>, then: () => void, result?: () => T): Promise<T> {
  return started(work).then(
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

function started<T>(work: () => Promise<T>): Promise<T> {
  try {
    return work();
  } catch (error) {
    return Promise.reject(error);
  }
}
