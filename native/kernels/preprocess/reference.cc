// The scalar reference: what every other preprocess kernel must equal, bit for bit.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "kernels/preprocess/preprocess.h"
#include "kernels/preprocess/taps.h"

namespace mobilenetv2 {
namespace {

// Where things lie in the scratch of the pillow resize.
struct PillowScratch {
  size_t column_spans, column_weights;
  size_t row_weights;  // of the output row being made
  size_t sums;         // one int32 per value of a row in the vertical pass
  size_t row;          // what the second pass makes: out_width pixels
  size_t ring;  // what the first pass makes: rows of out_width pixels, or one of box_width if vertical comes first
  size_t bytes;
  int32_t column_taps;  // weights per output column
  int32_t ring_rows;
  size_t ring_row_bytes;

  explicit PillowScratch(const PreprocessArgs& args) {
    const TriangleFilter columns(args.box_width, args.resized_width), rows(args.box_height, args.resized_height);
    const size_t colours = static_cast<size_t>(colour_channels(args)), width = static_cast<size_t>(args.out_width);
    const size_t first_pass = (args.vertical_first ? static_cast<size_t>(args.box_width) : width) * colours;
    const size_t row_taps = static_cast<size_t>(rows.max_taps());
    column_taps = columns.max_taps();
    ring_rows = args.vertical_first ? 1 : rows.max_taps();
    ring_row_bytes = align64(first_pass);

    column_spans = 0;
    column_weights = column_spans + align64(width * sizeof(TriangleFilter::Span));
    row_weights = column_weights + align64(width * static_cast<size_t>(column_taps) * sizeof(int32_t));
    sums = row_weights + align64(row_taps * sizeof(int32_t));
    row = sums + align64(first_pass * sizeof(int32_t));
    ring = row + align64(width * colours);
    bytes = ring + static_cast<size_t>(ring_rows) * ring_row_bytes;
  }
};

uint8_t to_byte(int32_t fixed_point) { return static_cast<uint8_t>(std::min(fixed_point >> kWeightBits, 255)); }

// Horizontal pass over one row of pixels that lie `stride` bytes apart, to out_width pixels of kColours.
template <int kColours>
void filter_columns(const PreprocessArgs& args, const PillowScratch& layout, const uint8_t* in, size_t stride,
                    uint8_t* out) {
  const auto* spans = reinterpret_cast<const TriangleFilter::Span*>(args.scratch + layout.column_spans);
  const auto* weights = reinterpret_cast<const int32_t*>(args.scratch + layout.column_weights);
  for (int32_t x = 0; x < args.out_width; ++x, weights += layout.column_taps, out += kColours) {
    const uint8_t* pixel = in + static_cast<size_t>(spans[x].begin) * stride;
    int32_t sum[kColours];
    for (int c = 0; c < kColours; ++c) sum[c] = kRoundWeight;
    for (int32_t i = 0; i < spans[x].end - spans[x].begin; ++i, pixel += stride)
      for (int c = 0; c < kColours; ++c) sum[c] += pixel[c] * weights[i];
    for (int c = 0; c < kColours; ++c) out[c] = to_byte(sum[c]);
  }
}

// Vertical pass: the weighted sum of the rows row_at(begin) ... row_at(end - 1), `width` pixels of kColours.
template <int kColours, typename RowAt>
void filter_rows(const PreprocessArgs& args, const PillowScratch& layout, TriangleFilter::Span span, RowAt row_at,
                 size_t stride, size_t width, uint8_t* out) {
  const auto* weights = reinterpret_cast<const int32_t*>(args.scratch + layout.row_weights);
  auto* sums = reinterpret_cast<int32_t*>(args.scratch + layout.sums);
  std::fill_n(sums, width * kColours, kRoundWeight);
  for (int32_t y = span.begin; y < span.end; ++y, ++weights) {
    const uint8_t* pixel = row_at(y);
    for (size_t x = 0; x < width; ++x, pixel += stride)
      for (size_t c = 0; c < kColours; ++c) sums[x * kColours + c] += pixel[c] * *weights;
  }
  for (size_t i = 0; i < width * kColours; ++i) out[i] = to_byte(sums[i]);
}

template <int kColours>
void store_row(const PreprocessArgs& args, int32_t y, const uint8_t* row) {
  size_t at = output_row(args, y);
  for (int32_t x = 0; x < args.out_width; ++x, row += kColours) {
    for (size_t c = 0; c < 3; ++c, ++at) {
      const size_t entry = c * 256 + row[kColours == 3 ? c : 0];
      if (args.out_f32)
        args.out_f32[at] = args.table_f32[entry];
      else
        args.out_u8[at] = args.table_u8[entry];
    }
  }
}

// A pass that keeps its size has the weights 1 and 0, so it copies exactly: what Pillow gets by skipping it.
template <int kColours>
void resize_pillow(const PreprocessArgs& args) {
  const PillowScratch layout(args);
  const TriangleFilter columns(args.box_width, args.resized_width), rows(args.box_height, args.resized_height);
  const size_t channels = static_cast<size_t>(args.channels);

  auto* spans = reinterpret_cast<TriangleFilter::Span*>(args.scratch + layout.column_spans);
  auto* column_weights = reinterpret_cast<int32_t*>(args.scratch + layout.column_weights);
  for (int32_t x = 0; x < args.out_width; ++x, column_weights += layout.column_taps) {
    spans[x] = columns.span(args.window_x + x);
    columns.weights(args.window_x + x, spans[x], column_weights);
  }
  const int32_t first_column = spans[0].begin, last_column = spans[args.out_width - 1].end;

  auto* row_weights = reinterpret_cast<int32_t*>(args.scratch + layout.row_weights);
  uint8_t* row = args.scratch + layout.row;
  uint8_t* ring = args.scratch + layout.ring;
  auto ring_row = [&](int32_t y) { return ring + static_cast<size_t>(y % layout.ring_rows) * layout.ring_row_bytes; };
  int32_t next_row = 0;  // first source row that has not passed the horizontal filter

  for (int32_t y = 0; y < args.out_height; ++y) {
    const TriangleFilter::Span span = rows.span(args.window_y + y);
    rows.weights(args.window_y + y, span, row_weights);
    if (args.vertical_first) {
      const size_t skip = static_cast<size_t>(first_column);
      filter_rows<kColours>(
          args, layout, span, [&](int32_t i) { return box_row(args, i) + skip * channels; }, channels,
          static_cast<size_t>(last_column - first_column), ring + skip * kColours);
      filter_columns<kColours>(args, layout, ring, kColours, row);
    } else {
      for (next_row = std::max(next_row, span.begin); next_row < span.end; ++next_row)
        filter_columns<kColours>(args, layout, box_row(args, next_row), channels, ring_row(next_row));
      filter_rows<kColours>(args, layout, span, ring_row, kColours, static_cast<size_t>(args.out_width), row);
    }
    store_row<kColours>(args, y, row);
  }
}

template <typename Real>
void resize_two_taps(const PreprocessArgs& args, Tap2<Real> (*tap)(int32_t index, int32_t source, int32_t resized)) {
  auto* columns = reinterpret_cast<Tap2<Real>*>(args.scratch);
  for (int32_t x = 0; x < args.out_width; ++x) columns[x] = tap(args.window_x + x, args.box_width, args.resized_width);

  const size_t channels = static_cast<size_t>(args.channels);
  const double low = args.min_q, high = args.min_q + 255;
  for (int32_t y = 0; y < args.out_height; ++y) {
    const Tap2<Real> row = tap(args.window_y + y, args.box_height, args.resized_height);
    const uint8_t* top_line = box_row(args, row.lower);
    const uint8_t* bottom_line = box_row(args, row.upper);
    size_t at = output_row(args, y);
    for (int32_t x = 0; x < args.out_width; ++x) {
      const size_t left = static_cast<size_t>(columns[x].lower) * channels;
      const size_t right = static_cast<size_t>(columns[x].upper) * channels;
      for (size_t c = 0; c < 3; ++c, ++at) {
        const size_t in = channels == 1 ? 0 : c;
        const Real top_left = top_line[left + in], top_right = top_line[right + in];
        const Real bottom_left = bottom_line[left + in], bottom_right = bottom_line[right + in];
        const Real top = top_left + (top_right - top_left) * columns[x].fraction;
        const Real bottom = bottom_left + (bottom_right - bottom_left) * columns[x].fraction;
        const Real value = top + (bottom - top) * row.fraction;
        const double result = value * args.mul[c] + args.add[c];
        if (args.out_f32)
          args.out_f32[at] = static_cast<float>(result);
        else
          args.out_u8[at] = static_cast<uint8_t>(static_cast<int32_t>(std::clamp(std::floor(result), low, high)));
      }
    }
  }
}

size_t scratch_bytes(const PreprocessArgs& args) {
  return args.resize == Resize::pillow ? PillowScratch(args).bytes : two_taps_scratch_bytes(args);
}

void run(const PreprocessArgs& args) {
  switch (args.resize) {
    case Resize::pillow:
      return colour_channels(args) == 1 ? resize_pillow<1>(args) : resize_pillow<3>(args);
    case Resize::half_pixel:
      return resize_two_taps<float>(args, half_pixel_tap);
    case Resize::align_corners:
      return resize_two_taps<double>(args, align_corners_tap);
  }
}

}  // namespace

const PreprocessKernel preprocess__scalar = {"preprocess__scalar", Isa::scalar, scratch_bytes, run};

}  // namespace mobilenetv2
