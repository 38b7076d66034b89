// Loads the plugin, lets it serve, unloads it, again and again: nothing of it may stay, neither descriptors nor threads nor a
// signal handler whose code is gone. shared.sh builds and runs it.
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>

namespace {

long entries(const char* folder) {
  return std::distance(std::filesystem::directory_iterator(folder), std::filesystem::directory_iterator());
}

[[noreturn]] void give_up(const char* what) {
  std::fprintf(stderr, "host: %s\n", what);
  std::exit(1);
}

std::string ask(unsigned short port, const char* path) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in to = {};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) give_up("connect");
  const std::string request = std::string("GET ") + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  if (send(fd, request.data(), request.size(), 0) < 0) give_up("send");
  std::string answer;
  char piece[1024];
  for (ssize_t n; (n = recv(fd, piece, sizeof piece, 0)) > 0;) answer.append(piece, static_cast<size_t>(n));
  close(fd);
  return answer;
}

int talk(unsigned short port) {
  const bool well = ask(port, "/").find("from a plugin") != std::string::npos &&
                    ask(port, "/fails").find(" 500 ") != std::string::npos;
  return well ? 0 : 1;
}

void once(const char* path) {
  void* plugin = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!plugin) give_up(dlerror());
  const auto serve = reinterpret_cast<int (*)(int (*)(unsigned short))>(dlsym(plugin, "plugin_serve"));
  if (!serve) give_up("there is no plugin_serve in it");
  if (serve(&talk) != 1) give_up("it did not serve, or is not the one of before afresh");
  if (dlclose(plugin) != 0) give_up("dlclose");
  if (dlopen(path, RTLD_NOW | RTLD_NOLOAD)) give_up("it is still loaded");
}

}  // namespace

int main(int, char** argv) {
  once(argv[1]);
  const long descriptors = entries("/proc/self/fd");
  for (int i = 0; i < 10; i++) once(argv[1]);
  if (entries("/proc/self/fd") != descriptors) give_up("descriptors stay open");
  if (entries("/proc/self/task") != 1) give_up("threads stay");
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGUSR2}) {
    struct sigaction action;
    if (sigaction(number, nullptr, &action) != 0 || (action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN)) give_up("a signal handler stays");
  }
  std::puts("shared object: loaded, served and unloaded 11 times");
}
