#include "cli/npy.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <new>

#include "cli/output.h"
#include "dsl/error.h"
#include "dsl/problem.h"

namespace normforge::cli {
namespace {

/// A dtype in a file and the dtype of a kernel that it holds. The first row of a DType is how it is written.
struct NpyType {
  std::string_view descr;
  int bytes;
  DType dtype;
  bool declared; ///< the file alone does not say that it is this dtype
};

constexpr NpyType kNpyTypes[] = {
    {"<f8", 8, DType::f64, false}, {"<f4", 4, DType::f32, false},   {"<f2", 2, DType::f16, false}, {"|i1", 1, DType::i8, false},
    {"<i4", 4, DType::i32, false}, {"<u2", 2, DType::bf16, true},   {"<i2", 2, DType::bf16, true}, {"|V2", 2, DType::bf16, true},
    {"<V2", 2, DType::bf16, true}, {"|u1", 1, DType::f8e4m3, true}, {"<i1", 1, DType::i8, false},
};

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr size_t kAlignment = 64; // of the data in a file, as numpy writes it, and of memory

const NpyType *type_of(std::string_view descr) {
  const auto *row = std::ranges::find(kNpyTypes, descr, &NpyType::descr);
  return row == std::end(kNpyTypes) ? nullptr : row;
}

std::string shape_text(const std::vector<int64_t> &shape) {
  std::string text;
  for (int64_t extent : shape)
    text += (text.empty() ? "" : "x") + std::to_string(extent);
  return text.empty() ? "a single element" : text;
}

struct Header {
  std::string descr;
  bool fortran_order = false;
  std::vector<int64_t> shape;
};

/// Reads the dictionary literal: `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }` with its keys in any order.
class HeaderReader {
public:
  HeaderReader(std::string_view text, const std::string &path) : text_(text), path_(path) {}

  Header read() {
    Header header;
    unsigned seen = 0;
    expect('{');
    while (!accept('}')) {
      const std::string key = string();
      expect(':');
      if (key == "descr")
        header.descr = descr(), seen |= 1;
      else if (key == "fortran_order")
        header.fortran_order = boolean(), seen |= 2;
      else if (key == "shape")
        header.shape = tuple(), seen |= 4;
      else
        throw bad("unknown key '" + key + "'");
      if (!accept(',') && !at('}'))
        throw bad("expected ',' or '}' after the value of '" + key + "'");
    }
    if (skip_space(); position_ != text_.size())
      throw bad("something follows the closing brace");
    if (seen != 7)
      throw bad("expected the keys 'descr', 'fortran_order' and 'shape'");
    return header;
  }

private:
  UserError bad(const std::string &what) const {
    return UserError(path_ + ": bad npy header at character " + std::to_string(position_) + ": " + what);
  }
  void skip_space() {
    while (position_ < text_.size() && std::string_view(" \t\r\n").find(text_[position_]) != std::string_view::npos)
      ++position_;
  }
  bool at(char c) {
    skip_space();
    return position_ < text_.size() && text_[position_] == c;
  }
  bool accept(char c) { return at(c) && ++position_; }
  void expect(char c) {
    if (!accept(c))
      throw bad(std::string("expected '") + c + "'");
  }
  std::string string() {
    const char quote = at('"') ? '"' : '\'';
    expect(quote);
    const size_t end = text_.find(quote, position_);
    if (end == text_.npos)
      throw bad("a string without an end");
    const std::string value(text_.substr(position_, end - position_));
    position_ = end + 1;
    return value;
  }
  std::string descr() {
    if (at('['))
      throw UserError(path_ + ": a structured dtype; expected an array of plain numbers");
    return string();
  }
  bool boolean() {
    skip_space();
    for (const std::string_view word : {"True", "False"})
      if (text_.substr(position_).starts_with(word)) {
        position_ += word.size();
        return word == "True";
      }
    throw bad("expected True or False");
  }
  std::vector<int64_t> tuple() {
    std::vector<int64_t> values;
    for (expect('('); !accept(')');) {
      values.push_back(integer());
      if (!accept(',') && !at(')'))
        throw bad("expected ',' or ')' in the shape");
    }
    return values;
  }
  int64_t integer() {
    skip_space();
    int64_t value = 0;
    const char *begin = text_.data() + position_, *end = text_.data() + text_.size();
    const auto [stop, error] = std::from_chars(begin, end, value);
    if (error == std::errc::result_out_of_range)
      throw bad("an extent that does not fit 64 bits");
    if (error != std::errc() || value < 0)
      throw bad("expected an extent");
    position_ += size_t(stop - begin);
    return value;
  }

