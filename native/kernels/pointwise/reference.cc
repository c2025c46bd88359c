#include "kernels/reference.h"
#include "kernels/reference_kernels.h"

namespace mobilenetv2 {
namespace {

void run(StageArgs& args, int32_t row_begin, int32_t row_end) {
  reference::convolution_run(args, Layer::pointwise, row_begin, row_end);
}

}  // namespace

const Kernel pointwise_f32__scalar = {"pointwise_f32__scalar",
                                      OpKind::pointwise,
                                      Dtype::f32,
                                      Isa::scalar,
                                      nullptr,
                                      reference::convolution_packed_bytes,
                                      reference::convolution_pack,
                                      reference::convolution_facts,
                                      run};
const Kernel pointwise_qu8__scalar = {"pointwise_qu8__scalar",
                                      OpKind::pointwise,
                                      Dtype::qu8,
                                      Isa::scalar,
                                      nullptr,
                                      reference::convolution_packed_bytes,
                                      reference::convolution_pack,
                                      reference::convolution_facts,
                                      run};

}  // namespace mobilenetv2
