// See file_types.h. One table in the order of the extensions, which is checked when compiling, and a binary search.
#include "proto/file_types.h"

#include <algorithm>
#include <iterator>

#include "base/bytes.h"

namespace martlet::proto {

namespace {

struct FileType {
  std::string_view extension, type;
};

constexpr FileType kFileTypes[] = {
    {"3gp", "video/3gpp"}, {"7z", "application/x-7z-compressed"}, {"aac", "audio/aac"},
    {"apk", "application/vnd.android.package-archive"}, {"apng", "image/apng"}, {"atom", "application/atom+xml"},
    {"avi", "video/x-msvideo"}, {"avif", "image/avif"}, {"bin", "application/octet-stream"}, {"bmp", "image/bmp"},
    {"bz2", "application/x-bzip2"}, {"css", "text/css; charset=utf-8"}, {"csv", "text/csv; charset=utf-8"},
    {"dmg", "application/octet-stream"}, {"doc", "application/msword"},
    {"docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"}, {"eml", "message/rfc822"},
    {"eot", "application/vnd.ms-fontobject"}, {"epub", "application/epub+zip"}, {"exe", "application/octet-stream"},
    {"flac", "audio/flac"}, {"geojson", "application/geo+json"}, {"gif", "image/gif"}, {"glb", "model/gltf-binary"},
    {"gltf", "model/gltf+json"}, {"gz", "application/gzip"}, {"heic", "image/heic"}, {"heif", "image/heif"},
    {"htm", "text/html; charset=utf-8"}, {"html", "text/html; charset=utf-8"}, {"ico", "image/vnd.microsoft.icon"},
    {"ics", "text/calendar; charset=utf-8"}, {"iso", "application/octet-stream"}, {"jar", "application/java-archive"},
    {"jpeg", "image/jpeg"}, {"jpg", "image/jpeg"}, {"js", "text/javascript; charset=utf-8"},
    {"json", "application/json"}, {"jsonld", "application/ld+json"}, {"jxl", "image/jxl"},
    {"log", "text/plain; charset=utf-8"}, {"m3u8", "application/vnd.apple.mpegurl"}, {"m4a", "audio/mp4"},
    {"m4v", "video/x-m4v"}, {"map", "application/json"}, {"md", "text/markdown; charset=utf-8"}, {"mid", "audio/midi"},
    {"midi", "audio/midi"}, {"mjs", "text/javascript; charset=utf-8"}, {"mkv", "video/x-matroska"},
    {"mov", "video/quicktime"}, {"mp3", "audio/mpeg"}, {"mp4", "video/mp4"}, {"mpd", "application/dash+xml"},
    {"mpeg", "video/mpeg"}, {"mpg", "video/mpeg"}, {"ndjson", "application/x-ndjson"},
    {"odp", "application/vnd.oasis.opendocument.presentation"},
    {"ods", "application/vnd.oasis.opendocument.spreadsheet"}, {"odt", "application/vnd.oasis.opendocument.text"},
    {"oga", "audio/ogg"}, {"ogg", "audio/ogg"}, {"ogv", "video/ogg"}, {"opus", "audio/ogg"}, {"otf", "font/otf"},
    {"pdf", "application/pdf"}, {"png", "image/png"}, {"ppt", "application/vnd.ms-powerpoint"},
    {"pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"},
    {"rar", "application/vnd.rar"}, {"rss", "application/rss+xml"}, {"rtf", "application/rtf"},
    {"svg", "image/svg+xml"}, {"tar", "application/x-tar"}, {"text", "text/plain; charset=utf-8"},
    {"tgz", "application/gzip"}, {"tif", "image/tiff"}, {"tiff", "image/tiff"}, {"toml", "application/toml"},
    {"ts", "video/mp2t"}, {"tsv", "text/tab-separated-values; charset=utf-8"}, {"ttc", "font/collection"},
    {"ttf", "font/ttf"}, {"txt", "text/plain; charset=utf-8"}, {"vcf", "text/vcard; charset=utf-8"},
    {"vtt", "text/vtt; charset=utf-8"}, {"wasm", "application/wasm"}, {"wav", "audio/wav"}, {"weba", "audio/webm"},
    {"webm", "video/webm"}, {"webmanifest", "application/manifest+json"}, {"webp", "image/webp"}, {"woff", "font/woff"},
    {"woff2", "font/woff2"}, {"xhtml", "application/xhtml+xml"}, {"xls", "application/vnd.ms-excel"},
    {"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}, {"xml", "application/xml"},
    {"xz", "application/x-xz"}, {"yaml", "application/yaml"}, {"yml", "application/yaml"}, {"zip", "application/zip"},
    {"zst", "application/zstd"},
};

constexpr size_t kLongestExtension = 11;

constexpr bool is_in_order() noexcept {
  for (size_t i = 0; i < std::size(kFileTypes); i++) {
    const std::string_view extension = kFileTypes[i].extension;
    if (extension.empty() || extension.size() > kLongestExtension) return false;
    if (i > 0 && kFileTypes[i - 1].extension >= extension) return false;
    for (const char c : extension) {
      if (c >= 'A' && c <= 'Z') return false;
    }
  }
  return true;
}
static_assert(is_in_order());

}  // namespace

std::string_view type_of_extension(std::string_view extension) noexcept {
  if (extension.size() > kLongestExtension) return {};
  char lower[kLongestExtension];
  std::transform(extension.begin(), extension.end(), lower, base::ascii_lower);
  const std::string_view wanted(lower, extension.size());
  const FileType* const found =
      std::lower_bound(std::begin(kFileTypes), std::end(kFileTypes), wanted,
                       [](const FileType& known, std::string_view name) { return known.extension < name; });
  return found != std::end(kFileTypes) && found->extension == wanted ? found->type : std::string_view();
}

std::string_view type_of_file(std::string_view path) noexcept {
  const size_t dot = path.find_last_of("./");
  return dot == path.npos || path[dot] == '/' ? std::string_view() : type_of_extension(path.substr(dot + 1));
}

}  // namespace martlet::proto