  std::string_view text_;
  const std::string &path_;
  size_t position_ = 0;
};

} // namespace

Bytes::Bytes(size_t size) : size_(size) {
  const size_t rounded = std::max<size_t>(1, (size + kAlignment - 1) / kAlignment) * kAlignment;
  data_.reset(static_cast<std::byte *>(std::aligned_alloc(kAlignment, rounded)));
  if (!data_)
    throw std::bad_alloc();
  std::memset(data_.get(), 0, rounded);
}

NpyArray read_npy(const std::string &path) { return parse_npy(read_file(path), path); }

NpyArray parse_npy(std::string_view file, const std::string &path) {
  const auto truncated = [&](const std::string &got) { return UserError(path + ": truncated: " + got); };
  if (!file.starts_with(kMagic))
    throw !file.empty() && kMagic.starts_with(file) ? truncated("it ends within the magic string")
                                                    : UserError(path + ": not an npy file; save one with numpy.save");
  const unsigned char *bytes = reinterpret_cast<const unsigned char *>(file.data());
  size_t position = kMagic.size() + 2;
  if (file.size() < position)
    throw truncated("it ends within the version");
  const int version = bytes[6];
  if (version < 1 || version > 3 || bytes[7] != 0)
    throw UserError(path + ": npy version " + std::to_string(version) + "." + std::to_string(bytes[7]) + "; expected 1.0, 2.0 or 3.0");
  size_t header_size = 0;
  const size_t size_bytes = version == 1 ? 2 : 4;
  if (file.size() < position + size_bytes)
    throw truncated("it ends within the header's length");
  for (size_t i = size_bytes; i-- > 0;)
    header_size = header_size << 8 | bytes[position + i];
  position += size_bytes;
  if (file.size() - position < header_size)
    throw truncated("the header has " + std::to_string(file.size() - position) + " of " + std::to_string(header_size) + " bytes");
  const Header header = HeaderReader(file.substr(position, header_size), path).read();
  position += header_size;

  const NpyType *type = type_of(header.descr);
  if (!type)
    throw UserError(path + ": dtype '" + header.descr + "' is not read; expected f8, f4, f2, i4, i1, or u2 for bf16, little endian");
  if (header.fortran_order)
    throw UserError(path + ": in Fortran order; save numpy.ascontiguousarray(array) in its place");
  int64_t size = type->bytes;
  for (int64_t extent : header.shape)
    size = checked_product(size, extent, path + ": the size of " + shape_text(header.shape));
  const size_t got = file.size() - position;
  if (got < size_t(size))
    throw truncated(std::to_string(got) + " bytes of data; expected " + std::to_string(size) + " for " + shape_text(header.shape) + " of " +
                    header.descr);
  if (got > size_t(size))
    throw UserError(path + ": " + std::to_string(got - size_t(size)) + " bytes follow the data of " + shape_text(header.shape) + " of " +
                    header.descr);

  NpyArray array{header.descr, header.shape, Bytes(size_t(size))};
  std::memcpy(array.bytes.data(), file.data() + position, size_t(size));
  return array;
}

DType dtype_of(const NpyArray &array, std::optional<DType> declared, const std::string &what) {
  const NpyType &type = *type_of(array.descr);
  if (declared ? *declared == type.dtype : !type.declared)
    return type.dtype;
  if (declared)
    throw UserError(what + " holds " + array.descr + "; " + std::string(name(*declared)) +
                    " was declared for it; convert it with numpy's astype");
  throw UserError(what + " holds " + array.descr + ", which is no dtype of a kernel; if its elements are " + std::string(name(type.dtype)) +
                  ", say so with --dtype");
}

std::string npy_file(DType dtype, const std::vector<int64_t> &shape, const std::byte *elements) {
  const NpyType &type = *std::ranges::find(kNpyTypes, dtype, &NpyType::dtype);
  std::string header = "{'descr': '" + std::string(type.descr) + "', 'fortran_order': False, 'shape': (";
  size_t size = size_t(type.bytes);
  for (size_t i = 0; i < shape.size(); ++i) {
    header += std::to_string(shape[i]) + (i + 1 < shape.size() ? ", " : shape.size() == 1 ? "," : "");
    size *= size_t(shape[i]);
  }
  header += "), }";
  const size_t before = kMagic.size() + 4;
  header.append((kAlignment - (before + header.size() + 1) % kAlignment) % kAlignment, ' ');
  header += '\n';
  std::string file(kMagic);
  file += {'\x01', '\x00', char(header.size() & 0xff), char(header.size() >> 8)};
  file += header;
  file.append(reinterpret_cast<const char *>(elements), size);
  return file;
}

} // namespace normforge::cli
