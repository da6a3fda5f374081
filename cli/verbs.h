// The program's verbs. Each lives in the file of its name and stays thin: it turns flags into calls of dsl/ and codegen/, and prints.
#pragma once

#include <CLI/CLI.hpp>

namespace normforge::cli {

/// Each adds its verb to `program`: flags, help with examples, and the action as the verb's callback. An action throws UserError for what
/// the person can mend; main.cpp turns that into a message and an exit code.
void add_list(CLI::App &program);
void add_check(CLI::App &program);
void add_show(CLI::App &program);
void add_run(CLI::App &program);
void add_build(CLI::App &program);
void add_tune(CLI::App &program);
void add_explain(CLI::App &program);
void add_replay(CLI::App &program);
void add_db(CLI::App &program);
void add_devices(CLI::App &program);

} // namespace normforge::cli
