#include "plain.h"

#include <cmath>

void plain_layer_norm(const float *x, const float *gamma, const float *beta, float eps, int64_t rows, int64_t cols, float *y) {
  for (int64_t i = 0; i < rows; ++i, x += cols, y += cols) {
    float sum = 0;
    for (int64_t j = 0; j < cols; ++j)
      sum += x[j];
    const float mean = sum / float(cols);
    float squares = 0;
    for (int64_t j = 0; j < cols; ++j)
      squares += (x[j] - mean) * (x[j] - mean);
    const float rstd = 1 / std::sqrt(squares / float(cols) + eps);
    for (int64_t j = 0; j < cols; ++j)
      y[j] = (x[j] - mean) * rstd * gamma[j] + beta[j];
  }
}
