/* A C program as an application would be: the packaged runtime, libc and threads, and no C++. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "runtime/abi.h"
#include "runtime/library.h"
#include "runtime/runtime.h"

struct arguments {
  int64_t rows;
  const float *x;
  float *y;
};

static void twice(const nf_kernel_args *args, int64_t begin, int64_t end) {
  const float *x = args->tensors[0];
  float *y = args->tensors[1];
  for (int64_t i = begin; i < end; ++i)
    y[i] = 2 * x[i];
}

static const nf_axis axes[] = {{"rows", offsetof(struct arguments, rows), -1}};
static const nf_tensor tensors[] = {
    {.name = "x", .role = NF_INPUT, .dtype = NF_F32, .rank = 1, .stride_offset = {-1}, .pointer_offset = offsetof(struct arguments, x)},
    {.name = "y",
     .role = NF_OUTPUT,
     .dtype = NF_F32,
     .rank = 1,
     .stride_offset = {-1},
     .pointer_offset = offsetof(struct arguments, y),
     .in_place = 1},
};
static const nf_step step = {.run = twice, .items = {.outer = 1, .tile = 1, .times = 1}};
static const nf_kernel kernel = {.level = 2, .takes = 3, .ranges = {{1, INT64_MAX}}, .steps = 1, .step = &step, .grain_bytes = 64};
static const nf_function function = {
    .name = "twice", .axes = 1, .tensors = 2, .kernels = 1, .axis = axes, .tensor = tensors, .kernel = &kernel};
static const nf_function *const functions[] = {&function};
const char nf_level_variable[] = "PLAIN_LEVEL";
const nf_library nf_this_library = {"plain", "1.2.3", nf_level_variable, 1, functions};

static int failures;
static void check(int ok, const char *what) {
  if (!ok) {
    printf("failed: %s\n", what);
    ++failures;
  }
}

int main(void) {
  static float x[1000], y[1000];
  for (int i = 0; i < 1000; ++i)
    x[i] = (float)i;
  struct arguments arguments = {1000, x, y};
  nf_options options = {.threads = 4};
  check(nf_describe()->functions == 1, "describe");
  check(strcmp(nf_describe()->function[0]->name, "twice") == 0, "function's name");
  check(nf_call(nf_describe()->function[0], &arguments, &options) == NF_OK, "call");
  for (int i = 0; i < 1000; ++i)
    check(y[i] == 2 * x[i], "value");
  nf_choice choice;
  check(nf_which(&function, &arguments, &options, &choice) == NF_OK && choice.threads == 4, "which");
  arguments.y = NULL;
  check(nf_call(&function, &arguments, NULL) == NF_NO_OUTPUT, "status");
  return failures != 0;
}
