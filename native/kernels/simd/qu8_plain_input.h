// A narrow tensor's rows as the input of a 1x1 convolution. Include inside a target region; V is the vector type of
// simd/x86_qu8_*.h.
//
// Where V::kReadsRows, products broadcast from the rows themselves, whose pixels must be whole chunks of channels:
// others are copied with zeros after the last channel. Elsewhere rows become A tiles.
#pragma once

#include <cstring>

#include "kernels/simd/qu8_product.h"

namespace mobilenetv2::qu8 {

// Of a product with a narrow tensor of `width` columns: the larger tiles that PlainInput makes go to the matrix unit.
template <class V>
MatrixPart narrow_matrix_part(int32_t channels, int32_t width) {
  return matrix_part<V>(plain_k(channels), From::tensor, Split(width, V::kTileCols).count(0));
}

// One or two rows of `width` pixels, in tiles of columns.
template <class V>
class PlainInput {
 public:
  PlainInput(int32_t channels, int32_t width, const MatrixPart& matrix = {})
      : tiles_(width, matrix.present ? V::kTileCols : most_columns(channels)),
        channels_(channels),
        padded_(plain_k(channels).channels()) {}

  const Split& tiles() const { return tiles_; }

  // Scratch for two rows.
  size_t bytes() const {
    if (!V::kReadsRows) return tiles_.parts * tile_bytes();
    return padded_ == channels_ ? 0 : align_up(2 * row_bytes());
  }

  // Prepares two rows (or one, twice) in `scratch`.
  void fill(const uint8_t* row0, const uint8_t* row1, uint8_t* scratch) const {
    if constexpr (V::kReadsRows) {
      if (padded_ == channels_) return;
      for (const uint8_t* row : {row0, row1}) {
        for (int32_t x = 0; x < tiles_.size; ++x, scratch += padded_, row += channels_) {
          std::memcpy(scratch, row, channels_);
          std::memset(scratch + channels_, 0, padded_ - channels_);
        }
      }
    } else {
      for (int32_t t = 0; t < tiles_.parts; ++t, scratch += tile_bytes()) {
        const size_t at = static_cast<size_t>(tiles_.begin(t)) * channels_;
        fill_a_tile<V>(row0 + at, row1 + at, channels_, tiles_.count(t), scratch);
      }
    }
  }

  // Tile t of the same rows, and those of its size after it.
  Pixels<V> tile(const uint8_t* row0, const uint8_t* row1, const uint8_t* scratch, int32_t t) const {
    if constexpr (V::kReadsRows) {
      if (padded_ != channels_) {
        row0 = scratch;
        row1 = scratch + row_bytes();
      }
      const size_t at = static_cast<size_t>(tiles_.begin(t)) * padded_;
      return {row0 + at, row1 + at, padded_, tiles_.count(t)};
    } else {
      return {scratch + t * tile_bytes(), tile_bytes()};
    }
  }

 private:
  // With few channels, requantising a tile takes long beside its product. Processors do it beside the next product if
  // they can look that far ahead, which narrower tiles allow. Those with a matrix unit look far enough (2 % faster).
  static constexpr int32_t kFewChannels = 96;
  static int32_t most_columns(int32_t channels) {
    if constexpr (V::kReadsRows) {
      if (channels <= kFewChannels) return V::kNarrowTileCols;
    }
    return V::kTileCols;
  }
  size_t tile_bytes() const { return ATile<V>::bytes(plain_k(channels_)); }
  size_t row_bytes() const { return static_cast<size_t>(tiles_.size) * padded_; }

  Split tiles_;
  int32_t channels_, padded_;
};

}  // namespace mobilenetv2::qu8
