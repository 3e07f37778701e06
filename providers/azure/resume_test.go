package azure_test

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

// A download resumes after a lost connection.
func TestDownloadResumes(t *testing.T) {
	server := needAzurite(t)
	wiretest.DownloadResumes(t, server.rootURL(), server.openAt(t))
}

// A download never mixes revisions.
func TestDownloadPinsRevision(t *testing.T) {
	server := needAzurite(t)
	wiretest.DownloadPinsRevision(t, server.rootURL(), server.openAt(t))
}

// If the server resets an idle connection, the driver repeats the request, and the caller sees no error.
func TestStaleConnections(t *testing.T) {
	server := needAzurite(t)
	wiretest.StaleConnections(t, server.rootURL(), server.openAt(t))
}

// An object has the bytes of one file only, even if the file is replaced and restored between
// uploads with the same journal of WithResume.
func TestWithResumeReplacedFile(t *testing.T) {
	const partSize = 1 << 20
	server := needAzurite(t)
	name := server.container(t)
	original := bytes.Repeat([]byte("a"), 3*partSize)
	replacement := bytes.Repeat([]byte("b"), 3*partSize)
	opts := []storage.UploadOption{
		storage.WithResume(filepath.Join(t.TempDir(), "journal")),
		storage.WithPartSize(partSize),
		storage.WithConcurrency(1),
	}

	// uploadUntil uploads data. The upload is canceled after the given part is stored, but before
	// the engine gets the response.
	uploadUntil := func(lastPart int, data []byte) error {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		storedParts := 0
		cancelAfterPart := func(ctx context.Context, call string, next func(context.Context) error) error {
			err := next(ctx)
			if call != "PutPart" {
				return err
			}
			storedParts++
			if storedParts == lastPart {
				cancel()
				return context.Canceled
			}
			return err
		}
		bucket := server.open(t, name, driver.WithLayer(func(d driver.Driver) driver.Driver {
			return driver.Intercept(d, cancelAfterPart)
		}))
		defer func() {
			require.NoError(t, storage.Close(bucket))
		}()
		_, err := bucket.Upload(ctx, "a", bytes.NewReader(data), opts...)
		return err
	}

	// The journal first has parts of the original, and then one of the replacement.
	require.ErrorIs(t, uploadUntil(2, original), storage.Canceled)
	require.ErrorIs(t, uploadUntil(1, replacement), storage.Canceled)

	// The upload of the original must not use the part of the replacement.
	bucket := server.open(t, name)
	t.Cleanup(func() { require.NoError(t, storage.Close(bucket)) })
	_, err := bucket.Upload(t.Context(), "a", bytes.NewReader(original), opts...)
	require.NoError(t, err)
	got, _, err := storage.ReadAll(t.Context(), bucket, "a")
	require.NoError(t, err)
	require.True(t, bytes.Equal(original, got))
}

const emulatorPath = "/devstoreaccount1" // the account's

// rootURL returns the URL of the emulator without its account.
func (s *azuriteServer) rootURL() string { return strings.TrimSuffix(s.endpoint, emulatorPath) }

// openAt opens a container at the emulator, or at a proxy in front of it.
func (s *azuriteServer) openAt(t *testing.T) wiretest.OpenAt {
	name := s.container(t)
	return func(root string, opts ...storage.OpenOption) storage.Bucket {
		server := *s
		server.endpoint = root + emulatorPath
		return server.open(t, name, opts...)
	}
}
