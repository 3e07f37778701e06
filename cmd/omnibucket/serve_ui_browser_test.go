package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
	"github.com/omnibucket/storage/internal/testing/consoletest"
	"github.com/omnibucket/storage/internal/testing/testserver"
)

// uiStores are the locations on which every action of the page runs. That of memory is in serve/console.
var uiStores = []struct {
	name string
	has  consoletest.Features
	open func(t *testing.T) (s *shell, location string)
	// emptied says that the store lists folders in which only delete markers are left.
	emptied bool
	remove  bool // the bucket after the test
}{
	{
		"directory", consoletest.Features{Tags: true, Sign: true, Resume: true, Conditions: true},
		func(t *testing.T) (*shell, string) { return newShell(t), directory(t) }, false, false,
	},
	{
		"directory with versions",
		consoletest.Features{Versions: true, Undelete: true, Tags: true, Sign: true, Resume: true, Conditions: true},
		func(t *testing.T) (*shell, string) { return newShell(t), directory(t) + "?versions=true" }, false, false,
	},
	{
		"MinIO with versions",
		consoletest.Features{Versions: true, Undelete: true, Tags: true, Sign: true, Resume: true, Conditions: true},
		func(t *testing.T) (*shell, string) {
			s := newShell(t)
			bucket, parameters := onMinIO(t)
			s.ok("mb", "--versioned", bucket+parameters)
			return s, bucket + parameters
		}, true, true,
	},
	{
		"Azurite", consoletest.Features{Tags: true, Sign: true, Resume: true, Conditions: true},
		func(t *testing.T) (*shell, string) {
			s := newShell(t)
			address := realStores[2].address(t, "cli-page", testserver.Need(t, "OMNIBUCKET_TEST_AZURITE"))
			s.ok("mb", address)
			return s, address
		}, false, true,
	},
	{
		"encrypted", consoletest.Features{Tags: true, Conditions: true},
		func(t *testing.T) (*shell, string) {
			s, _ := encrypting(t)
			return s, "box:"
		}, false, false,
	},
	{
		"mirrored", consoletest.Features{Tags: true, Sign: true, Resume: true, Conditions: true},
		func(t *testing.T) (*shell, string) {
			s, _ := configured(t, "locations:\n  first: "+directory(t)+"\n  second: "+directory(t)+
				"\n  box:\n    address: "+directory(t)+"\n    layers: [{mirror: second}]\n")
			return s, "box:"
		}, false, false,
	},
}

func TestServeUIInABrowser(t *testing.T) {
	testserver.Need(t, "OMNIBUCKET_TEST_CHROMIUM")
	for _, store := range uiStores {
		t.Run(store.name, func(t *testing.T) {
			s, location := store.open(t)
			if store.remove {
				defer s.ok("rb", "--force", location)
			}
			page := s.serving("--ui", "--write", location)
			empty := emptyFolder(t, location)
			var info struct{ One string }
			_, body := askPage(t, "GET", page+"api/info", "")
			require.NoError(t, json.Unmarshal([]byte(body), &info))
			consoletest.Fill(t, func(key, contentType string, content []byte) {
				q := url.Values{"bucket": {info.One}, "key": {key}, "type": {contentType}}
				r, err := http.NewRequestWithContext(t.Context(), "PUT", page+"api/upload?"+q.Encode(), bytes.NewReader(content))
				require.NoError(t, err)
				r.Header.Set("X-Console", "1")
				status, body := ask(t, r)
				require.Equal(t, http.StatusOK, status, body)
			})
			about := map[string]any{
				"bucket":        info.One,
				"files":         consoletest.Files(t),
				"emptied":       store.emptied,
				"looked":        true, // the test of memory looks at the pages
				"empty":         s.serving("--ui", "--write", empty),
				"readOnlyEmpty": s.serving("--ui", empty),
				"readOnly":      s.serving("--ui", location),
			}
			for _, steps := range []string{"states", "actions"} {
				consoletest.Browse(t, "../../serve/console/testdata/flow.mjs", steps, store.has, page, about)
			}
		})
	}
}

// emptyFolder returns a folder of a location in which there is nothing. The location is an address, or the name of one.
func emptyFolder(t *testing.T, of string) string {
	t.Helper()
	const folder = "nothing/"
	if strings.HasSuffix(of, ":") {
		return of + folder
	}
	l, err := location.ParseAddress(of)
	require.NoError(t, err)
	return l.AddressWith(folder)
}
