package gcs

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	gcs "cloud.google.com/go/storage"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

// The client that As returns sends Config.UserProject. A bucket with requester pays needs it.
// https://cloud.google.com/storage/docs/using-requester-pays.
func TestAsClientUserProject(t *testing.T) {
	server := newCannedServer(t)
	server.Answer = func(wiretest.Request) reply {
		return reply{Header: storedReply.Header, Body: `{"kind":"storage#objects"}`}
	}
	bucket := engine.New(server.openDriver(t, func(c *Config) {
		c.UserProject = "payer-1"
	}))
	client, ok := storage.As[*gcs.Client](bucket)
	require.True(t, ok)

	// SweepParts sends its requests through the client.
	_, err := SweepParts(t.Context(), client, "photos", time.Hour)
	require.NoError(t, err)
	require.Equal(t, "payer-1", server.Last(t).Header.Get(userProjectHeader))
}
