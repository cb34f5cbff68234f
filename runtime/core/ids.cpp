#include "core/ids.hpp"

#include <sys/random.h>

#include <cerrno>
#include <cstdint>
#include <system_error>
#include <vector>

#include "core/error.hpp"
#include "core/text.hpp"

namespace mlrt {
namespace {

const char* const kRunAdjectives[] = {"amber", "brisk", "calm",  "deft",  "eager", "fleet",
                                      "glad",  "hardy", "keen",  "lucid", "merry", "nimble",
                                      "noble", "plain", "quiet", "rapid", "sharp", "steady",
                                      "sunny", "tidy",  "vivid", "warm",  "wise",  "young"};
const char* const kRunNouns[] = {"alder", "badger", "cedar", "dolphin", "elm",   "falcon",
                                 "gull",  "heron",  "ibis",  "jay",     "kite",  "larch",
                                 "maple", "newt",   "otter", "pine",    "quail", "rowan",
                                 "stoat", "tern",   "vole",  "willow",  "wren",  "yew"};

void fill_random(void* out, std::size_t size) {
  auto* bytes = static_cast<unsigned char*>(out);
  while (size > 0) {
    ssize_t got = getrandom(bytes, size, 0);
    if (got < 0) {
      if (errno == EINTR) continue;
      throw Error(ErrorCode::kIo, "the system gave no random numbers",
                  std::generic_category().message(errno));
    }
    bytes += got;
    size -= static_cast<std::size_t>(got);
  }
}

template <std::size_t N>
const char* pick_word(const char* const (&words)[N], std::uint32_t random) {
  return words[random % N];
}

}  // namespace

std::string random_hex(std::size_t size) {
  std::vector<unsigned char> bytes(size);
  fill_random(bytes.data(), bytes.size());
  return to_hex(bytes.data(), bytes.size());
}

std::string new_run_id() { return random_hex(16); }

std::string random_run_name() {
  std::uint32_t random[3];
  fill_random(random, sizeof(random));
  return std::string(pick_word(kRunAdjectives, random[0])) + "-" + pick_word(kRunNouns, random[1]) +
         "-" + std::to_string(random[2] % 1000);
}

}  // namespace mlrt
