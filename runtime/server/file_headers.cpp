#include "server/file_headers.hpp"

#include <cstdint>

#include "core/text.hpp"

namespace mlrt {
namespace {

struct FileMimeType {
  const char* extensions;  // between spaces
  const char* type;
};

constexpr FileMimeType kFileMimeTypes[] = {
    {" txt log err cfg conf cnf cf ini properties prop hocon toml yaml yml xml json js py py3 csv "
     "tsv md rst ipynb mlmodel mlproject ",
     "text/plain"},
    {" html htm ", "text/html"},
    {" css ", "text/css"},
    {" png ", "image/png"},
    {" jpg jpeg ", "image/jpeg"},
    {" gif ", "image/gif"},
    {" svg ", "image/svg+xml"},
    {" webp ", "image/webp"},
    {" pdf ", "application/pdf"},
    {" zip ", "application/zip"},
};

std::string_view file_name_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string file_percent_encode(std::string_view text) {
  constexpr std::string_view plain = "!#$&+-.^_`|~";
  std::string out;
  for (const char c : text) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (letter || plain.find(c) != std::string_view::npos) {
      out += c;
      continue;
    }
    const auto byte = static_cast<std::uint8_t>(c);
    out += '%';
    out += "0123456789ABCDEF"[byte >> 4];
    out += "0123456789ABCDEF"[byte & 15];
  }
  return out;
}

}  // namespace

std::string guess_mime_type(std::string_view name) {
  name = file_name_of(name);
  const std::size_t dot = name.rfind('.');
  const std::string word =
      " " + to_lower(dot == std::string_view::npos || dot == 0 ? name : name.substr(dot + 1)) + " ";
  if (word.find(' ', 1) == word.size() - 1) {
    for (const FileMimeType& known : kFileMimeTypes) {
      if (std::string_view(known.extensions).find(word) != std::string_view::npos)
        return known.type;
    }
  }
  return "application/octet-stream";
}

void add_attachment_headers(HttpResponse& response, std::string_view path) {
  const std::string_view name = file_name_of(path);
  std::string ascii;
  bool plain = true;
  for (const char c : name) {
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f) {
      plain = false;
      continue;
    }
    if (c == '"' || c == '\\') ascii += '\\';
    ascii += c;
  }
  if (ascii.empty()) ascii = "download";
  if (!is_http_token(ascii)) ascii = "\"" + ascii + "\"";
  std::string disposition = "attachment; filename=" + ascii;
  if (!plain) disposition += "; filename*=UTF-8''" + file_percent_encode(name);
  response.set_header("Content-Disposition", disposition);
  response.set_header("X-Content-Type-Options", "nosniff");
}

}  // namespace mlrt
