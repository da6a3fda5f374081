#include "untuned.h"

#include <stdexcept>

#include "untuned_norms.h"

void untuned_layer_norm(const float *x, const float *gamma, const float *beta, double eps, int64_t rows, int64_t cols, float *y) {
  untuned_norms_layer_norm_f32_args args = untuned_norms_layer_norm_f32_defaults();
  args.rows = rows;
  args.cols = cols;
  args.x = x;
  args.gamma = gamma;
  args.beta = beta;
  args.eps = eps;
  args.y = y;
  const untuned_norms_options options{.threads = 1};
  if (const untuned_norms_status status = untuned_norms_layer_norm_f32(&args, &options); status != UNTUNED_NORMS_OK)
    throw std::runtime_error(untuned_norms_status_string(status));
}
