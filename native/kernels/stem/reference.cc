#include "kernels/reference.h"
#include "kernels/reference_kernels.h"

namespace mobilenetv2 {
namespace {

void run(StageArgs& args, int32_t row_begin, int32_t row_end) {
  reference::convolution_run(args, Layer::stem, row_begin, row_end);
}

}  // namespace

const Kernel stem_f32__scalar = {"stem_f32__scalar",
                                 OpKind::stem,
                                 Dtype::f32,
                                 Isa::scalar,
                                 nullptr,
                                 reference::convolution_packed_bytes,
                                 reference::convolution_pack,
                                 reference::convolution_facts,
                                 run};
const Kernel stem_qu8__scalar = {"stem_qu8__scalar",
                                 OpKind::stem,
                                 Dtype::qu8,
                                 Isa::scalar,
                                 nullptr,
                                 reference::convolution_packed_bytes,
                                 reference::convolution_pack,
                                 reference::convolution_facts,
                                 run};

}  // namespace mobilenetv2
