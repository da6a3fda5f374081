// NumPy's .npy files (numpy.lib.format, versions 1.0, 2.0 and 3.0): a magic string, the length of a header, the header (a Python dictionary
// literal with dtype, order and shape), then the elements. What a kernel can be given is read: C order, little endian, the dtypes of
// kNpyTypes. All else is refused with a line that says what to do in numpy.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dsl/dtype.h"

namespace normforge::cli {

/// Zeroed memory on a cache line's boundary.
class Bytes {
public:
  explicit Bytes(size_t size = 0);
  std::byte *data() const { return data_.get(); }
  size_t size() const { return size_; }

private:
  struct Free {
    void operator()(std::byte *data) const { std::free(data); }
  };
  std::unique_ptr<std::byte, Free> data_;
  size_t size_;
};

struct NpyArray {
  std::string descr; ///< the dtype as numpy spells it: "<f4"
  std::vector<int64_t> shape;
  Bytes bytes; ///< the elements, in C order
};

/// Reads a file whole. Throws UserError, opening with `path`: not an npy file, truncated, bytes after the data, a dtype or order that is
/// not read.
NpyArray read_npy(const std::string &path);

/// The same for the bytes of a file; `path` is for messages alone.
NpyArray parse_npy(std::string_view file, const std::string &path);

/// The dtype of an array's elements. NumPy has no bf16: an array of 2-byte integers or voids is one when `declared` says so. Throws
/// UserError, opening with `what`, when `declared` and the array disagree or the elements could be of several dtypes.
DType dtype_of(const NpyArray &array, std::optional<DType> declared, const std::string &what);

/// The file for `elements`, dense in C order: magic, header and data. bf16 is stored as <u2, f8e4m3 as |u1.
std::string npy_file(DType dtype, const std::vector<int64_t> &shape, const std::byte *elements);

} // namespace normforge::cli
