// Keeps the addon's code in memory until the process ends.
#pragma once

namespace mobilenetv2 {

// Node unloads an addon when the last environment that loaded it ends, such as a worker thread's; the threads of the
// pool outlive that. On Linux the linker says it (-z nodelete), elsewhere this must be called once.
void stay_loaded();

}  // namespace mobilenetv2
