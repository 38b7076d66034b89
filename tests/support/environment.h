// The environment, and what else belongs to the whole process, changed for a scope; and temporary folders.
#pragma once

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace martlet::test {

// An environment variable with another value (null: unset) until the end of the scope. By putenv(): what setenv() makes
// is never freed.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    if (char* former = std::getenv(name)) former_ = former - name_.size() - 1;
    if (value) ours_ = name_ + "=" + value;
    if (value) ::putenv(ours_.data());
    else ::unsetenv(name);
  }
  Variable(const char* name, const std::string& value) : Variable(name, value.c_str()) {}
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;
  ~Variable() {
    if (former_) ::putenv(former_);
    else ::unsetenv(name_.c_str());
  }

 private:
  std::string name_;
  std::string ours_;  // NAME=value, which the environment points to
  char* former_ = nullptr;
};

// A folder of its own, removed with everything in it. Empty path: it could not be made.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "martlet-XXXXXX").string();
    if (::mkdtemp(name.data())) path_ = name;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  // Writes a file, and the folders it stands in.
  void write(const std::string& name, const std::string& text) const {
    const std::filesystem::path file = path_ + "/" + name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << text;
  }
  std::string read(const std::string& name) const {
    std::ostringstream text;
    text << std::ifstream(path_ + "/" + name, std::ios::binary).rdbuf();
    return text.str();
  }

 private:
  std::string path_;
};

}  // namespace martlet::test
