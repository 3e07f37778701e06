package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/omnibucket/storage/internal/testing/pagetest"
	filesclient "github.com/omnibucket/storage/uploads/client"
	"github.com/omnibucket/storage/uploads/filesapi"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var served = regexp.MustCompile(`Open (\S+) `)

// start runs the whole program until the test ends, and returns the page's address.
func start(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	said, stdout := io.Pipe()
	errc := make(chan error, 1)
	go func() {
		err := run(ctx, append([]string{"-addr", "127.0.0.1:0"}, args...), stdout)
		_ = stdout.CloseWithError(errors.Join(err, io.EOF))
		errc <- err
	}()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-errc)
	})
	var text bytes.Buffer
	for chunk := make([]byte, 512); ; {
		n, err := said.Read(chunk)
		text.Write(chunk[:n])
		if match := served.FindSubmatch(text.Bytes()); match != nil {
			return string(match[1])
		}
		require.NoError(t, err, "%s", text.Bytes())
	}
}

// direct keeps no connections, because they would be goroutines that outlive the
// test.
func direct() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
}

func apiOf(t *testing.T, address string) *filesclient.Client {
	t.Helper()
	client, err := filesclient.New(address+"api", direct())
	require.NoError(t, err)
	return client
}

// Files stay with the directory.
func TestUploadStaysWithTheDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "files")
	var record *filesapi.Record
	t.Run("the first run", func(t *testing.T) {
		var err error
		record, err = apiOf(t, start(t, dir)).Upload(t.Context(), "a.txt", strings.NewReader("content"), "")
		require.NoError(t, err)
	})
	t.Run("the second run", func(t *testing.T) {
		got, err := apiOf(t, start(t, dir)).Details(t.Context(), record.ID)
		require.NoError(t, err)
		require.Equal(t, record, got)
	})
}

// Temporary files are cleared.
func TestUploadTempIsCleared(t *testing.T) {
	client := apiOf(t, start(t, "-temp-age", "250ms", "-every", "1ms"))
	var record *filesapi.Record
	require.Eventually(t, func() bool {
		var err error
		record, err = client.UploadTemp(t.Context(), "a.txt", strings.NewReader("content"))
		return err == nil
	}, time.Minute, time.Millisecond, "an upload that takes longer than a temp file is kept is refused")
	require.Eventually(t, func() bool {
		_, err := client.HeadTemp(t.Context(), record.ID)
		return err != nil
	}, time.Minute, 10*time.Millisecond)
}

// Other sites are refused.
func TestRequestsOfOtherSites(t *testing.T) {
	address := start(t)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address+"api/files/delete", strings.NewReader("{}"))
	require.NoError(t, err)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	response, err := direct().Do(r)
	require.NoError(t, err)

	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusForbidden, response.StatusCode)
}

// The command line is checked.
func TestRunChecksItsArguments(t *testing.T) {
	for _, args := range [][]string{{"a", "b"}, {"-every", "0s"}, {"-temp-age", "-1s"}, {"-none"}, {"-addr", "nowhere:1"}} {
		require.Error(t, run(t.Context(), args, io.Discard), "%q", args)
	}
}

// A browser goes through the whole flow of the page.
func TestPageInABrowser(t *testing.T) {
	pagetest.Run(t, "fileserver", "testdata/flow.mjs", map[string]any{"flow": "whole", "url": start(t)})
}

// TestPictures takes the pictures of the documentation if OMNIBUCKET_DRAW is set.
func TestPictures(t *testing.T) {
	dir := t.TempDir()
	pagetest.Landscapes(t, dir, "Lake at dawn.jpg", "Green valley.jpg", "Last light.jpg")
	pagetest.Run(t, "fileserver", "testdata/flow.mjs", map[string]any{
		"flow":   "pictures",
		"name":   "pictures",
		"url":    start(t),
		"files":  dir,
		"drawTo": pagetest.DrawTo(t),
	})
}
