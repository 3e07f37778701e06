package evidence

import (
	"net/http"
	"strings"
	"sync/atomic"
)

// A Server is the kind of server that sends the responses, if they show it. Hints, listings and
// package s3probe use the kind. But a bucket never declares a feature because of the kind: the
// version of the server is unknown, and other servers may imitate a header.
type Server struct{ detected atomic.Pointer[kind] }

// A kind is a kind of server that is recognized by a header of its responses, in most cases
// the header Server.
type kind struct {
	header  string // beginning of the Server header; upper and lower case are equal
	name    string // for people
	profile string
}

var (
	ceph = &kind{header: "Ceph Object Gateway", name: "Ceph", profile: "ceph"}

	// kinds lists the servers that name themselves in the header Server. Tests have shown
	// this header for MinIO, versitygw and our own server. By their source code, Ceph since Reef
	// (ceph/ceph pull request 50510) and most releases of SeaweedFS also name themselves there.
	// By its documents of August 2026, silo names itself, too. Garage is not known to name itself. "AmazonS3" is missing, because emulators send it too.
	kinds = []*kind{
		{header: "MinIO", name: "MinIO", profile: "minio"},
		{header: "Silo", name: "silo, which keeps MinIO's protocol", profile: "minio"},
		{header: "VERSITYGW", name: "versitygw", profile: "versitygw"},
		{header: "SeaweedFS", name: "SeaweedFS", profile: "seaweedfs"},
		{header: "Garage", name: "Garage", profile: "garage"},
		{header: "AmazonS3 (omnibucket)", name: "omnibucket's own server", profile: "omnibucket"},
		ceph,
	}
)

// Observe looks at the header of each response until one shows the kind of the server.
func (s *Server) Observe(h http.Header) {
	if s.detected.Load() != nil {
		return
	}
	if kind := kindOf(h); kind != nil {
		s.detected.Store(kind)
	}
}

// kindOf returns the kind of server, such as Ceph, that sent the response header h, or nil if h does not
// show it.
func kindOf(h http.Header) *kind {
	server := h.Get("Server")
	for _, kind := range kinds {
		if n := len(kind.header); len(server) >= n && strings.EqualFold(server[:n], kind.header) {
			return kind
		}
	}
	// Only Ceph sends this header, and a proxy passes it on.
	if len(h["X-Rgw-Object-Type"]) > 0 {
		return ceph
	}
	return nil
}

// Profile returns the name of the profile that fits the server, or "" if its responses have not
// shown its kind.
func (s *Server) Profile() string {
	if kind := s.detected.Load(); kind != nil {
		return kind.profile
	}
	return ""
}

// Hint returns the hint for a feature that the profile "unknown" does not declare. It names the
// profile if the responses have shown which one fits.
func (s *Server) Hint() string {
	if kind := s.detected.Load(); kind != nil {
		return "this endpoint answers as " + kind.name + ": open it with profile=" + kind.profile +
			" or s3.NamedProfile(\"" + kind.profile + "\") as Config.Profile, or test it with s3probe.Run"
	}
	return "name the server with profile= (minio, ceph, …) or s3.NamedProfile for Config.Profile, or test it with s3probe.Run"
}
