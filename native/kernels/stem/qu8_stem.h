// The quantised stem, 3x3 over RGB, as a matrix product over patches of 27 bytes. Include inside a target region; V is
// the vector type of simd/x86_qu8_*.h.
#pragma once

#include "kernels/simd/qu8_tile.h"

namespace mobilenetv2::qu8 {

template <class V>
class Stem {
 public:
  static constexpr Kernel kernel(const char* name, Isa isa) {
    return {name, OpKind::stem, Dtype::qu8, isa, nullptr, packed_bytes, pack, facts, run};
  }

 private:
  // Of each of the three rows eight bytes in a chunk, then the three ninth bytes in a half chunk: 7 steps of 4. A step
  // of 8 takes a whole chunk.
  static constexpr KShape kPatch = V::kGroup == 8 ? KShape{4, 0} : KShape{3, 1};
  static constexpr int32_t kRowBytes = 9;
  // Tiles whose patches are made before they are multiplied: loads would wait for what was only just stored.
  static constexpr int32_t kGroup = 4;

  struct PatchOrder {
    static int32_t place(int32_t i) { return i < 24 ? i / 8 * kRowBytes + i % 8 : (i - 24) * kRowBytes + 8; }
  };
  using Packing = ProductPacking<V, PatchOrder>;

  static size_t packed_bytes(const Op& op) { return Packing(op.conv, kPatch, From::tiles, Use::rows).bytes(); }
  static void pack(const Op& op, uint8_t* packed) { Packing(op.conv, kPatch, From::tiles, Use::rows).pack(packed); }

  // Columns of a padded row that patches read.
  static int32_t padded_columns(const Op& op, const StageShape& s) {
    return std::max(s.in_width + s.pad_left, (s.out_width - 1) * op.conv.stride + 3);
  }
  // With what the loads of the last pair of patches may touch.
  static size_t padded_bytes(const Op& op, const StageShape& s) {
    return align_up(size_t{3} * (padded_columns(op, s) + op.conv.stride) + kRowBytes);
  }

  static StageFacts facts(const Op& op, const StageShape& s) {
    return {kGroup * align_up(ATile<V>::bytes(kPatch)) + 3 * padded_bytes(op, s), 1};
  }

  static void run(StageArgs& args, int32_t row_begin, int32_t row_end) {
    const Op& op = *args.op;
    const StageShape& s = args.shape;
    const int32_t stride = op.conv.stride, channels = s.out_channels;
    const ProductArgs product = product_args<V>(op.conv, kPatch, args.packed);
    const size_t tile_bytes = align_up(ATile<V>::bytes(kPatch));
    uint8_t* rows[3];
    for (int ky = 0; ky < 3; ++ky) {
      rows[ky] = args.scratch + kGroup * tile_bytes + ky * padded_bytes(op, s);
    }
    // A tile's two rows are neighbouring pixels; a last odd one has a tile of its own.
    const Split tiles(s.out_width / 2, V::kTileCols);
    for (int32_t y = row_begin; y < row_end; ++y) {
      const int32_t top = y * stride - s.pad_top;
      for (int ky = 0; ky < 3; ++ky) pad_row(args, top + ky, rows[ky]);
      for (int ky = 0; ky < stride; ++ky) fetch_row(args, top + ky + kRowsAhead);
      uint8_t* out = args.output.row(y);
      const auto multiply = [&](int32_t x, int pixels, int32_t columns, int32_t count) {
        uint8_t* to = out + static_cast<size_t>(x) * channels;
        for (int32_t p = 0; p < panel_count<V>(channels); ++p) {
          tiles_of<V>(pixels, columns)({args.scratch, tile_bytes}, args.packed + p * Packing::full_panel_bytes(kPatch),
                                       product, row_target<V>(to, to + channels, size_t{2} * channels, channels, p),
                                       panel_shape<V>(channels, p, true), count);
        }
      };
      for (int32_t t = 0, end; t < tiles.parts; t = end) {
        end = std::min(t + kGroup, tiles.parts);
        tiles.for_each_size(t, end, [&](int32_t first, int32_t count, int32_t columns) {
          for (int32_t i = 0; i < count; ++i) {
            fill_patches(rows, 2 * tiles.begin(first + i), stride, columns, args.scratch + i * tile_bytes);
          }
          multiply(2 * tiles.begin(first), 2, columns, count);
        });
      }
      if (s.out_width % 2 != 0) {
        fill_patches(rows, s.out_width - 1, stride, 1, args.scratch);
        multiply(s.out_width - 1, 1, 1, 1);
      }
    }
  }

  // The images of a batch lie in the last cache at best: measured there, 103 us without and 95 with this.
  static constexpr int32_t kRowsAhead = 14;
  static void fetch_row(const StageArgs& args, int32_t y) {
#if defined(__GNUC__)
    if (y < 0 || y >= args.shape.in_height) return;
    const uint8_t* row = args.input.row(y);
    for (int32_t i = 0; i < 3 * args.shape.in_width; i += 64) __builtin_prefetch(row + i);
#endif
  }

  // Input row y between padding columns, moved into the u8 domain.
  static void pad_row(const StageArgs& args, int32_t y, uint8_t* to) {
    const Conv& conv = args.op->conv;
    const StageShape& s = args.shape;
    const size_t before = size_t{3} * s.pad_left, inside = size_t{3} * s.in_width;
    const size_t all = size_t{3} * padded_columns(*args.op, s);
    if (y < 0 || y >= s.in_height) {
      std::memset(to, conv.input_zero_point, all);
      return;
    }
    std::memset(to, conv.input_zero_point, before);
    const uint8_t* row = args.input.row(y);
    const uint8_t flip = conv.input_flip;
    for (size_t i = 0; i < inside; ++i) to[before + i] = row[i] ^ flip;
    std::memset(to + before + inside, conv.input_zero_point, all - before - inside);
  }

  // Pairs of patches from output column x on, as columns of an A tile.
  static void fill_patches(uint8_t* const rows[3], int32_t x, int32_t stride, int32_t columns, uint8_t* a) {
    size_t at = size_t{3} * x * stride;
    const size_t next = size_t{3} * stride;
    const size_t tile_bytes = ATile<V>::bytes(kPatch), row_bytes = ATile<V>::row_bytes(tile_bytes);
    for (int32_t c = 0; c < columns; ++c, a += ATile<V>::column_bytes(tile_bytes), at += 2 * next) {
      if constexpr (V::kHasPatchPairs) {
        if (stride == 2) {
          V::store_patch_pair(a, a + row_bytes, rows[0] + at, rows[1] + at, rows[2] + at);
          continue;
        }
      }
      fill_patch(rows, at, a);
      fill_patch(rows, at + next, a + row_bytes);
    }
  }

  static void fill_patch(uint8_t* const rows[3], size_t at, uint8_t* a) {
    for (int ky = 0; ky < 3; ++ky) {
      uint64_t eight;
      std::memcpy(&eight, rows[ky] + at, sizeof(eight));
      V::store_chunk(a + ATile<V>::chunk_offset(ky), eight);
    }
    const uint64_t ninths = rows[0][at + 8] | rows[1][at + 8] << 8 | rows[2][at + 8] << 16;
    V::store_chunk(a + ATile<V>::chunk_offset(3), ninths);
  }
};

}  // namespace mobilenetv2::qu8
