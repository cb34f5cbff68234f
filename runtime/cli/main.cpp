#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

#include "cli/program.hpp"

// The library's own handler, which would print the type of what nobody caught, brings a decoder of
// C++ names along: 60 KB. Whatever can be caught is caught and printed by run_program.
namespace __gnu_cxx {
void __verbose_terminate_handler() { std::abort(); }
}  // namespace __gnu_cxx

int main(int argc, char** argv) {
  std::vector<std::string> words;
  for (int i = 1; i < argc; ++i) words.emplace_back(argv[i]);
  return mlrt::run_program(words);
}
