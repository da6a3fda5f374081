/* A row of two values normalizes to -1 and 1. */
#include <stdint.h>

int normalize_row(const float *x, float *y, int64_t n);

int main(void) {
  const float x[2] = {1, 5};
  float y[2] = {0, 0};
  return normalize_row(x, y, 2) || y[0] > -0.999f || y[0] < -1 || y[1] != -y[0];
}
