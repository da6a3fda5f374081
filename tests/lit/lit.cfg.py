# FileCheck tests of the stages that are text of our own: norms, rewrites, sweeps, schedules, problems, diagnostics. Whole LLVM text is never compared.
import os

import lit.formats

config.name = "normforge"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".test"]
config.test_exec_root = lit_config.params["exec_root"]
config.environment["PATH"] = os.pathsep.join((lit_config.params["tools"], os.environ["PATH"]))
config.substitutions.append(("%normforge", lit_config.params["normforge"]))
