// Sessions of the App: App::sessions, and sending to clients. In a file of its own, so that it is linked by who calls it.
#include <martlet/app.h>
#include <martlet/json.h>
#include <martlet/sessions.h>

#include "app/app_access.h"
#include "base/check.h"
#include "realtime/client_sessions.h"

namespace martlet {

App& App::sessions(SessionOptions options) {
  realtime::RealtimeWorker& w = AppAccess::worker(*this);
  MARTLET_CHECK(!w.opened && "sessions() after listen()");
  MARTLET_CHECK(!w.clients && "sessions() twice");
  const Error error = realtime::add_sessions(w, std::move(options));
  if (error && !w.mistake) w.mistake = error;
  return *this;
}

namespace {

// On the client's own worker with nothing before it: no memory is needed. Else closed.
template <typename Message>
SendStatus send_directly(const realtime::RealtimeWorker& of, std::string_view client, const Message& message) noexcept {
  const realtime::RealtimeWorker* w = realtime::here_among(of.first);
  const base::SlotId id = w ? of.clients->find_direct(client, w->number) : base::SlotId{};
  return id.generation ? MessageAccess::socket(w->number, id).send(message) : SendStatus::closed;
}

template <typename Message, typename MakeFrame>
SendStatus send(const realtime::RealtimeWorker& of, std::string_view client, const Message& message, MakeFrame&& frame) noexcept {
  if (!of.clients) return SendStatus::closed;
  const SendStatus status = send_directly(of, client, message);
  return status == SendStatus::closed ? realtime::put_for_client(*of.clients, client, frame()) : status;
}

}  // namespace

SendStatus App::send_to_client(std::string_view client, std::string_view text) const noexcept {
  return send(AppAccess::worker(*this), client, text, [&] { return SharedFrame::text(text); });
}

SendStatus App::send_to_client(std::string_view client, std::span<const std::byte> bytes) const noexcept {
  return send(AppAccess::worker(*this), client, bytes, [&] { return SharedFrame::binary(bytes); });
}

SendStatus App::send_to_client(std::string_view client, const SharedFrame& frame) const noexcept {
  return frame ? send(AppAccess::worker(*this), client, frame, [&] { return frame; }) : SendStatus::dropped;
}

SendStatus App::send_to_client(std::string_view client, const JsonText& json) const noexcept {
  return json.ok() ? send(AppAccess::worker(*this), client, json, [&] { return SharedFrame::text(json); }) : SendStatus::dropped;
}

void App::forget_client(std::string_view client) const noexcept {
  realtime::ClientDirectory* clients = AppAccess::worker(*this).clients;
  if (!clients) return;
  clients->forget(client);
  if (clients->store().remove) (void)clients->store().remove(client);
}

}  // namespace martlet
