#include "norms.h"

__attribute__((visibility("default"))) int normalize_row(const float *x, float *y, int64_t n) {
  norms_layer_norm_f32_args args = norms_layer_norm_f32_defaults();
  args.rows = 1;
  args.cols = n;
  args.x = x;
  args.y = y;
  return norms_layer_norm_f32(&args, NULL);
}
