package recorded

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/recording"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/storagetest"
)

// A Server is a server of tests that takes the place of a provider.
type Server struct {
	Name string
	// Address is that of the account, as "certify" gets it.
	Address string
	// Hidden are texts that the recording must not have, such as the credentials.
	Hidden []string
	// Create makes an empty bucket, and removes it after the test.
	Create func(t *testing.T, bucket string)
	// Open opens a bucket. All requests of the driver must go through client.
	Open func(t *testing.T, client *http.Client, bucket string) driver.Driver
	// Faults are the names of the cases that fail on the server, with the reasons.
	Faults map[string]string
}

// ownRules are the rules of the suite whose cases are recorded.
var ownRules = []string{"K1", "R1", "W4", "W8", "L2", "L3", "D1"}

// RecordAndReplay runs a part of the suite against server, and records the requests and responses as
// "certify -record" does. It then reads the recording as if a contributor had sent it, and runs the
// driver of s with the recorded responses.
func RecordAndReplay(t *testing.T, s Store, server Server) {
	t.Helper()
	t.Setenv("OMNIBUCKET_SUPPORT", "") // the page of support has no row for this server
	dir := filepath.Join(t.TempDir(), "recording")
	recorder := recording.New(dir, server.Address, os.Environ())
	require.NoError(t, recorder.Begin())
	client := &http.Client{Transport: recorder.Transport(testserver.Client().Transport)}
	t.Run("record", func(t *testing.T) {
		runOwnRules(t, server, client)
	})

	// Write and read the files of the recording.
	count, skipped, err := recorder.Write()
	require.NoError(t, err)
	r := ReadFolder(t, s.Provider, dir)
	require.Len(t, r.Exchanges, count)
	require.Greater(t, count, 100, "a part of the suite makes more requests")
	r.Name = server.Name
	t.Logf("%s: %d exchanges are recorded, and %d are left out", server.Name, count, skipped)
	server.requireHidden(t, Text(t, dir))

	Replay(t, s, r)
}

// runOwnRules runs the cases of ownRules against server, in buckets of their own, and sends all requests
// through client.
func runOwnRules(t *testing.T, server Server, client *http.Client) {
	var otherRules []string
	for _, c := range storagetest.Cases() {
		if !slices.Contains(ownRules, c.Rule) {
			otherRules = append(otherRules, c.Rule)
		}
	}
	opts := []storagetest.Option{storagetest.SkipRules("they are not recorded", otherRules...)}
	for name, reason := range server.Faults {
		opts = append(opts, storagetest.Skip(name, reason))
	}

	var buckets atomic.Int64
	open := func(t *testing.T) driver.Driver {
		bucket := fmt.Sprintf("omnibucket-certify-own-%d-%d", os.Getpid(), buckets.Add(1))
		server.Create(t, bucket)
		return server.Open(t, client, bucket)
	}
	storagetest.RunDriver(t, open, opts...)
}

// requireHidden requires that the text of a recording has no secret and no name of a bucket.
func (server Server) requireHidden(t *testing.T, text string) {
	t.Helper()
	for _, hidden := range append(server.Hidden, "omnibucket-certify-") {
		require.NotContains(t, text, hidden)
	}
}

// Text returns all that a recording says, so that a test can search it for secrets. That is the text
// of the files in dir, followed by the bodies of the exchanges, which the files have in Base64.
func Text(t testing.TB, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)

	var buf bytes.Buffer
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		buf.Write(data)
	}

	r := ReadFolder(t, "", dir)
	for i := range r.Exchanges {
		x := &r.Exchanges[i]
		buf.Write(bytes.Join(append(x.Request.Parts, x.Response.Body), []byte("\n")))
	}
	return buf.String()
}
