// Pillow's resize over an instruction set's two filters. Include inside the target region of F, which gives:
//
//   kStrip                     rows the horizontal filter does in one turn, with the same weights
//   column_step(channels)      taps it takes at once: weights are padded with zeros to a multiple
//   kRowStep                   the same for the vertical filter
//   kRowBlock                  fewest bytes of a row the vertical filter can do
//   kWeightBytes               of a packed weight
//   pack(weights, n, padded, out)
//   colour_column<channels>(column, in, out) and
//   grey_column(column, in, out)             one output pixel of each row of a strip, 3 channels or 1; reads up to
//                                            kOverRead bytes beyond the last pixel of the span, and writes up to
//                                            kOverRead beyond the pixel
//   rows(weights, taps, rows, offset, bytes, out)    exact
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/preprocess/taps.h"

namespace mobilenetv2 {

inline constexpr size_t kOverRead = 16;

// What the horizontal filter needs to know of an output column.
struct FilterColumn {
  size_t begin;            // of the first source pixel in its row, in bytes
  size_t to;               // of the output pixel, in bytes
  int32_t taps;            // source pixels
  const uint8_t* weights;  // packed
  int32_t padded;          // how many of them
};

template <class F>
class PillowDriver {
 public:
  static size_t scratch_bytes(const PreprocessArgs& args) { return PillowDriver(args).bytes_; }

  static void run(const PreprocessArgs& args) {
    PillowDriver driver(args);
    if (args.channels == 1) return driver.resize<1>();
    return args.channels == 3 ? driver.resize<3>() : driver.resize<4>();
  }

 private:
  using Span = TriangleFilter::Span;

  const PreprocessArgs& args_;
  const TriangleFilter column_filter_, row_filter_;
  int32_t column_taps_, row_taps_;  // most of an output column and row, padded
  int32_t ring_rows_;
  size_t first_stride_, second_stride_, copy_stride_;
  size_t bytes_ = 0;
  bool table_is_identity_ = false;  // the bytes are the quantised values, as with TensorFlow's uint8 files
  // Scratch. The first pass writes to a ring of rows (horizontal first), or to one strip of them.
  Span* spans_;
  uint8_t *column_weights_, *row_weights_;
  int32_t* plain_weights_;
  const uint8_t** row_pointers_;
  uint8_t *first_, *second_, *copies_;

  explicit PillowDriver(const PreprocessArgs& args)
      : args_(args),
        column_filter_(args.box_width, args.resized_width),
        row_filter_(args.box_height, args.resized_height) {
    const size_t colours = static_cast<size_t>(colour_channels(args)), width = static_cast<size_t>(args.out_width);
    const size_t box_bytes = static_cast<size_t>(args.box_width) * static_cast<size_t>(args.channels);
    column_taps_ = padded(column_filter_.max_taps(), F::column_step(args.channels));
    row_taps_ = padded(row_filter_.max_taps(), F::kRowStep);
    ring_rows_ = args.vertical_first ? F::kStrip : row_filter_.max_taps() + F::kStrip - 1;
    second_stride_ = align64(width * colours + kOverRead);
    copy_stride_ = align64(box_bytes + kOverRead);
    first_stride_ = args.vertical_first ? copy_stride_ : second_stride_;

    take(&spans_, width);
    take(&column_weights_, width * static_cast<size_t>(column_taps_) * F::kWeightBytes);
    take(&row_weights_, static_cast<size_t>(row_taps_) * F::kWeightBytes);
    take(&plain_weights_, static_cast<size_t>(std::max(column_taps_, row_taps_)));
    take(&row_pointers_, static_cast<size_t>(row_taps_));
    take(&first_, static_cast<size_t>(ring_rows_) * first_stride_);
    take(&second_, args.vertical_first ? F::kStrip * second_stride_ : second_stride_);
    // Only rows shorter than kOverRead make more than the image's last row unsafe to read beyond.
    const size_t row_bytes = static_cast<size_t>(args.width) * static_cast<size_t>(args.channels);
    take(&copies_, args.vertical_first ? 0 : copy_stride_ * (row_bytes < kOverRead ? F::kStrip : 1));
  }

  template <typename T>
  void take(T** place, size_t count) {
    *place = args_.scratch == nullptr ? nullptr : reinterpret_cast<T*>(args_.scratch + bytes_);
    bytes_ += align64(count * sizeof(T));
  }

  static int32_t padded(int32_t taps, int32_t step) { return (taps + step - 1) / step * step; }

  uint8_t* ring_row(int32_t y) const { return first_ + static_cast<size_t>(y % ring_rows_) * first_stride_; }

  template <int kChannels>
  void resize() {
    table_is_identity_ = args_.out_u8 != nullptr;
    for (int i = 0; i < 3 * 256 && table_is_identity_; ++i) table_is_identity_ = args_.table_u8[i] == (i & 255);
    const size_t column_bytes = static_cast<size_t>(column_taps_) * F::kWeightBytes;
    for (int32_t x = 0; x < args_.out_width; ++x) {
      spans_[x] = column_filter_.span(args_.window_x + x);
      column_filter_.weights(args_.window_x + x, spans_[x], plain_weights_);
      F::pack(plain_weights_, spans_[x].end - spans_[x].begin, column_taps_, column_weights_ + x * column_bytes);
    }
    args_.vertical_first ? rows_first<kChannels>() : columns_first<kChannels>();
  }

