// Matrix products of u8 by s8 on Intel's matrix unit (AMX int8). Needs no target region: its instructions are spelled
// in bytes, because assemblers older than binutils 2.36 do not know them.
//
// A tile register holds up to 16 rows of 64 bytes. One instruction adds to a tile of sums (a row per pixel, 16 outputs)
// the product of a tile of pixels (a row each, a block of up to 64 channels) and one of weights (a row per 4 channels,
// as vpdpbusd's vectors lie), in about as many cycles as there are pixels.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cpu/amx.h"

#if defined(MOBILENETV2_AMX)

namespace mobilenetv2::amx {

// The registers: for the 14 pixels of an A tile, the outputs of two vectors (wide); for two rows of pixels of a narrow
// tensor, one vector (narrow).
constexpr int kWideSums = 0, kWidePixels = 2, kWideWeights = 3;
constexpr int kNarrowSums = 4, kNarrowPixels = 6, kNarrowWeights = 7;
constexpr int32_t kVector = 64;

// Their sizes, in the layout of the instruction that sets them.
struct alignas(64) TileConfig {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};

  // Sums, pixels and weights for tiles of `pixels` pixels and blocks of `channels` channels.
  [[gnu::always_inline]] void set(int sums, int pixels_tile, int weights, int32_t pixels, int32_t channels) {
    if (channels == 0) return;
    set(sums, pixels, kVector);
    set(sums + 1, pixels, kVector);
    set(pixels_tile, pixels, channels);
    set(weights, channels / 4, kVector);
  }

 private:
  [[gnu::always_inline]] void set(int tile, int32_t tile_rows, int32_t bytes) {
    rows[tile] = static_cast<uint8_t>(tile_rows);
    row_bytes[tile] = static_cast<uint16_t>(bytes);
  }
};

// Holds registers of these sizes for this thread, until they are released. While it does, switches of threads save
// them, too. Not an object: kernels do not throw, and a destructor would bring in what catches exceptions.
[[gnu::always_inline]] inline void hold(const TileConfig& config) {
  __asm__ volatile(".byte 0xc4, 0xe2, 0x78, 0x49, 0x00  # ldtilecfg (%%rax)" : : "a"(&config), "m"(config));
}
[[gnu::always_inline]] inline void release() { __asm__ volatile(".byte 0xc4, 0xe2, 0x78, 0x49, 0xc0  # tilerelease"); }

// Rows `stride` bytes apart.
template <int kTile>
[[gnu::always_inline]] inline void load(const void* rows, size_t stride) {
  __asm__ volatile(".byte 0xc4, 0xe2, 0x7b, 0x4b, 0x04 + 8 * %c2, 0x08  # tileloadd (%%rax,%%rcx,1), %%tmm%c2"
                   :
                   : "a"(rows), "c"(stride), "i"(kTile)
                   : "memory");
}
template <int kTile>
[[gnu::always_inline]] inline void store(void* rows, size_t stride) {
  __asm__ volatile(".byte 0xc4, 0xe2, 0x7a, 0x4b, 0x04 + 8 * %c2, 0x08  # tilestored %%tmm%c2, (%%rax,%%rcx,1)"
                   :
                   : "a"(rows), "c"(stride), "i"(kTile)
                   : "memory");
}
template <int kSums, int kPixels, int kWeights>
[[gnu::always_inline]] inline void multiply_add() {
  __asm__ volatile(
      ".byte 0xc4, 0xe2, 0x79 - 8 * %c2, 0x5e, 0xc0 + 8 * %c0 + %c1  # tdpbusd %%tmm%c2, %%tmm%c1, %%tmm%c0"
      :
      : "i"(kSums), "i"(kPixels), "i"(kWeights));
}

struct MatrixUnit {
  static constexpr int32_t kWideTilePixels = 14;

  // Registers for blocks of so many channels (0: none), and narrow tiles of `columns` columns.
  [[gnu::always_inline]] static void hold(int32_t wide_channels, int32_t narrow_channels, int32_t columns) {
    if (wide_channels == 0 && narrow_channels == 0) return;
    TileConfig config;
    config.set(kWideSums, kWidePixels, kWideWeights, kWideTilePixels, wide_channels);
    config.set(kNarrowSums, kNarrowPixels, kNarrowWeights, columns, narrow_channels);
    amx::hold(config);
  }
  [[gnu::always_inline]] static void release() { amx::release(); }

  // Both: sums = bias + the products of `count` blocks of `channels` channels, with pixels `column` bytes apart. `bias`
  // and the weights are vectors of 64 bytes, kVectors after each other: a bias each, weights each for four channels.

  // Of the 14 pixels at `a`: sums [14][kVectors].
  template <int kVectors>
  [[gnu::always_inline]] static void multiply_wide(const uint8_t* a, size_t column, const uint8_t* bias,
                                                   const uint8_t* weights, int32_t channels, int32_t count,
                                                   void* sums) {
    constexpr size_t kStep = kVectors * kVector;
    load<kWideSums>(bias, 0);
    if (kVectors == 2) load<kWideSums + 1>(bias + kVector, 0);
    for (int32_t i = 0; i < count; ++i, a += channels, weights += channels / 4 * kStep) {
      load<kWidePixels>(a, column);
      load<kWideWeights>(weights, kStep);
      multiply_add<kWideSums, kWidePixels, kWideWeights>();
      if (kVectors == 2) load<kWideWeights>(weights + kVector, kStep);
      if (kVectors == 2) multiply_add<kWideSums + 1, kWidePixels, kWideWeights>();
    }
    store<kWideSums>(sums, kStep);
    if (kVectors == 2) store<kWideSums + 1>(static_cast<uint8_t*>(sums) + kVector, kStep);
  }

  // Of the pixels from row[0] and row[1] on, as many as the registers are for: sums0 and sums1 [columns][kVectors].
  template <int kRows, int kVectors>
  [[gnu::always_inline]] static void multiply_narrow(const uint8_t* const row[2], size_t column, const uint8_t* bias,
                                                     const uint8_t* weights, int32_t channels, int32_t count,
                                                     void* sums0, void* sums1) {
    constexpr size_t kStep = kVectors * kVector;
    for (size_t v = 0; v < kStep; v += kVector) {
      load<kNarrowSums>(bias + v, 0);
      if (kRows == 2) load<kNarrowSums + 1>(bias + v, 0);
      const uint8_t *row0 = row[0], *row1 = row[1], *w = weights + v;
      for (int32_t i = 0; i < count; ++i, row0 += channels, row1 += channels, w += channels / 4 * kStep) {
        load<kNarrowWeights>(w, kStep);
        load<kNarrowPixels>(row0, column);
        multiply_add<kNarrowSums, kNarrowPixels, kNarrowWeights>();
        if (kRows == 2) load<kNarrowPixels>(row1, column);
        if (kRows == 2) multiply_add<kNarrowSums + 1, kNarrowPixels, kNarrowWeights>();
      }
      store<kNarrowSums>(static_cast<uint8_t*>(sums0) + v, kStep);
      if (kRows == 2) store<kNarrowSums + 1>(static_cast<uint8_t*>(sums1) + v, kStep);
    }
  }
};

}  // namespace mobilenetv2::amx

#endif
