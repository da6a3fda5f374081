// LayerNorm as one writes it first: three loops over a row, in a file of their own so that -O3 sees what it would in an application.
#pragma once

#include <cstdint>

void plain_layer_norm(const float *x, const float *gamma, const float *beta, float eps, int64_t rows, int64_t cols, float *y);
