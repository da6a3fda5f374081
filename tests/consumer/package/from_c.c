/* Calls two libraries from one C program: results against formulas in double, the same bits on every level, and every status that an
 * application can meet. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "norms.h"
#include "other_norms.h"

enum { ROWS = 5, COLS = 37, STRIDE = 40 };

static int failures;

static void expect(int holds, const char *what) {
  if (!holds) {
    printf("not so: %s\n", what);
    ++failures;
  }
}

static float x[ROWS * STRIDE], gamma_[COLS], beta_[COLS], y[ROWS * COLS], mean[ROWS];

static norms_layer_norm_f32_args arguments(void) {
  norms_layer_norm_f32_args args = norms_layer_norm_f32_defaults();
  args.rows = ROWS;
  args.cols = COLS;
  args.x = x;
  args.gamma = gamma_;
  args.beta = beta_;
  args.y = y;
  args.mean = mean;
  args.x_stride_rows = STRIDE;
  return args;
}

static void check_values(void) {
  norms_layer_norm_f32_args args = arguments();
  expect(norms_layer_norm_f32(&args, NULL) == NORMS_OK, "layer_norm runs");
  for (int r = 0; r < ROWS; ++r) {
    double m = 0, v = 0;
    for (int c = 0; c < COLS; ++c)
      m += x[r * STRIDE + c] / (double)COLS;
    for (int c = 0; c < COLS; ++c)
      v += (x[r * STRIDE + c] - m) * (x[r * STRIDE + c] - m) / COLS;
    expect(fabs(mean[r] - m) < 1e-6 * fabs(m) + 1e-6, "mean");
    for (int c = 0; c < COLS; ++c) {
      const double want = (x[r * STRIDE + c] - m) / sqrt(v + args.eps) * gamma_[c] + beta_[c];
      expect(fabs(y[r * COLS + c] - want) < 2e-6 * fmax(1, fabs(want)), "y");
    }
  }
}

static void check_levels(void) {
  float first[ROWS * COLS];
  memcpy(first, y, sizeof y);
  const int32_t best = norms_level();
  for (int32_t level = 2; level <= 4; ++level) {
    const norms_status status = norms_force_level(level);
    expect(status == (level <= best ? NORMS_OK : NORMS_LEVEL_UNSUPPORTED), "a level is forced where the CPU has it");
    if (status != NORMS_OK)
      continue;
    norms_layer_norm_f32_args args = arguments();
    norms_choice choice;
    expect(norms_layer_norm_f32_which(&args, NULL, &choice) == NORMS_OK && choice.level == level, "the kernel is of the forced level");
    memset(y, 0, sizeof y);
    expect(norms_layer_norm_f32(&args, NULL) == NORMS_OK && memcmp(first, y, sizeof y) == 0, "every level gives the same bits");
  }
  expect(norms_force_level(5) == NORMS_LEVEL_UNSUPPORTED && norms_force_level(0) == NORMS_OK, "no level 5");
}

static norms_status changed(void (*change)(norms_layer_norm_f32_args *)) {
  norms_layer_norm_f32_args args = arguments();
  float before[ROWS * COLS];
  memcpy(before, y, sizeof y);
  change(&args);
  const norms_status status = norms_layer_norm_f32(&args, NULL);
  expect(memcmp(before, y, sizeof y) == 0, "a call that is refused touches nothing");
  return status;
}

static void no_x(norms_layer_norm_f32_args *args) { args->x = NULL; }
static void no_output(norms_layer_norm_f32_args *args) { args->y = NULL, args->mean = NULL; }
static void negative(norms_layer_norm_f32_args *args) { args->rows = -1; }
static void huge(norms_layer_norm_f32_args *args) { args->rows = INT64_MAX / 2; }
static void short_stride(norms_layer_norm_f32_args *args) { args->x_stride_rows = COLS - 1; }
static void bad_eps(norms_layer_norm_f32_args *args) { args->eps = -1; }
static void misaligned(norms_layer_norm_f32_args *args) { args->x = (const float *)(const void *)((const char *)x + 1); }
static void overlapping(norms_layer_norm_f32_args *args) { args->y = x + 1; }

static void check_statuses(void) {
  norms_layer_norm_f32_args args = arguments();
  norms_options bad = {-1, NULL, NULL, NULL, 0};
  int64_t bytes = -1;
  expect(norms_layer_norm_f32(NULL, NULL) == NORMS_NULL_ARGUMENT, "null arguments");
  expect(norms_layer_norm_f32(&args, &bad) == NORMS_BAD_OPTIONS, "bad options");
  expect(norms_layer_norm_f32_workspace_bytes(&args, &bytes) == NORMS_OK && bytes >= 0, "workspace");
  expect(changed(no_x) == NORMS_NULL_TENSOR, "null tensor");
  expect(changed(no_output) == NORMS_NO_OUTPUT, "no output");
  expect(changed(negative) == NORMS_NEGATIVE_EXTENT, "negative extent");
  expect(changed(huge) == NORMS_TOO_LARGE, "too large");
  expect(changed(short_stride) == NORMS_STRIDE_TOO_SMALL, "stride");
  expect(changed(bad_eps) == NORMS_SCALAR_DOMAIN, "scalar domain");
  expect(changed(misaligned) == NORMS_MISALIGNED, "misaligned");
  expect(changed(overlapping) == NORMS_OVERLAP, "overlap");

  float one[3] = {1, 2, 3}, running[3] = {0}, out[3];
  other_norms_batch_norm_train_f32_args train = other_norms_batch_norm_train_f32_defaults();
  train.batch = 1, train.channel = 3, train.space = 1;
  train.x = one, train.y = out, train.running_mean = running, train.running_var = running;
  expect(other_norms_batch_norm_train_f32(&train, NULL) == OTHER_NORMS_REQUIREMENT, "one value a channel is refused");
}

static void check_which(void) {
  norms_layer_norm_f32_args args = arguments();
  norms_choice choice;
  expect(norms_layer_norm_f32_which(&args, NULL, &choice) == NORMS_OK && choice.origin == NORMS_GENERIC,
         "rows apart take a generic kernel");
  expect(strstr(choice.why, "strides") != NULL, "and that is why");
  args.x_stride_rows = 0;
  expect(norms_layer_norm_f32_which(&args, NULL, &choice) == NORMS_OK && choice.origin == NORMS_SPECIALIZED, "dense ones their own");
  expect(strcmp(choice.problem, "layer_norm cols=37") == 0, "that of norms.txt");
  args.cols = COLS - 1;
  expect(norms_layer_norm_f32_which(&args, NULL, &choice) == NORMS_OK && choice.origin == NORMS_GENERIC, "other columns a generic one");
  expect(strstr(choice.why, "cols=36") != NULL, "and that is why");
}

static void check_workspace(void) {
  const float values[4] = {1, 2, 3, 5};
  float out[4] = {7, 7, 7, 7};
  other_norms_centre_f32_args args = other_norms_centre_f32_defaults();
  args.rows = 2, args.cols = 2, args.x = values, args.y = out;
  int64_t bytes = 0;
  expect(other_norms_centre_f32_workspace_bytes(&args, &bytes) == OTHER_NORMS_OK && bytes > 0,
         "means of rows and columns want a workspace");
  expect(other_norms_centre_f32(&args, NULL) == OTHER_NORMS_WORKSPACE_NEEDED && out[0] == 7, "without one the call is refused");
  other_norms_options options = {0, NULL, NULL, malloc((size_t)bytes), bytes};
  expect(other_norms_centre_f32(&args, &options) == OTHER_NORMS_OK, "with one it runs");
  expect(out[0] == -2.5f && out[1] == -3 && out[2] == -3 && out[3] == -2.5f, "centre"); /* 1 - 1.5 - 2, 2 - 1.5 - 3.5, … */
  free(options.workspace);
}

