// How a vector type of simd/*_qu8_*.h multiplies: see Product in qu8_product.h.
#pragma once

namespace mobilenetv2 {

enum class ProductForm {
  broadcast,  // a pixel's group of channels in every word, times a vector of outputs
  lanes,      // a group of channels in a lane of a register that holds eight channels of two pixels
  matrices,   // eight channels of two pixels by eight channels of two outputs
};

}  // namespace mobilenetv2
