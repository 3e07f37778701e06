package s3_test

import (
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/documented"
	"github.com/omnibucket/storage/s3server"
	"github.com/omnibucket/storage/storagetest"
)

// Amazon's rules, and the transient answers that Amazon documents.
func TestFurtherConformanceWithAmazonsTransientAnswers(t *testing.T) {
	t.Setenv("OMNIBUCKET_SUPPORT", "") // the table has no column for it
	const least = 64 << 10
	server, err := s3server.Start(s3server.Config{Strict: true, Limits: s3server.Limits{MinPartSize: least}})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	answering := documented.New(server, documented.AmazonKind, documented.Amazon)
	front := httptest.NewServer(answering)
	t.Cleanup(front.Close)
	s := &testServer{name: "aws", endpoint: server.URL, key: s3server.DefaultAccessKeyID, secret: s3server.DefaultSecretKey, made: answering.Add}
	s.raw = s.clientOver(withoutKeepAlive())
	s.endpoint = front.URL
	conform(t, s, func(d storage.Driver) storage.Driver { return smallParts{d, least} }, append(documented.Skips(nil), storagetest.WithName("s3"))...)
	answering.RequireAllGiven(t)
}
