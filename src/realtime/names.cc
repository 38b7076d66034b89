// Texts of the constants of websocket_names.h, for logs and people.
#include <martlet/websocket_names.h>

namespace martlet {

std::string_view name_of(CloseCause cause) noexcept {
  switch (cause) {
    case CloseCause::peer_close: return "peer_close";
    case CloseCause::local_close: return "local_close";
    case CloseCause::peer_eof: return "peer_eof";
    case CloseCause::peer_reset: return "peer_reset";
    case CloseCause::protocol_error: return "protocol_error";
    case CloseCause::invalid_payload: return "invalid_payload";
    case CloseCause::message_too_big: return "message_too_big";
    case CloseCause::too_many_fragments: return "too_many_fragments";
    case CloseCause::slow_consumer: return "slow_consumer";
    case CloseCause::heartbeat_timeout: return "heartbeat_timeout";
    case CloseCause::write_timeout: return "write_timeout";
    case CloseCause::close_timeout: return "close_timeout";
    case CloseCause::handler_failure: return "handler_failure";
    case CloseCause::out_of_memory: return "out_of_memory";
    case CloseCause::drain: return "drain";
    case CloseCause::metadata_too_big: return "metadata_too_big";
    case CloseCause::idle_timeout: return "idle_timeout";
    case CloseCause::max_lifetime: return "max_lifetime";
  }
  return "unknown";
}

std::string_view name_of(Opcode opcode) noexcept {
  switch (opcode) {
    case Opcode::continuation: return "continuation";
    case Opcode::text: return "text";
    case Opcode::binary: return "binary";
    case Opcode::close: return "close";
    case Opcode::ping: return "ping";
    case Opcode::pong: return "pong";
  }
  return "unknown";
}

std::string_view name_of(CloseCode code) noexcept {
  switch (code) {
    case CloseCode::normal: return "Normal closure";
    case CloseCode::going_away: return "Going away";
    case CloseCode::protocol_error: return "Protocol error";
    case CloseCode::unsupported: return "Unsupported data";
    case CloseCode::no_status: return "No status received";
    case CloseCode::abnormal: return "Abnormal closure";
    case CloseCode::invalid_payload: return "Invalid frame payload data";
    case CloseCode::policy_violation: return "Policy violation";
    case CloseCode::too_big: return "Message too big";
    case CloseCode::mandatory_extension: return "Mandatory extension";
    case CloseCode::internal_error: return "Internal error";
    case CloseCode::service_restart: return "Service restart";
    case CloseCode::try_again: return "Try again later";
    case CloseCode::bad_gateway: return "Bad gateway";
    case CloseCode::tls_handshake: return "TLS handshake failed";
  }
  const auto number = static_cast<uint16_t>(code);
  return number >= 3000 && number <= 4999 ? "Application code" : "Unknown code";
}

std::string_view name_of(ReadyState state) noexcept {
  switch (state) {
    case ReadyState::connecting: return "connecting";
    case ReadyState::open: return "open";
    case ReadyState::closing: return "closing";
    case ReadyState::closed: return "closed";
  }
  return "unknown";
}

}  // namespace martlet
