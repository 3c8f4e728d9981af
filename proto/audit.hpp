#pragma once
// The audit log on the wire and on disk: one record is one line of JSON, the same in both places. The hash of a record is the
// SHA-256 of its own line with an empty hash in it: `jq -cj '.hash=""' | sha256sum` gives it again.
#include <cstdint>
#include <string>
#include <vector>

namespace slipway::proto {

// Who brought it about.
struct AuditActor {
  std::string kind = "coordinator";  // coordinator, operator, agent, token, identity (a known key, no token), anonymous
  std::string name;                  // user, node or token id
  std::string certificate_sha256;    // of the certificate shown; empty: none
  std::string address;               // of the connection; empty: none
};
struct AuditCertificate {
  std::string usage;
  std::string serial;
  std::string sha256;       // of the DER: what kube-apiserver logs as X509SHA256
  std::string spki_sha256;  // of the public key
  std::string not_after;
  std::vector<std::string> names;  // subject alternative names
};
struct AuditRecord {
  std::uint64_t seq = 0;  // from 1, no gaps
  std::string time;
  std::string action;           // node.join, certificate.renew, token.create, ...
  std::string result = "done";  // done | refused
  AuditActor actor;
  std::string node;
  std::uint64_t generation = 0;
  std::string subject;  // what it was done to, when that is no node: token id, user, artifact
  std::string detail;   // for people; of a refusal the true reason
  std::vector<AuditCertificate> certificates;
  std::uint64_t count = 1;  // more than one: so many alike, collapsed into this record
  std::string previous;     // hash of the record before; 64 zeros before the first
  std::string hash;
};
struct AuditList {
  std::vector<AuditRecord> items;  // newest first
  std::string next;
};
struct AuditVerdict {
  bool ok = false;
  std::uint64_t records = 0;  // whole ones that were read
  std::uint64_t first = 0;    // seq
  std::uint64_t last = 0;     // seq
  std::string hash;           // of the last
  std::vector<std::string> problems;
};

// A certificate that has not ended though its node was removed, or its person revoked: what still opens doors where nobody asks the
// coordinator.
struct RevokedCertificate {
  std::string node;  // or the person
  std::string usage;
  std::string authority;  // CA kind
  std::string serial;
  std::string sha256;
  std::string revoked_at;
  std::string not_after;
};
struct RevokedList {
  std::vector<RevokedCertificate> items;
  std::string next;
};

template <class V> void fields(V& v, AuditActor& x) {
  v("kind", x.kind); v("name", x.name); v("certificateSha256", x.certificate_sha256); v("address", x.address);
}
template <class V> void fields(V& v, AuditCertificate& x) {
  v("usage", x.usage); v("serial", x.serial); v("sha256", x.sha256); v("spkiSha256", x.spki_sha256); v("notAfter", x.not_after);
  v("names", x.names);
}
template <class V> void fields(V& v, AuditRecord& x) {
  v("seq", x.seq); v("time", x.time); v("action", x.action); v("result", x.result); v("actor", x.actor); v("node", x.node);
  v("generation", x.generation); v("subject", x.subject); v("detail", x.detail); v("certificates", x.certificates);
  v("count", x.count); v("previous", x.previous); v("hash", x.hash);
}
template <class V> void fields(V& v, AuditList& x) { v("items", x.items); v.optional("next", x.next); }
template <class V> void fields(V& v, AuditVerdict& x) {
  v("ok", x.ok); v("records", x.records); v("first", x.first); v("last", x.last); v("hash", x.hash); v("problems", x.problems);
}
template <class V> void fields(V& v, RevokedCertificate& x) {
  v("node", x.node); v("usage", x.usage); v("authority", x.authority); v("serial", x.serial); v("sha256", x.sha256);
  v("revokedAt", x.revoked_at); v("notAfter", x.not_after);
}
template <class V> void fields(V& v, RevokedList& x) { v("items", x.items); v.optional("next", x.next); }

}  // namespace slipway::proto
