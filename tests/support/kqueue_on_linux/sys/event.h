// What <sys/event.h> of FreeBSD declares, as far as the emulation beside it goes: names and values of kqueue(2). The
// same on macOS but for EVFILT_USER (-10 there) and the type of `data` (intptr_t).
#pragma once

#include <sys/types.h>
#include <time.h>

#include <stdint.h>

// Filters.
#define EVFILT_READ (-1)
#define EVFILT_WRITE (-2)
#define EVFILT_TIMER (-7)
#define EVFILT_USER (-11)

// Flags: actions.
#define EV_ADD 0x0001
#define EV_DELETE 0x0002
#define EV_ENABLE 0x0004
#define EV_DISABLE 0x0008
#define EV_ONESHOT 0x0010
#define EV_CLEAR 0x0020
#define EV_RECEIPT 0x0040
#define EV_DISPATCH 0x0080
// Flags: answers.
#define EV_ERROR 0x4000
#define EV_EOF 0x8000

// EVFILT_READ and EVFILT_WRITE: `data` is a low-water mark.
#define NOTE_LOWAT 0x00000001u
// EVFILT_USER: what to do with fflags, and to trigger.
#define NOTE_FFNOP 0x00000000u
#define NOTE_FFAND 0x40000000u
#define NOTE_FFOR 0x80000000u
#define NOTE_FFCOPY 0xc0000000u
#define NOTE_FFCTRLMASK 0xc0000000u
#define NOTE_FFLAGSMASK 0x00ffffffu
#define NOTE_TRIGGER 0x01000000u
// EVFILT_TIMER: the unit of `data`; milliseconds when none is given.
#define NOTE_SECONDS 0x00000001u
#define NOTE_MSECONDS 0x00000002u
#define NOTE_USECONDS 0x00000004u
#define NOTE_NSECONDS 0x00000008u

struct kevent {
  uintptr_t ident;
  short filter;
  unsigned short flags;
  unsigned fflags;
  int64_t data;
  void* udata;
};

#define EV_SET(event, i, f, fl, ff, d, u) \
  (*(event) = {static_cast<uintptr_t>(i), static_cast<short>(f), static_cast<unsigned short>(fl), \
               static_cast<unsigned>(ff), static_cast<int64_t>(d), (u)})

extern "C" {
int kqueue();
int kevent(int queue, const struct kevent* changes, int change_count, struct kevent* events, int event_count,
           const struct timespec* timeout);
}
