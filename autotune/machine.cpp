#include "autotune/machine.h"

#include "dsl/error.h"

namespace normforge {

const Machine &machine_for(const Target &target) {
  const Machine &machine = target.gpu() ? this_gpu() : this_cpu();
  std::string reason;
  try {
    reason = machine.cannot_run(target);
  } catch (const UserError &error) { // there is no GPU to ask
    reason = error.what();
  }
  if (!reason.empty())
    throw UserError("this machine does not measure " + std::string(target.name) + " code: " + reason +
                    "; make a pack with 'normforge tune PROBLEMS --target " + std::string(target.name) +
                    " --pack DIR', and start DIR/run on a machine that runs it");
  return machine;
}

} // namespace normforge
