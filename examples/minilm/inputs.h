// What goes into a LayerNorm: read from what encode.py wrote, or made up.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

struct Input {
  std::string name;
  int64_t rows, cols;
  std::vector<float> x, gamma, beta; ///< x: [rows, cols]
};

/// NN.x.npy with NN.gamma.npy and NN.beta.npy, in order of NN. Throws std::runtime_error.
std::vector<Input> read_inputs(const std::filesystem::path &directory);

/// As many arrays of the same size from a seeded generator, with a few columns far larger than the rest as real ones have.
std::vector<Input> synthetic_inputs();
