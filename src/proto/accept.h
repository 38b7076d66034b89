// Proactive negotiation (RFC 9110 §12): which of the server's offers a client's Accept, Accept-Language, Accept-Encoding or
// Accept-Charset asks for. And the other direction: whether a Content-Type is one of some types.
//
//   Accept: text/html, application/json;q=0.8, text/*;q=0.5, */*;q=0.1
//
// An element says how much it wants what it matches (q, 1 when it says nothing, 0 for "not at all"). Of the elements that
// match an offer the most specific one decides about it; of equally specific ones, the one that wants it more. Chosen is
// then the offer that is wanted most; of those, what was named more specifically; of those, what the server offers first,
// as the order of a client's list has no meaning. (Express takes the client's order before the server's.)
//
// Elements that are malformed are passed over, the others count; a field without a well-formed element is as good as none.
// Reading is a little more generous than the grammar, as clients in use are: q with more than three digits or without the
// 0, parameters behind q, "*" for "*/*".
//
// `lines` are the values of the field's lines (FieldViews::first), empty when there is none. The first kMaxAcceptElements
// elements are looked at: time is linear in the lines for finding them, and that many comparisons for each offer. No
// allocation; any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace martlet::proto {

inline constexpr size_t kMaxAcceptElements = 64;

using Views = std::span<const std::string_view>;

// All answer the index of an offer, or nothing when none is acceptable. Without the field: the first offer.

// Offers are media types, with parameters or without, or short names (short_types.h); one that is neither is never acceptable
// where there is a field. A parameter of an element must be one of the offer's; but "charset" of one whose offer has none:
// what a text is encoded in is no reason to refuse it.
std::optional<size_t> accept_media_type(Views lines, Views offers) noexcept;

// Offers are language tags. An element matches the tag that it is, and those that begin with it (basic filtering, RFC 4647
// §3.3.1); and, unless one of these or its q is 0, those that it begins with: who asks for "de-AT" gets "de".
std::optional<size_t> accept_language(Views lines, Views offers) noexcept;

// Offers are content codings. "identity" is acceptable when nothing forbids it, but less than all that is asked for. Without
// the field it is the only one that is: a client that names no coding knows none (RFC 9110 leaves it to the server). "x-gzip"
// and "x-compress" are "gzip" and "compress".
std::optional<size_t> accept_encoding(Views lines, Views offers) noexcept;

std::optional<size_t> accept_charset(Views lines, Views offers) noexcept;

// The first of `types` that a Content-Type is of, by its media type alone (parameters are ignored); nothing for one without
// a well-formed media type. Types are media types, with wildcards ("text/*", "*/*", "application/*+json"), suffixes
// ("+json"), or short names; of these "json" and "xml" match types with that suffix, too ("application/problem+json"), and
// "multipart" all of its kind.
std::optional<size_t> is_media_type(std::string_view content_type, Views types) noexcept;

}  // namespace martlet::proto
