#pragma once
#include <cstddef>
#include <string>

namespace srcode {

// A regular file mapped for reading, as long as it was when opened. ERR_IO names the path.
// A file that is replaced by rename keeps its old content here. One that is cut short in place takes its pages with it:
// touching them raises SIGBUS, so readers call check_size() before each use, which leaves only the length of that use.
class MappedFile {
 public:
  explicit MappedFile(std::string path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const std::string& path() const { return path_; }
  const std::byte* data() const { return data_; }  // nullptr when the file is empty
  size_t size() const { return size_; }

  void check_size() const;  // ERR_IO when the file is shorter by now
  void release(const std::byte* begin,
               size_t n) const;  // lets go of the pages within, which are read again on the next use

 private:
  std::string path_;
  int descriptor_;
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

// A file that is there whole or not at all: written beside its path, and renamed to it by commit() once it is on the
// disk. Not committed, it leaves nothing behind. ERR_IO names the path and the system's reason.
class DurableFile {
 public:
  explicit DurableFile(std::string path);
  ~DurableFile();
  DurableFile(const DurableFile&) = delete;
  DurableFile& operator=(const DurableFile&) = delete;

  void write(const void* data, size_t n);
  void commit();

 private:
  [[noreturn]] void error() const;

  std::string path_, temporary_;
  int descriptor_;
};

}  // namespace srcode
