#include "autotune/pack/run_pack.h"

int main(int argc, char **argv) {
  return normforge::run_pack(argc, argv, normforge::this_gpu(), "the first GPU (CUDA_VISIBLE_DEVICES chooses another)");
}
