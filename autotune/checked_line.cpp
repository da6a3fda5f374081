#include "autotune/checked_line.h"

#include "codegen/hash.h"
#include "dsl/error.h"

namespace normforge {
namespace {

constexpr std::string_view kOpening = "{\"check\":\"", kMiddle = "\",";
constexpr size_t kDigits = 16, kFields = kOpening.size() + kDigits + kMiddle.size();

} // namespace

std::string checked_line(std::string_view object) {
  internal_check(object.starts_with("{\"") && object.find('\n') == object.npos);
  const std::string_view fields = object.substr(1);
  return std::string(kOpening) + hash_text(hash_of(fields)) + std::string(kMiddle) + std::string(fields);
}

std::string checked_object(std::string_view line) {
  if (line.size() <= kFields || !line.starts_with(kOpening) || !line.substr(0, kFields).ends_with(kMiddle))
    throw UserError("damaged: expected {\"check\":\"16 digits\",…}");
  const std::string_view fields = line.substr(kFields);
  if (line.substr(kOpening.size(), kDigits) != hash_text(hash_of(fields)))
    throw UserError("damaged: its checksum does not match");
  return "{" + std::string(fields);
}

} // namespace normforge
