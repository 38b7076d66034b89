#!/bin/sh
# A part that a program does not use is not in it: no function of the parts named below is in the static hello, and all are
# in the static echo, which uses them. JSON and coroutines are in neither.
#
#   tests/static/parts.sh HELLO ECHO      both with their symbols
set -eu
hello=$1
echo=$2
# Type of the part, as its symbols begin.
parts='martlet::realtime::MessageCompression:: martlet::realtime::PackedLog:: martlet::codec::Inflate:: martlet::codec::Deflate::'
# What neither of them names: JSON, coroutines, events, topics, sessions, rooms with memory, records of rooms, tokens and their hashes.
absent='martlet::realtime::Events:: martlet::realtime::EventTable:: martlet::detail::EventWriter:: martlet::json:: martlet::JsonWriter:: martlet::simd::json_kernels martlet::worker::Tasks:: martlet::http::StepTask martlet::realtime::SocketTask martlet::detail::OffloadPool:: martlet::WebSocket::add_filter martlet::realtime::order_changes martlet::realtime::Topics:: martlet::realtime::TopicIndex:: martlet::realtime::TopicCache:: martlet::realtime::KeptNewest:: martlet::realtime::ClientSessions martlet::realtime::ClientDirectory martlet::realtime::MemoryPart:: martlet::realtime::RoomMemory:: martlet::realtime::MemoryLog:: martlet::realtime::Memories:: martlet::realtime::CatchUp:: martlet::realtime::PresencePart:: RoomRecorder JoinHook Gatherings martlet::jwt:: martlet::simd::hash_kernels martlet::codec::Sha512:: martlet::codec::RsaPublicKey:: martlet::codec::P256PublicKey::'
failed=0
for name in $absent; do
  for program in "$hello" "$echo"; do
    ! nm -C "$program" | grep -F "$name" >&2 || { echo "$name is in $program, which does not use it" >&2; failed=1; }
  done
done
for part in $parts; do
  in_echo=$(nm -C "$echo" | grep -cF "$part" || :)
  in_hello=$(nm -C "$hello" | grep -cF "$part" || :)
  [ "$in_echo" -gt 0 ] || { echo "$part is not in the echo: this check looks for a name that is none any more" >&2; failed=1; }
  [ "$in_hello" = 0 ] || { echo "$part is in the hello, which does not use it:" >&2; nm -C "$hello" | grep -F "$part" >&2; failed=1; }
done
[ "$failed" = 0 ] && echo "parts: hello has none of $(echo $parts | wc -w), echo has them all; neither has JSON, coroutines, events or topics"
exit "$failed"
