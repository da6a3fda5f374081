#include <cstdio>

#include "codegen/target.h"

int main() { std::printf("%s\n", std::string(normforge::host_target().name).c_str()); }
