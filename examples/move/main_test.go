//go:build omnibucket_sdks

package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/freshbucket"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/memstore"
)

func move(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var buf bytes.Buffer
	err := run(t.Context(), append([]string{"-rest", "50ms", "-objects", "100"}, args...), &buf)
	t.Log(buf.String())
	return buf.String(), err
}

// Without addresses, the program moves objects from a temporary directory to another. It loses none.
func TestMoveLosesNothing(t *testing.T) {
	output, err := move(t)
	require.NoError(t, err)
	require.Contains(t, output, "objects are as they were written")
}

// The program moves objects from a directory to MinIO, and then to Azurite, while they are in use. It loses none.
func TestMoveToServersLosesNothing(t *testing.T) {
	minioURL := testserver.Need(t, "OMNIBUCKET_TEST_MINIO")
	azuriteURL := testserver.Need(t, "OMNIBUCKET_TEST_AZURITE")
	t.Setenv("AWS_ACCESS_KEY_ID", os.Getenv("OMNIBUCKET_TEST_MINIO_KEY"))
	t.Setenv("AWS_SECRET_ACCESS_KEY", os.Getenv("OMNIBUCKET_TEST_MINIO_SECRET"))
	t.Setenv("AZURE_STORAGE_ACCOUNT", os.Getenv("OMNIBUCKET_TEST_AZURITE_ACCOUNT"))
	t.Setenv("AZURE_STORAGE_KEY", os.Getenv("OMNIBUCKET_TEST_AZURITE_KEY"))

	directory := directoryAddress(t.TempDir(), "old")
	minio := freshbucket.Address(t, "s3", url.Values{
		"region":     {"us-east-1"},
		"path_style": {"true"},
		"profile":    {"minio"},
		"endpoint":   {minioURL},
	})
	azurite := freshbucket.Address(t, "azblob", url.Values{"endpoint": {azuriteURL}})

	output, err := move(t, directory, minio, azurite)
	require.NoError(t, err)
	require.Contains(t, output, "moving to azblob://")
	require.Contains(t, output, "objects are as they were written")
}

// A slowVisitor takes the first bytes of a response, and then waits.
type slowVisitor struct {
	*httptest.ResponseRecorder
	took chan struct{} // closed after the first bytes
	rest chan struct{} // the visitor takes no more until this is closed
	once sync.Once
}

func (v *slowVisitor) Write(p []byte) (int, error) {
	v.once.Do(func() {
		close(v.took)
	})
	<-v.rest
	return len(p), nil
}

// While a visitor of the page takes a long time to read an object, the bucket can be replaced by the next one.
func TestMoveWithASlowVisitor(t *testing.T) {
	s := &site{bucket: memstore.New()}
	_, err := s.bucket.Upload(t.Context(), "large", bytes.NewReader(make([]byte, 1<<20)))
	require.NoError(t, err)

	// The visitor has taken the first bytes of the object.
	visitor := &slowVisitor{ResponseRecorder: httptest.NewRecorder(), took: make(chan struct{}), rest: make(chan struct{})}
	var served sync.WaitGroup
	served.Go(func() {
		s.handler().ServeHTTP(visitor, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/large", nil))
	})
	<-visitor.took

	// If the response held up the move, replace would not return.
	require.NoError(t, s.replace(memstore.New(), nil))

	// The visitor takes the other bytes.
	close(visitor.rest)
	served.Wait()
	require.NoError(t, s.close())
}

// Invalid arguments are refused.
func TestMoveRefusesInvalidArguments(t *testing.T) {
	for _, args := range [][]string{{"-nonsense"}, {"mem://one"}, {"-objects", "0"}, {"nonsense://x", "nonsense://y"}} {
		_, err := move(t, args...)
		require.Error(t, err, args)
	}
}