static void check_levels_of_other(void) {
  other_norms_layer_norm_f32_args args = other_norms_layer_norm_f32_defaults();
  args.rows = 1, args.cols = COLS, args.x = x, args.y = y;
  const other_norms_status at_best = other_norms_layer_norm_f32(&args, NULL);
  expect(at_best == (other_norms_level() >= 3 ? OTHER_NORMS_OK : OTHER_NORMS_NO_KERNEL), "the library holds kernels of x86-64-v3 alone");
  const int32_t level = norms_level();
  expect(other_norms_force_level(2) == OTHER_NORMS_OK && other_norms_layer_norm_f32(&args, NULL) == OTHER_NORMS_NO_KERNEL,
         "none for x86-64-v2");
  expect(norms_level() == level, "each library has a level of its own");
  other_norms_force_level(0);
}

static void check_description(void) {
  const norms_library *library = norms_describe();
  expect(strcmp(library->name, "norms") == 0 && library->functions == 2, "the library describes itself");
  for (int32_t i = 0; i < library->functions; ++i)
    printf("%s: %d kernels\n", library->function[i]->name, (int)library->function[i]->kernels);
  expect(strcmp(library->level_variable, "NORMS_LEVEL") == 0, "the variable that forces a level");
  expect(strcmp(other_norms_describe()->name, "other_norms") == 0, "the other library describes itself");
}

int main(void) {
  for (int i = 0; i < ROWS * STRIDE; ++i)
    x[i] = (float)(1000 + (i * 7919 % 1013) / 100.0);
  for (int c = 0; c < COLS; ++c)
    gamma_[c] = 1 + (float)c / 64, beta_[c] = (float)c / 32;
  check_values();
  check_levels();
  check_statuses();
  check_which();
  check_workspace();
  check_levels_of_other();
  check_description();
  return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
