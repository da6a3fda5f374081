// A module of constants and entry points of one library, on its way to an object file. A table of the ABI goes into it from the C structs
// of this process as its bytes, field by field (padding stays zero, so that equal tables are equal bytes), with symbols where the fields
// are pointers. The compiler's own struct layout is thus the only one there is.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace llvm {
class Constant;
class GlobalVariable;
} // namespace llvm

namespace normforge {

/// The bytes of a struct, and what its pointers point to, by offset.
struct ImageBytes {
  std::string bytes;
  std::vector<std::pair<size_t, llvm::Constant *>> pointers;
};

/// A C struct on its way into a module: the fields that are named, zeros elsewhere. Pointers are added in increasing order of their offset.
template <class T> class Image : public ImageBytes {
public:
  explicit Image(const T &value) : value(value) { bytes.assign(sizeof(T), '\0'); }

  template <class... M> Image &fields(M T::*...members) {
    (std::memcpy(bytes.data() + offset(members), &(value.*members), sizeof(value.*members)), ...);
    return *this;
  }
  /// A field of a struct within the struct.
  template <class S, class M> Image &inner(S T::*outer, M S::*member) {
    const size_t at =
        offset(outer) + size_t(reinterpret_cast<const char *>(&(value.*outer.*member)) - reinterpret_cast<const char *>(&(value.*outer)));
    std::memcpy(bytes.data() + at, &(value.*outer.*member), sizeof(value.*outer.*member));
    return *this;
  }
  template <class M> Image &pointer(M *T::*member, llvm::Constant *to) {
    pointers.emplace_back(offset(member), to);
    return *this;
  }

private:
  template <class M> size_t offset(M T::*member) const {
    return size_t(reinterpret_cast<const char *>(&(value.*member)) - reinterpret_cast<const char *>(&value));
  }

  const T &value;
};

/// Names are without the library's prefix. Constants with a symbol are for the other objects of the library.
class TableModule {
public:
  explicit TableModule(std::string library);
  ~TableModule();

  llvm::Constant *none();
  /// none() for null.
  llvm::Constant *text(const char *characters, const std::string &symbol = "");
  llvm::Constant *bytes(const std::string &data, const std::string &symbol);
  /// none() where there are none, as of all arrays.
  llvm::Constant *numbers(std::span<const int32_t>);
  llvm::Constant *numbers(std::span<const double>);
  llvm::Constant *pointers(const std::vector<llvm::Constant *> &elements);
  /// An array of structs: `image` makes each.
  template <class T> llvm::Constant *structs(const T *first, int32_t count, auto image, const std::string &symbol = "") {
    std::vector<ImageBytes> images;
    for (int32_t i = 0; i < count; ++i)
      images.push_back(image(first[i], i));
    return images_in_turn(images, symbol);
  }
  /// The address of something in another object of the library.
  llvm::Constant *external(const std::string &symbol);

  /// status NAME_`symbol`(p…) { return NAME_`callee`(first, p…); } with `parameters` pointers p.
  void forward(const std::string &symbol, size_t parameters, const std::string &callee, llvm::Constant *first);

  /// The object file. To be asked for once.
  std::string object();

private:
  llvm::Constant *images_in_turn(const std::vector<ImageBytes> &, const std::string &symbol);
  llvm::GlobalVariable *constant(llvm::Constant *value, const std::string &symbol = "");

  struct Compiler;
  const std::string library;
  const std::unique_ptr<Compiler> compiler;
};

} // namespace normforge
