#include "core/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "core/error.h"

namespace srcode {

MappedFile::MappedFile(std::string path) : path_(std::move(path)) {
  // O_NONBLOCK: opening a named pipe would wait for its writer.
  descriptor_ = open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor_ < 0) fail("ERR_IO", "cannot open ", path_, ": ", std::strerror(errno));
  struct stat status;
  const char* reason = nullptr;
  if (fstat(descriptor_, &status) != 0) {
    reason = std::strerror(errno);
  } else if (!S_ISREG(status.st_mode)) {
    reason = "not a regular file";
  } else if (status.st_size > 0) {
    size_ = static_cast<size_t>(status.st_size);
    void* address = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, descriptor_, 0);
    if (address == MAP_FAILED)
      reason = std::strerror(errno);
    else
      data_ = static_cast<const std::byte*>(address);
  }
  if (!reason) return;
  close(descriptor_);
  fail("ERR_IO", "cannot map ", path_, ": ", reason);
}

MappedFile::~MappedFile() {
  if (data_) munmap(const_cast<std::byte*>(data_), size_);
  close(descriptor_);
}

void MappedFile::check_size() const {
  struct stat status;
  if (fstat(descriptor_, &status) != 0) fail("ERR_IO", "cannot read ", path_, ": ", std::strerror(errno));
  if (static_cast<size_t>(status.st_size) < size_)
    fail("ERR_IO", path_, " was cut from ", size_, " to ", status.st_size, " bytes while it was being read");
}

void MappedFile::release(const std::byte* begin, size_t n) const {
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto first = (reinterpret_cast<uintptr_t>(begin) + page - 1) / page * page;
  const auto last = reinterpret_cast<uintptr_t>(begin + n) / page * page;
  if (first < last) madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
}

DurableFile::DurableFile(std::string path) : path_(std::move(path)) {
  static std::atomic<unsigned> count = 0;  // two writers of one path must not share a temporary
  temporary_ = text(path_, '.', getpid(), '-', count++, ".tmp");
  descriptor_ = open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor_ < 0) error();
}

DurableFile::~DurableFile() {
  if (descriptor_ < 0) return;
  close(descriptor_);
  unlink(temporary_.c_str());
}

void DurableFile::error() const { fail("ERR_IO", "cannot write ", path_, ": ", std::strerror(errno)); }

void DurableFile::write(const void* data, size_t n) {
  for (auto at = static_cast<const char*>(data); n > 0;) {
    const ssize_t written = ::write(descriptor_, at, std::min(n, size_t{1} << 30));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) error();
    at += written;
    n -= static_cast<size_t>(written);
  }
}

void DurableFile::commit() {
  if (fsync(descriptor_) != 0) error();
  if (std::rename(temporary_.c_str(), path_.c_str()) != 0) error();
  const int done = std::exchange(descriptor_, -1);
  if (close(done) != 0) error();
  // The name is on the disk only when the folder is.
  const size_t slash = path_.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path_.substr(0, slash + 1);
  const int directory = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) error();
  const int status = fsync(directory), reason = errno;
  close(directory);
  errno = reason;
  if (status != 0 && errno != EINVAL) error();  // EINVAL: a file system that cannot sync folders
}

}  // namespace srcode
