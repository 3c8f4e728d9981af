#include "common/archive/write.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>

#include <utility>

namespace slipway {

struct TarGzWriter::Impl {
  ~Impl() {
    if (handle != nullptr) ::archive_write_free(handle);
  }
  Error broken(std::string_view doing) const {
    const char* why = ::archive_error_string(handle);
    return make_error(Errc::internal,
                      std::string(doing) + " of the archive: " + (why != nullptr ? why : "unknown fault"));
  }
  static la_ssize_t take_bytes(::archive*, void* self, const void* bytes, std::size_t size) {
    static_cast<Impl*>(self)->packed.append(static_cast<const char*>(bytes), size);
    return static_cast<la_ssize_t>(size);
  }

  ::archive* handle = nullptr;
  std::string packed;
  WallTime now{};
};

TarGzWriter::TarGzWriter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TarGzWriter::TarGzWriter(TarGzWriter&&) noexcept = default;
TarGzWriter& TarGzWriter::operator=(TarGzWriter&&) noexcept = default;
TarGzWriter::~TarGzWriter() = default;

Result<TarGzWriter> TarGzWriter::open(WallTime now) {
  auto impl = std::make_unique<Impl>();
  impl->now = now;
  impl->handle = ::archive_write_new();
  if (impl->handle == nullptr) return make_error(Errc::internal, "making an archive: out of memory");
  ::archive* a = impl->handle;
  if (::archive_write_set_format_pax_restricted(a) != ARCHIVE_OK ||
      ::archive_write_add_filter_gzip(a) != ARCHIVE_OK ||
      ::archive_write_set_bytes_per_block(a, 0) != ARCHIVE_OK ||
      ::archive_write_open(a, impl.get(), nullptr, &Impl::take_bytes, nullptr) != ARCHIVE_OK) {
    return impl->broken("making");
  }
  return TarGzWriter(std::move(impl));
}

Status TarGzWriter::add(const std::string& name, std::string_view content) {
  const std::unique_ptr<::archive_entry, decltype(&::archive_entry_free)> entry(::archive_entry_new(),
                                                                                ::archive_entry_free);
  if (!entry) return make_error(Errc::internal, "packing " + name + ": out of memory");
  ::archive_entry_set_pathname(entry.get(), name.c_str());
  ::archive_entry_set_size(entry.get(), static_cast<la_int64_t>(content.size()));
  ::archive_entry_set_filetype(entry.get(), AE_IFREG);
  ::archive_entry_set_perm(entry.get(), 0600);
  ::archive_entry_set_mtime(entry.get(), static_cast<std::time_t>(impl_->now.time_since_epoch().count()), 0);
  if (::archive_write_header(impl_->handle, entry.get()) != ARCHIVE_OK)
    return impl_->broken("packing " + name);
  const la_ssize_t written = ::archive_write_data(impl_->handle, content.data(), content.size());
  if (written < 0 || static_cast<std::size_t>(written) != content.size())
    return impl_->broken("packing " + name);
  return {};
}

Status TarGzWriter::finish() {
  if (::archive_write_close(impl_->handle) != ARCHIVE_OK) return impl_->broken("ending");
  return {};
}

std::string TarGzWriter::take() {
  return std::exchange(impl_->packed, {});
}

}  // namespace slipway
