// The calls of topics that an App has. In a file of its own, so that they are linked by who makes them.
#include <martlet/app.h>
#include <martlet/json.h>

#include "app/app_access.h"
#include "base/check.h"
#include "realtime/topics.h"

namespace martlet {

namespace {

realtime::TopicAddress from(uint32_t first, std::string_view topic, const PublishOptions& options) noexcept {
  return {first, topic, {}, options.compress, options.conflate};
}

}  // namespace

App& App::topics_options(TopicsOptions options) {
  realtime::RealtimeWorker& w = AppAccess::worker(*this);
  MARTLET_CHECK(!w.opened && "topics_options() after listen()");
  auto* topics = w.parts.find_or_add<realtime::Topics>(w);
  if (!topics) {
    if (!w.mistake) w.mistake = Error("out of memory");
    return *this;
  }
  topics->set(options);
  return *this;
}

SendStatus App::publish(std::string_view topic, std::string_view text, PublishOptions options) const noexcept {
  return realtime::publish_to(from(AppAccess::first(*this), topic, options), text);
}

SendStatus App::publish(std::string_view topic, std::span<const std::byte> bytes, PublishOptions options) const noexcept {
  return realtime::publish_to(from(AppAccess::first(*this), topic, options), bytes);
}

SendStatus App::publish(std::string_view topic, const Message& message, PublishOptions options) const noexcept {
  return message.is_text() ? publish(topic, message.text(), options) : publish(topic, message.bytes(), options);
}

SendStatus App::publish(std::string_view topic, const SharedFrame& frame, PublishOptions options) const noexcept {
  return realtime::publish_to(from(AppAccess::first(*this), topic, options), frame);
}

SendStatus App::publish(std::string_view topic, const JsonText& json, PublishOptions options) const noexcept {
  return json.ok() ? publish(topic, json.text(), options) : SendStatus::dropped;
}

detail::TopicEvents App::topic_events(std::string_view topic) const noexcept { return {AppAccess::first(*this), topic}; }

}  // namespace martlet
