// The media types of files by their extensions: some hundred that are in use. In a file of its own, so that who never asks
// does not link the table.
//
// Text says that it is UTF-8, as in Express; JSON needs not (RFC 8259 §8.1). No allocation; any thread.
#pragma once

#include <string_view>

namespace martlet::proto {

// "png" or "PNG" to "image/png". Empty for what is not known, with a dot in front, too. What is returned is static.
std::string_view type_of_extension(std::string_view extension) noexcept;

// By what stands behind the last dot of the last part of a path; empty where there is none, or it is not known.
std::string_view type_of_file(std::string_view path) noexcept;

}  // namespace martlet::proto
