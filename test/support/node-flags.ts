/**
 * For processes that end while the engine is still compiling what they ran. Node joins V8's threads at its exit, and
 * one that wants the main thread to collect garbage first waits forever (nodejs/node issue 54918; Node 24, one process
 * in hundreds on a busy machine, with or without this package). So V8 gets no threads; those of the package's pool,
 * which these tests are about, are not concerned.
 */
export const NODE_FLAGS = ['--single-threaded'];
