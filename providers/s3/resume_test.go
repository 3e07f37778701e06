package s3_test

import (
	"testing"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

// A download resumes where the connection was cut.
func TestDownloadResumes(t *testing.T) {
	for _, name := range serverNames {
		t.Run(name, func(t *testing.T) {
			s := needServer(t, name)
			wiretest.DownloadResumes(t, s.endpoint, s.openAt(t))
		})
	}
}

// A download never has bytes of two revisions.
func TestDownloadPinsRevision(t *testing.T) {
	for _, name := range serverNames {
		t.Run(name, func(t *testing.T) {
			s := needServer(t, name)
			wiretest.DownloadPinsRevision(t, s.endpoint, s.openAt(t))
		})
	}
}

// If the server resets an idle connection, the driver repeats the request, and the caller sees no error.
func TestStaleConnections(t *testing.T) {
	s := needServer(t, "minio")
	wiretest.StaleConnections(t, s.endpoint, s.openAt(t))
}

// openAt returns a function that opens a bucket at the server, or at a proxy.
func (s *testServer) openAt(t *testing.T) wiretest.OpenAt {
	bucket := s.bucket(t, false)
	return func(root string, opts ...storage.OpenOption) storage.Bucket {
		server := *s
		server.endpoint = root
		return server.open(t, bucket, opts...)
	}
}
