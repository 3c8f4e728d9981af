#include "tests/unit/archive/hostile_corpus.hpp"

#include <cstdio>
#include <cstring>
#include <utility>

#include "tests/unit/archive/tar_text.hpp"

namespace slipway::test {

namespace {

using Leaves = std::map<std::string, std::string>;

enum class Magic { v7, ustar, gnu };

struct Head {
  std::string name;
  char type = '0';
  std::string link = {};
  std::size_t size = 0;
  unsigned mode = 0644;
  Magic magic = Magic::ustar;
  std::string prefix = {};
  std::string size_field = {};  // instead of `size`, its bytes as they are
  unsigned owner = 0;
  std::vector<std::pair<std::size_t, std::string>> raw = {};  // bytes at a place
  bool right_sum = true;
};

void put(std::string& block, std::size_t at, const std::string& bytes, std::size_t room) { block.replace(at, std::min(bytes.size(), room), bytes, 0, room); }

std::string octal(std::uint64_t value, int digits) {
  char text[32];
  std::snprintf(text, sizeof text, "%0*llo", digits, static_cast<unsigned long long>(value));
  return text;
}

std::string head(const Head& h) {
  std::string block(512, '\0');
  put(block, 0, h.name, 100);
  put(block, 100, octal(h.mode, 7), 8);
  put(block, 108, octal(h.owner, 7), 8);
  put(block, 116, octal(h.owner, 7), 8);
  put(block, 124, h.size_field.empty() ? octal(h.size, 11) : h.size_field, 12);
  put(block, 136, octal(0, 11), 12);
  block[156] = h.type;
  put(block, 157, h.link, 100);
  if (h.magic == Magic::ustar) put(block, 257, std::string("ustar\00000", 8), 8);
  if (h.magic == Magic::gnu) put(block, 257, std::string("ustar  \0", 8), 8);
  put(block, 345, h.prefix, 155);
  for (const auto& [at, bytes] : h.raw) put(block, at, bytes, bytes.size());
  put(block, 148, "        ", 8);
  unsigned sum = h.right_sum ? 0 : 1;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  put(block, 148, octal(sum, 6) + std::string(1, '\0'), 7);
  return block;
}

std::string padded(const std::string& bytes) { return bytes + std::string((512 - bytes.size() % 512) % 512, '\0'); }

std::string member(Head h, const std::string& content) {
  h.size = content.size();
  return head(h) + padded(content);
}
std::string file(const std::string& name, const std::string& content = "x") { return member({name}, content); }
std::string entry(const std::string& name, char type, const std::string& link = "", unsigned mode = 0755) { return head({name, type, link, 0, mode}); }
std::string gnu_file(const std::string& name, const std::string& content = "x") { return member({name, '0', "", 0, 0644, Magic::gnu}, content); }

std::string zeros(std::size_t blocks) { return std::string(blocks * 512, '\0'); }
std::string ended(const std::string& members) { return members + zeros(2); }

// POSIX pax, "Extended Header": LENGTH KEY=VALUE\n, where LENGTH counts itself.
std::string record(const std::string& key, const std::string& value) {
  const std::string rest = " " + key + "=" + value + "\n";
  std::size_t length = rest.size();
  while (length != rest.size() + std::to_string(length).size()) length = rest.size() + std::to_string(length).size();
  return std::to_string(length) + rest;
}
std::string pax(const std::vector<std::pair<std::string, std::string>>& records, char type = 'x') {
  std::string text;
  for (const auto& [key, value] : records) text += record(key, value);
  return member({"pax", type}, text);
}
std::string gnu_long(char type, const std::string& text) { return member({"././@LongLink", type, "", 0, 0644, Magic::gnu}, text + std::string(1, '\0')); }

// GNU tar's old form: the map of offsets and lengths in the header.
std::string gnu_sparse(const std::string& name, const std::vector<std::pair<std::uint64_t, std::uint64_t>>& map, std::uint64_t real, const std::string& data) {
  Head h{name, 'S', "", data.size(), 0644, Magic::gnu};
  for (std::size_t i = 0; i < map.size(); ++i) {
    h.raw.emplace_back(386 + 24 * i, octal(map[i].first, 11));
    h.raw.emplace_back(398 + 24 * i, octal(map[i].second, 11));
  }
  h.raw.emplace_back(483, octal(real, 11));
  return head(h) + padded(data);
}

std::string repeated(const std::string& text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

UnpackLimits limited_to(std::uint64_t bytes, std::uint64_t entries = 100'000) {
  UnpackLimits limits;
  limits.max_bytes = bytes;
  limits.max_entries = entries;
  return limits;
}

class Corpus {
 public:
  void unpacks(std::string name, const std::string& members, Leaves leaves) { add(std::move(name), ended(members), "", std::move(leaves)); }
  void refused(std::string name, const std::string& members, std::string why) { add(std::move(name), ended(members), std::move(why), {}); }
  void add(std::string name, std::string bytes, std::string why, Leaves leaves, UnpackLimits limits = {}) {
    all_.push_back({std::move(name), std::move(bytes), std::move(why), std::move(leaves), limits});
  }
  std::vector<HostileArchive> take() { return std::move(all_); }

 private:
  std::vector<HostileArchive> all_;
};

void add_formats(Corpus& c) {
  c.unpacks("v7 without a magic", member({"f", '0', "", 0, 0644, Magic::v7}, "x"), {{"f", "x"}});
  c.unpacks("v7 folder by its slash", head({"d/", '0', "", 0, 0755, Magic::v7}), {{"d", "/"}});
  c.unpacks("v7 type NUL", member({"f", '\0', "", 0, 0644, Magic::v7}, "x"), {{"f", "x"}});
  c.unpacks("ustar with a prefix", member({"f", '0', "", 0, 0644, Magic::ustar, "a/b"}, "x"), {{"a", "/"}, {"a/b", "/"}, {"a/b/f", "x"}});
  c.unpacks("GNU", gnu_file("f"), {{"f", "x"}});
  c.unpacks("GNU long name", gnu_long('L', std::string(150, 'n')) + gnu_file("short"), {{std::string(150, 'n'), "x"}});
  c.unpacks("GNU long link", gnu_long('K', "d/" + std::string(150, 'n')) + head({"l", '2', "short", 0, 0777, Magic::gnu}), {{"l", "-> d/" + std::string(150, 'n')}});
  c.unpacks("GNU volume label", head({"label", 'V', "", 0, 0644, Magic::gnu}) + gnu_file("f"), {{"f", "x"}});
  c.unpacks("GNU dump of a folder", member({"d", 'D', "", 0, 0755, Magic::gnu}, "Yname\0"), {{"d", "/"}});
  c.unpacks("pax names", pax({{"path", std::string(120, 'p')}}) + file("f"), {{std::string(120, 'p'), "x"}});
  c.unpacks("pax link", pax({{"linkpath", "elsewhere"}}) + entry("l", '2', "here"), {{"l", "-> elsewhere"}});
  c.unpacks("pax size", pax({{"size", "1"}}) + file("f"), {{"f", "x"}});
  c.unpacks("pax of all members names none", pax({{"path", "/abs"}, {"comment", "c"}}, 'g') + file("f") + file("g"), {{"f", "x"}, {"g", "x"}});
  c.unpacks("pax names end at a NUL", pax({{"path", std::string("a\0/../b", 7)}}) + file("f"), {{"a", "x"}});
  c.unpacks("pax name without text", pax({{"path", ""}}) + file("f"), {{"f", "x"}});
  c.unpacks("contiguous file", member({"f", '7'}, "x"), {{"f", "x"}});
  c.unpacks("type that nobody knows is a file (POSIX)", member({"f", 'Z'}, "x"), {{"f", "x"}});
  c.unpacks("old sparse", gnu_sparse("s", {{0, 3}, {10, 2}}, 14, "abcde"), {{"s", std::string("abc\0\0\0\0\0\0\0de\0\0", 14)}});
  c.unpacks("pax sparse 0.1", pax({{"GNU.sparse.size", "8"}, {"GNU.sparse.numblocks", "2"}, {"GNU.sparse.map", "0,3,6,2"}, {"GNU.sparse.name", "s"}}) + member({"t"}, "abcde"),
            {{"s", std::string("abc\0\0\0de", 8)}});
  c.unpacks("pax sparse 1.0", pax({{"GNU.sparse.major", "1"}, {"GNU.sparse.minor", "0"}, {"GNU.sparse.name", "s"}, {"GNU.sparse.realsize", "8"}}) +
                                  member({"t"}, padded("2\n0\n3\n6\n2\n") + "abcde"),
            {{"s", std::string("abc\0\0\0de", 8)}});
}

void add_marks(Corpus& c) {
  c.unpacks("capabilities, attributes, ACLs and flags are not taken over",
            pax({{"SCHILY.xattr.security.capability", std::string("\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20)},
                 {"SCHILY.xattr.user.x", "1"},
                 {"LIBARCHIVE.xattr.user.y", "eQ=="},
                 {"SCHILY.acl.access", "user::rwx,user:1000:rwx,group::r-x,mask::rwx,other::r-x"},
                 {"SCHILY.fflags", "immutable,append"}}) +
                member({"f", '0', "", 0, 0755}, "x"),
            {{"f", "x"}});
  c.unpacks("owner", member({"f", '0', "", 0, 0644, Magic::ustar, "", "", 1000}, "x"), {{"f", "x"}});
  c.unpacks("pax owner", pax({{"uid", "4294967295"}, {"gid", "-1"}, {"uname", "nobody"}}) + file("f"), {{"f", "x"}});
  c.unpacks("pax times", pax({{"mtime", "99999999999999"}, {"atime", "-1"}}) + file("f"), {{"f", "x"}});
  c.unpacks("sticky", member({"f", '0', "", 0, 01755}, "x") + entry("d/", '5', "", 03777), {{"f", "x"}, {"d", "/"}});
  c.unpacks("no rights at all", entry("d/", '5', "", 0) + member({"d/f", '0', "", 0, 0}, "x"), {{"d", "/"}, {"d/f", "x"}});
  c.unpacks("rights for all", entry("./", '5', "", 0777) + member({"f", '0', "", 0, 0777}, "x"), {{"f", "x"}});
  c.unpacks("whiteout by name", file(".wh.f") + file(".wh..wh..opq"), {{".wh.f", "x"}, {".wh..wh..opq", "x"}});
  c.refused("whiteout by device", head({"f", '3', "", 0, 0}), "device");
  c.refused("setuid", member({"f", '0', "", 0, 04755}, "x"), "setuid");
  c.refused("setgid", member({"f", '0', "", 0, 02755}, "x"), "setgid");
  c.refused("setuid by hard link", file("f") + entry("h", '1', "f", 04755), "setuid");
  c.refused("character device", entry("n", '3'), "device");
  c.refused("block device", entry("n", '4'), "device");
  c.refused("FIFO", entry("n", '6'), "FIFO");
  c.refused("rest of another volume", member({"n", 'M', "", 0, 0644, Magic::gnu}, "x"), "unknown type");
  c.refused("Solaris ACL that is none", member({"acl", 'A'}, std::string("1000006\0use", 11)) + file("f"), "acl");
}

void add_names(Corpus& c) {
  c.unpacks("upper and lower case are two", file("README") + file("readme", "y"), {{"README", "x"}, {"readme", "y"}});
  c.unpacks("bytes that are no UTF-8", file("\xff\xfe"), {{"\xff\xfe", "x"}});
  c.unpacks("UTF-8 as bytes", file("\xc3\xa4"), {{"\xc3\xa4", "x"}});
  c.unpacks("dashes, blanks and backslashes", file("-rf ..\\x"), {{"-rf ..\\x", "x"}});
  c.unpacks("dots and double slashes", file("././/a/.//f"), {{"a", "/"}, {"a/f", "x"}});
  c.refused("no name", head({"", '0', "", 0, 0644}), "no name");
  c.refused("a dot", file("."), "no name");
  c.refused("absolute", file("/f"), "absolute");
  c.refused("parent", file("../f"), "'..'");
  c.refused("parent in the middle", file("a/../../f"), "'..'");
  c.refused("parent as prefix", member({"f", '0', "", 0, 0644, Magic::ustar, ".."}, "x"), "'..'");
  c.refused("parent in a GNU long name", gnu_long('L', "../" + std::string(120, 'n')) + gnu_file("f"), "'..'");
  c.refused("absolute by pax", pax({{"path", "/etc/cron.d/x"}}) + file("f"), "absolute");
  c.refused("parent by pax", pax({{"path", "a/../../x"}}) + file("f"), "'..'");
  c.refused("parent by pax sparse 1.0",
            pax({{"GNU.sparse.major", "1"}, {"GNU.sparse.minor", "0"}, {"GNU.sparse.name", "../x"}, {"GNU.sparse.realsize", "8"}}) +
                member({"t"}, padded("2\n0\n3\n6\n2\n") + "abcde"),
            "'..'");
  c.refused("no UTF-8 by pax", pax({{"path", "\xff\xfe"}}) + file("f"), "utf-8");
  for (const char* sign : {"\n", "\t", "\x1b[2J", "\x7f", "\r"}) c.refused("control character in a name", file(std::string("a") + sign + "b"), "control characters");
  c.refused("control character by pax", pax({{"path", "a\nb"}}) + file("f"), "control characters");
  c.refused("long name", gnu_long('L', repeated("nnnnnnnnn/", 103)) + gnu_file("f"), "its name is too long");
  c.refused("very long name", pax({{"path", std::string(70'000, 'n')}}) + file("f"), "its name is too long");
  c.refused("long part of a name", gnu_long('L', std::string(256, 'n')) + gnu_file("f"), "a part of its name is too long");
  c.refused("deep", gnu_long('L', repeated("d/", 32) + "f") + gnu_file("f"), "too deep");
}

void add_doubles(Corpus& c) {
  c.refused("twice", file("f") + file("f", "y"), "twice");
  c.refused("twice by a dot", file("f") + file("./f", "y"), "twice");
  c.refused("twice by slashes", file("d/f") + file("d//f", "y"), "twice");
  c.refused("file, then folder", file("f") + entry("f/", '5'), "twice");
  c.refused("folder, then link", entry("d/", '5') + entry("d", '2', "e"), "twice");
  c.refused("folder that nobody named, then file", file("d/f") + file("d"), "twice");
  c.refused("folder that nobody named, then link", file("d/f") + entry("d", '2', "e"), "twice");
  c.refused("folder that nobody named, then hard link", file("d/f") + file("g") + entry("d", '1', "g"), "twice");
  c.refused("file below a file", file("f") + file("f/g"), "no folder");
  c.refused("file below a link", entry("e/", '5') + entry("l", '2', "e") + file("l/f"), "no folder");
  c.refused("file below a link that leads nowhere yet", entry("l", '2', "e") + entry("e/", '5') + file("l/f"), "no folder");
  c.refused("folder below a link", entry("l", '2', "e") + entry("l/d/", '5'), "no folder");
}

void add_links(Corpus& c) {
  c.unpacks("links that stay inside", file("d/f") + entry("d/l", '2', "../d/f") + entry("h", '1', "d/f") + entry("n", '2', "nowhere"),
            {{"d", "/"}, {"d/f", "x"}, {"d/l", "-> ../d/f"}, {"h", "x"}, {"n", "-> nowhere"}});
  c.refused("link to the host", entry("l", '2', "/etc/passwd"), "leads out");
  c.refused("link above", entry("d/l", '2', "../../x"), "leads out");
  c.refused("link above, late", entry("d/l", '2', "a/../../.."), "leads out");
  c.refused("link by pax", pax({{"linkpath", "/etc/shadow"}}) + entry("l", '2', "harmless"), "leads out");
  c.refused("GNU long link", gnu_long('K', repeated("../", 50)) + head({"l", '2', "harmless", 0, 0777, Magic::gnu}), "leads out");
  c.refused("link to nothing", entry("l", '2', ""), "leads out");
  c.refused("link with lines for the manifest", pax({{"linkpath", "x\nfile\tevil\t" + std::string(64, '0') + "\t493\t1"}}) + entry("l", '2', "x"), "control characters");
  c.refused("long link", gnu_long('K', repeated("nnnnnnnnn/", 103)) + head({"l", '2', "x", 0, 0777, Magic::gnu}), "where it leads is too long");
  c.refused("hard link to the host", entry("h", '1', "/etc/passwd"), "absolute");
  c.refused("hard link above", entry("h", '1', "../x"), "'..'");
  c.refused("hard link by pax", file("f") + pax({{"linkpath", "../../x"}}) + entry("h", '1', "f"), "'..'");
  c.refused("hard link with a control character", file("f") + pax({{"linkpath", "f\n"}}) + entry("h", '1', "f"), "control characters");
  c.refused("hard link to a link", entry("l", '2', "f") + entry("h", '1', "l"), "hard link");
  c.refused("hard link through a link", file("d/f") + entry("l", '2', "d") + entry("h", '1', "l/f"), "hard link");
  c.refused("hard link to a folder", entry("d/", '5') + entry("h", '1', "d"), "hard link");
  c.refused("hard link to itself", entry("h", '1', "h"), "hard link");
  c.refused("hard link to what comes later", entry("h", '1', "f") + file("f"), "hard link");
}

void add_sizes(Corpus& c) {
  c.refused("negative size", head({"f", '0', "", 0, 0644, Magic::gnu, "", std::string(12, '\xff')}), "negative");
  c.refused("size beyond 63 bits", head({"f", '0', "", 0, 0644, Magic::gnu, "", std::string("\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", 12)}), "overflow");
  c.refused("all octal digits", head({"f", '0', "", 0, 0644, Magic::ustar, "", "777777777777"}), "bytes unpacked");
  c.refused("size in letters", head({"f", '0', "", 0, 0644, Magic::ustar, "", "abcdefghijk"}), "unrecognized");
  c.refused("negative pax size", pax({{"size", "-5"}}) + file("f"), "negative");
  c.refused("pax size beyond 63 bits", pax({{"size", "99999999999999999999"}}) + file("f"), "overflow");
  c.refused("pax size below the content", pax({{"size", "0"}}) + file("f"), "damaged");
  c.refused("pax size above the content", pax({{"size", "1000000"}}) + file("f"), "truncated");
  c.refused("link with content", head({"l", '2', "x", 600, 0777}) + padded(std::string(600, 'y')), "damaged");
  c.refused("folder with content", head({"d", '5', "", 600, 0755}) + padded(std::string(600, 'y')), "damaged");
  c.refused("folder with gigabytes", head({"d", 'D', "", 0, 0755, Magic::gnu, "", "77777777777"}) + std::string(4096, 'y'), "times its size");
  c.refused("sparse blocks one over the other", gnu_sparse("s", {{0, 3}, {1, 2}}, 20, "abcde"), "out-of-order");
  c.refused("sparse block behind the end", gnu_sparse("s", {{0, 3}, {100, 2}}, 20, "abcde"), "out-of-order");
  c.refused("sparse file shorter than its blocks", gnu_sparse("s", {{0, 5}}, 2, "abcde"), "out-of-order");
  c.refused("sparse file of gigabytes", gnu_sparse("s", {{0, 1}}, 8'589'934'591, "a"), "times its size");
  c.refused("sparse file of terabytes", pax({{"GNU.sparse.size", "8796093022208"}, {"GNU.sparse.numblocks", "1"}, {"GNU.sparse.map", "0,1"}}) + file("s"), "bytes unpacked");
  c.refused("negative sparse size", pax({{"GNU.sparse.size", "-20"}, {"GNU.sparse.numblocks", "1"}, {"GNU.sparse.map", "-5,3"}}) + file("s"), "tar archive");
}

void add_bombs(Corpus& c) {
  const std::string large = ended(file("f", std::string(4 << 20, '\0')));
  for (const char* filter : {"gzip", "xz", "zstd"}) {
    c.add(std::string("bomb by size, ") + filter, compressed(large, filter), "more than 1000000 bytes unpacked", {}, limited_to(1'000'000));
  }
  const std::string larger = ended(file("f", std::string(70 << 20, '\0')));
  for (const char* filter : {"gzip", "zstd"}) c.add(std::string("bomb by ratio, ") + filter, compressed(larger, filter), "times its size", {});
  std::string many;
  for (int i = 0; i <= 100; ++i) many += file("f" + std::to_string(i));
  c.add("bomb by count", compressed(ended(many), "gzip"), "more than 100 members", {}, limited_to(1 << 20, 100));
  c.refused("headers upon headers", repeated(pax({{"a", "b"}}, 'g'), 100) + file("f"), "too many special headers");
  c.refused("long names upon long names", repeated(gnu_long('L', "n"), 100) + gnu_file("f"), "too many special headers");
  c.refused("a header of megabytes", head({"pax", 'x', "", 2 << 20}) + std::string(2 << 20, '9') + file("f"), "too large");
  c.refused("a name of megabytes", head({"././@LongLink", 'L', "", 2 << 20, 0644, Magic::gnu}) + std::string(2 << 20, 'n') + gnu_file("f"), "too large");
  const std::string packed = compressed(ended(file("f")), "gzip");
  for (const char* filter : {"gzip", "xz", "zstd"}) c.add(std::string("packed twice, ") + filter, compressed(packed, filter), "more than once", {});
}

void add_ends(Corpus& c) {
  const std::string one = file("f");
  c.add("one block of zeros ends it too", one + zeros(1), "", {{"f", "x"}});
  c.add("no end", one, "it was cut", {});
  c.add("no end, gzip", compressed(one, "gzip"), "it was cut", {});
  c.add("no end behind a folder", one + entry("d/", '5'), "it was cut", {});
  c.add("no end behind a pax header", one + pax({{"path", "g"}}), "damaged", {});
  c.add("an end behind a pax header", ended(one + pax({{"path", "g"}})), "damaged", {});
  // The one cut that libarchive does not let us see: it looks like an end that was read.
  c.add("no end behind a pax header of all members", one + pax({{"comment", "c"}}, 'g'), "", {{"f", "x"}});
  c.add("what follows the end is not read", ended(one) + repeated("garbage!", 200), "", {{"f", "x"}});
  c.add("a second archive is not read", ended(one) + ended(file("g") + file("../h")), "", {{"f", "x"}});
  c.add("gzip in two pieces is one", compressed(one, "gzip") + compressed(ended(file("g")), "gzip"), "", {{"f", "x"}, {"g", "x"}});
  c.add("garbage instead of an end", one + repeated("garbage!", 200), "damaged", {});
  c.add("half a header", one + head({"g"}).substr(0, 300), "truncated", {});
  c.add("half a content", head({"g", '0', "", 2000}) + std::string(1000, 'y'), "truncated", {});
  c.add("half a padding", one.substr(0, 513), "truncated", {});
  c.add("wrong sum at once", ended(head({"f", '0', "", 0, 0644, Magic::ustar, "", "", 0, {}, false})), "unrecognized", {});
  c.add("wrong sum later", ended(one + head({"g", '0', "", 0, 0644, Magic::ustar, "", "", 0, {}, false})), "damaged", {});
  c.add("malformed pax record", ended(member({"pax", 'x'}, "99 path=a\n") + one), "malformed", {});
  c.add("no members", zeros(2), "no members", {});
  c.add("no members behind a pax header of all", pax({{"comment", "c"}}, 'g'), "no members", {});
  c.add("nothing", "", "unrecognized", {});
}

// Of formats that libarchive knows and nobody asked it to read.
void add_foreign(Corpus& c) {
  const std::pair<const char*, std::string> formats[] = {
      {"zip", std::string("PK\x03\x04\x14\0\0\0\0\0", 10)},
      {"cpio newc", "070701" + std::string(104, '0')},
      {"cpio odc", "070707" + std::string(70, '0')},
      {"7z", std::string("7z\xbc\xaf\x27\x1c\0\4", 8)},
      {"ar, as of deb", "!<arch>\ndebian-binary   0           0     0     100644  4         `\n2.0\n"},
      {"rpm", "\xed\xab\xee\xdb\3"},
      {"xar", "xar!"},
      {"cab", std::string("MSCF\0\0\0\0", 8)},
      {"rar", std::string("Rar!\x1a\7\1\0", 8)},
      {"mtree", "#mtree\n./f type=file\n"},
      {"warc", "WARC/1.0\r\nWARC-Type: warcinfo\r\n"},
      {"shell", "#!/bin/sh\necho\n"},
      {"program", "\x7f" "ELF\2\1\1"},
      {"compress", "\x1f\x9d\x90"},
      {"lz4", "\x04\x22\x4d\x18"},
      {"lzip", "LZIP\1"},
      {"uuencoded", "begin 644 f\n#>'AX\n`\nend\n"},
  };
  for (const auto& [name, bytes] : formats) c.add(name, bytes + std::string(600, '\0'), "unrecognized", {});
  // Its first sectors are zeros, which is how a tar ends: of nothing.
  std::string iso(40'000, '\0');
  iso.replace(32'768, 6, std::string("\1CD001", 6));
  c.add("iso9660", iso, "no members", {});
  c.add("bzip2", compressed(ended(file("f")), "bzip2"), "unrecognized", {});
  c.add("lzma alone", compressed(ended(file("f")), "lzma"), "unrecognized", {});
  c.add("gzip of a text", compressed("only a text that is long enough to be looked at", "gzip"), "unrecognized", {});
}

std::string varied_members() {
  return pax({{"comment", "c"}}, 'g') + entry("d/", '5') + file("d/f", std::string(700, 'x')) + member({"g", '0', "", 0, 0755, Magic::ustar, "p/q"}, "y") +
         pax({{"path", std::string(120, 'p')}, {"mtime", "1.5"}}) + file("short") + gnu_long('L', std::string(130, 'n')) + gnu_file("short") +
         entry("l", '2', "d/f") + entry("h", '1', "d/f") + gnu_sparse("s", {{0, 3}, {10, 2}}, 14, "abcde") + file("last");
}

}  // namespace

std::vector<HostileArchive> hostile_archives() {
  Corpus corpus;
  add_formats(corpus);
  add_marks(corpus);
  add_names(corpus);
  add_doubles(corpus);
  add_links(corpus);
  add_sizes(corpus);
  add_bombs(corpus);
  add_ends(corpus);
  add_foreign(corpus);
  return corpus.take();
}

std::string varied_archive() { return ended(varied_members()); }
std::size_t varied_archive_end() { return varied_members().size(); }

}  // namespace slipway::test
