// Headers of .npy files, mutated: each is refused with a UserError that names the file, or gives an array whose bytes are those that its
// shape says. What survives is written and read again.
#include <cstring>
#include <random>

#include <gtest/gtest.h>

#include "cli/npy.h"
#include "dsl/error.h"

namespace normforge::cli {
namespace {

constexpr int64_t kRows = 3, kColumns = 5;

std::string good_file() {
  std::vector<float> elements(kRows * kColumns, 1.5f);
  return npy_file(DType::f32, {kRows, kColumns}, reinterpret_cast<const std::byte *>(elements.data()));
}

int64_t elements(const NpyArray &array) {
  int64_t count = 1;
  for (int64_t extent : array.shape)
    count *= extent;
  return count;
}

/// Whether the file is read; fails the test when it is read wrongly or refused in any other way than as a mistake of the person's.
bool is_read(const std::string &file) {
  try {
    const NpyArray array = parse_npy(file, "x.npy");
    EXPECT_EQ(array.bytes.size(), size_t(elements(array)) * size_t(array.descr.back() - '0')) << array.descr;
    EXPECT_EQ(std::memcmp(array.bytes.data(), file.data() + file.size() - array.bytes.size(), array.bytes.size()), 0);
    return true;
  } catch (const UserError &error) {
    EXPECT_TRUE(std::string_view(error.what()).starts_with("x.npy: ")) << error.what();
    return false;
  }
}

TEST(Npy, MutatedHeadersAreReadOrRefused) {
  const std::string good = good_file();
  const size_t header = good.size() - kRows * kColumns * sizeof(float);
  constexpr std::string_view kPieces[] = {"(",          ")",    "{", "}",  "'", "\"",  ",",   ":",    "-",
                                          "9999999999", "True", "[", "\n", "L", "<f8", "|V2", "3, 5", "5, 3"};
  std::mt19937_64 random(7);
  int read = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string file = good;
    for (size_t changes = 1 + random() % 3; changes > 0; --changes) {
      const size_t at = random() % header;
      switch (random() % 4) {
      case 0: file[at] = char(random()); break;
      case 1: file[at] ^= char(1 << random() % 8); break;
      case 2: file.erase(at, 1 + random() % 4); break;
      default: file.replace(at, random() % 3, kPieces[random() % std::size(kPieces)]);
      }
    }
    read += is_read(file);
  }
  EXPECT_GT(read, 0) << "no mutation was harmless: the reader refuses what it should read";
  EXPECT_LT(read, 20000);
}

TEST(Npy, WhatIsWrittenIsReadBack) {
  for (const DTypeInfo &row : dtypes())
    for (const std::vector<int64_t> &shape : {std::vector<int64_t>{}, {0}, {7}, {2, 3}, {1, 0, 4}, std::vector<int64_t>(32, 1)}) {
      int64_t count = 1;
      for (int64_t extent : shape)
        count *= extent;
      std::string content(size_t(count) * size_t(row.bytes), '\0');
      for (size_t i = 0; i < content.size(); ++i)
        content[i] = char(i + 1);
      const std::string file = npy_file(row.dtype, shape, reinterpret_cast<const std::byte *>(content.data()));
      EXPECT_EQ((file.size() - content.size()) % 64, 0u);
      const NpyArray array = parse_npy(file, "x.npy");
      EXPECT_EQ(array.shape, shape);
      EXPECT_EQ(std::string_view(reinterpret_cast<const char *>(array.bytes.data()), array.bytes.size()), content);
      EXPECT_EQ(dtype_of(array, row.dtype, "x"), row.dtype);
    }
}

} // namespace
} // namespace normforge::cli
