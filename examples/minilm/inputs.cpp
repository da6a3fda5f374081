#include "inputs.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <stdexcept>
#include <utility>

namespace {

struct Array {
  int64_t rows, cols;
  std::vector<float> values;
};

// A .npy file of f32 in C order with one or two dimensions: a magic number, the length of a header, the header (a Python dictionary), the
// values.
Array read_npy(const std::filesystem::path &path) {
  std::ifstream file(path, std::ios::binary);
  const std::string data{std::istreambuf_iterator<char>(file), {}};
  const size_t begin = data.size() < 10 ? 10 : 10 + (uint8_t(data[8]) | uint8_t(data[9]) << 8);
  const std::string header = data.substr(0, begin);
  const size_t shape = header.find("'shape': (");
  long long rows = 0, cols = 0;
  const int dimensions = shape == header.npos ? 0 : std::sscanf(header.c_str() + shape, "'shape': (%lld, %lld", &rows, &cols);
  if (dimensions == 1)
    cols = std::exchange(rows, 1);
  if (dimensions < 1 || header.find("'<f4'") == header.npos || header.find("'fortran_order': False") == header.npos ||
      data.size() != begin + size_t(rows * cols) * sizeof(float))
    throw std::runtime_error(path.string() + ": not a whole .npy file of f32 in C order");
  Array array{rows, cols, std::vector<float>(size_t(rows * cols))};
  std::memcpy(array.values.data(), data.data() + begin, array.values.size() * sizeof(float));
  return array;
}

} // namespace

std::vector<Input> read_inputs(const std::filesystem::path &directory) {
  std::vector<Input> inputs;
  for (const auto &entry : std::filesystem::directory_iterator(directory)) {
    const std::string file = entry.path().filename().string(), name = file.substr(0, file.find('.'));
    if (file != name + ".x.npy")
      continue;
    Array x = read_npy(entry.path()), gamma = read_npy(directory / (name + ".gamma.npy")),
          beta = read_npy(directory / (name + ".beta.npy"));
    if (gamma.cols != x.cols || beta.cols != x.cols)
      throw std::runtime_error(entry.path().string() + ": its gamma or beta is of another length");
    inputs.push_back({name, x.rows, x.cols, std::move(x.values), std::move(gamma.values), std::move(beta.values)});
  }
  if (inputs.empty())
    throw std::runtime_error(directory.string() + ": holds no NN.x.npy");
  std::ranges::sort(inputs, {}, &Input::name);
  return inputs;
}

std::vector<Input> synthetic_inputs() {
  std::mt19937 random(13);
  std::normal_distribution<float> normal;
  std::vector<Input> inputs;
  for (int i = 0; i < 13; ++i) {
    Input input{(i < 10 ? "0" : "") + std::to_string(i), 441, 384, {}, {}, {}};
    std::vector<float> scale(size_t(input.cols), 1);
    for (int column : {17, 101, 308})
      scale[size_t(column)] = 20;
    for (int64_t j = 0; j < input.rows * input.cols; ++j)
      input.x.push_back(normal(random) * scale[size_t(j % input.cols)]);
    for (int64_t j = 0; j < input.cols; ++j) {
      input.gamma.push_back(1 + normal(random) / 4);
      input.beta.push_back(normal(random) / 4);
    }
    inputs.push_back(std::move(input));
  }
  return inputs;
}
