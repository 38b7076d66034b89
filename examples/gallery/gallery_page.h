// gallery_page.h: the page to try the applications with: choose a socket, open it, send, see what comes.
#pragma once

#include <string_view>

namespace gallery {

inline constexpr std::string_view kPage = R"html(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>martlet gallery</title>
<h1>martlet gallery</h1>
<div id="applications"></div>
<script>
</script>
</html>
)html";

}  // namespace gallery
