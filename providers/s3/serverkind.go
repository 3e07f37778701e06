package s3

import (
	"net/http"
	"strings"
	"sync/atomic"
)

// A serverKind is the kind of server that sends the responses, as far as they tell. Hints
// and package s3probe use it. It never declares a feature: the version of the server is
// unknown, and other servers may imitate a header.
type serverKind struct{ seen atomic.Pointer[kindOfServer] }

// A kindOfServer has a profile.
type kindOfServer struct {
	header  string // how the Server header begins, in any case
	name    string // for people
	profile string
}

var (
	ceph = &kindOfServer{"Ceph Object Gateway", "Ceph", "ceph"}

	// kindsOfServers has the kinds that name themselves. Run: MinIO, versitygw and our own
	// server. Source: Ceph since Reef (ceph/ceph pull request 50510), and SeaweedFS in most
	// releases. Garage is not known to. "AmazonS3" is missing, because emulators send
	// it too.
	kindsOfServers = []*kindOfServer{
		{"MinIO", "MinIO", "minio"},
		{"VERSITYGW", "versitygw", "versitygw"},
		{"SeaweedFS", "SeaweedFS", "seaweedfs"},
		{"Garage", "Garage", "garage"},
		{"AmazonS3 (omnibucket)", "omnibucket's own server", "omnibucket"},
		ceph,
	}
)

// see remembers the kind of server whose response has this header.
func (k *serverKind) see(h http.Header) {
	if k.seen.Load() != nil {
		return
	}
	if kind := kindOf(h); kind != nil {
		k.seen.Store(kind)
	}
}

// kindOf returns the kind of server whose response has this header, or nil.
func kindOf(h http.Header) *kindOfServer {
	server := h.Get("Server")
	for _, kind := range kindsOfServers {
		if n := len(kind.header); len(server) >= n && strings.EqualFold(server[:n], kind.header) {
			return kind
		}
	}
	if len(h["X-Rgw-Object-Type"]) > 0 { // only Ceph sends it, and a proxy leaves it
		return ceph
	}
	return nil
}

// hint returns what to do about a feature that the profile "unknown" does not declare.
func (k *serverKind) hint() string {
	if kind := k.seen.Load(); kind != nil {
		return "this endpoint answers as " + kind.name + ": open it with profile=" + kind.profile +
			" or s3.NamedProfile(\"" + kind.profile + "\") as Config.Profile, or test it with s3probe.Run"
	}
	return "name the server with profile= (minio, ceph, …) or s3.NamedProfile for Config.Profile, or test it with s3probe.Run"
}