  template <int kChannels>
  void columns_first() {
    constexpr int kColours = kChannels == 1 ? 1 : 3;
    const int32_t last_row = row_filter_.span(args_.window_y + args_.out_height - 1).end;
    int32_t next_row = 0;  // first source row that has not passed the horizontal filter
    for (int32_t y = 0; y < args_.out_height; ++y) {
      const Span span = row_filter_.span(args_.window_y + y);
      for (next_row = std::max(next_row, span.begin); next_row < span.end;) {
        const int32_t rows = std::min(F::kStrip, last_row - next_row);
        filter_strip<kChannels>(next_row, rows);
        next_row += rows;
      }
      for (int32_t i = span.begin; i < span.end; ++i) row_pointers_[i - span.begin] = ring_row(i);
      filter_rows(y, span, 0, static_cast<size_t>(args_.out_width) * kColours, second_);
      store_row<kColours>(y, second_);
    }
  }

  // The horizontal filter on source rows [y, y + rows). A strip that is not full does its last row several times.
  template <int kChannels>
  void filter_strip(int32_t y, int32_t rows) {
    const size_t box_bytes = static_cast<size_t>(args_.box_width) * kChannels;
    const uint8_t* pixels_end = args_.pixels + static_cast<size_t>(args_.width) * args_.height * kChannels;
    const uint8_t* in[F::kStrip];
    uint8_t* out[F::kStrip];
    uint8_t* copy = copies_;
    for (int32_t i = 0; i < F::kStrip; ++i) {
      const bool again = i >= rows;
      in[i] = again ? in[rows - 1] : box_row(args_, y + i);
      out[i] = ring_row(y + std::min(i, rows - 1));
      if (!again && static_cast<size_t>(pixels_end - in[i]) < box_bytes + kOverRead) {
        std::memcpy(copy, in[i], box_bytes);
        in[i] = copy;
        copy += copy_stride_;
      }
    }
    filter_columns<kChannels>(in, out);
  }

  template <int kChannels>
  void rows_first() {
    const int32_t first_column = spans_[0].begin, last_column = spans_[args_.out_width - 1].end;
    const size_t offset = static_cast<size_t>(first_column) * kChannels;
    const size_t bytes = static_cast<size_t>(last_column - first_column) * kChannels;
    for (int32_t y = 0; y < args_.out_height; y += F::kStrip) {
      const int32_t rows = std::min(F::kStrip, args_.out_height - y);
      const uint8_t* in[F::kStrip];
      uint8_t* out[F::kStrip];
      for (int32_t i = 0; i < F::kStrip; ++i) {
        const int32_t row = std::min(i, rows - 1);
        in[i] = ring_row(row);
        out[i] = second_ + static_cast<size_t>(row) * second_stride_;
        if (row < i) continue;
        const Span span = row_filter_.span(args_.window_y + y + i);
        for (int32_t k = span.begin; k < span.end; ++k) row_pointers_[k - span.begin] = box_row(args_, k);
        filter_rows(y + i, span, offset, bytes, ring_row(i) + offset);
      }
      filter_columns<kChannels>(in, out);
      for (int32_t i = 0; i < rows; ++i) store_row<kChannels == 1 ? 1 : 3>(y + i, out[i]);
    }
  }

  template <int kChannels>
  void filter_columns(const uint8_t* const* in, uint8_t* const* out) const {
    constexpr size_t kColours = kChannels == 1 ? 1 : 3;
    // Members by value: what the filters write are bytes, which may lie anywhere as far as the compiler knows.
    const Span* const spans = spans_;
    const int32_t count = args_.out_width, padded = column_taps_;
    const uint8_t* weights = column_weights_;
    for (int32_t x = 0; x < count; ++x, weights += static_cast<size_t>(padded) * F::kWeightBytes) {
      const FilterColumn column{static_cast<size_t>(spans[x].begin) * kChannels, static_cast<size_t>(x) * kColours,
                                spans[x].end - spans[x].begin, weights, padded};
      if constexpr (kChannels == 1) {
        F::grey_column(column, in, out);
      } else {
        F::template colour_column<kChannels>(column, in, out);
      }
    }
  }

  // The vertical filter for output row y on bytes [offset, offset + bytes) of the rows in row_pointers_.
  void filter_rows(int32_t y, Span span, size_t offset, size_t bytes, uint8_t* out) {
    const int32_t count = span.end - span.begin, taps = padded(count, F::kRowStep);
    row_filter_.weights(args_.window_y + y, span, plain_weights_);
    for (int32_t i = count; i < taps; ++i) row_pointers_[i] = row_pointers_[0];
    if (bytes >= F::kRowBlock) {
      F::pack(plain_weights_, count, taps, row_weights_);
      return F::rows(row_weights_, taps, row_pointers_, offset, bytes, out);
    }
    for (size_t x = 0; x < bytes; ++x) {
      int32_t sum = kRoundWeight;
      for (int32_t i = 0; i < count; ++i) sum += row_pointers_[i][offset + x] * plain_weights_[i];
      out[x] = static_cast<uint8_t>(std::min(sum >> kWeightBits, 255));
    }
  }

  template <int kColours>
  void store_row(int32_t y, const uint8_t* row) const {
    if (args_.out_f32)
      look_up<kColours>(args_.table_f32, row, args_.out_f32 + output_row(args_, y));
    else if (kColours == 3 && table_is_identity_)
      std::memcpy(args_.out_u8 + output_row(args_, y), row, static_cast<size_t>(args_.out_width) * 3);
    else
      look_up<kColours>(args_.table_u8, row, args_.out_u8 + output_row(args_, y));
  }

  template <int kColours, typename T>
  void look_up(const T* table, const uint8_t* row, T* out) const {
    for (int32_t x = 0; x < args_.out_width; ++x, row += kColours, out += 3) {
      out[0] = table[row[0]];
      out[1] = table[256 + row[kColours == 3 ? 1 : 0]];
      out[2] = table[512 + row[kColours == 3 ? 2 : 0]];
    }
  }
};

}  // namespace mobilenetv2
