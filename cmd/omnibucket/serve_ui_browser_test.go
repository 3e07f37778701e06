package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
	"github.com/omnibucket/storage/internal/testing/consoletest"
	"github.com/omnibucket/storage/internal/testing/testserver"
)

// uiStores has locations on which every action of the page runs. A test in serve/console does this
// for a bucket in memory.
var uiStores = []struct {
	name string
	has  consoletest.Features
	open func(t *testing.T) (s *shell, location string)
	// emptied says that the store still lists a folder if it has nothing but delete markers.
	emptied bool
	remove  bool // the bucket after the test
}{
	{
		name: "directory",
		has:  consoletest.Features{Tags: true, Sign: true, Resume: true, Conditions: true},
		open: func(t *testing.T) (*shell, string) { return newShell(t), newDirectoryAddress(t) },
	},
	{
		name: "directory with versions",
		has:  consoletest.Features{Versions: true, Undelete: true, Tags: true, Sign: true, Resume: true, Conditions: true},
		open: func(t *testing.T) (*shell, string) { return newShell(t), newDirectoryAddress(t) + "?versions=true" },
	},
	{
		name: "MinIO with versions",
		has:  consoletest.Features{Versions: true, Undelete: true, Tags: true, Sign: true, Resume: true, Conditions: true},
		open: func(t *testing.T) (*shell, string) {
			s := newShell(t)
			bucket, parameters := newMinIOBucket(t)
			s.run("mb", "--versioned", bucket+parameters)
			return s, bucket + parameters
		},
		emptied: true,
		remove:  true,
	},
	{
		name: "Azurite",
		has:  consoletest.Features{Tags: true, Sign: true, Resume: true, Conditions: true},
		open: func(t *testing.T) (*shell, string) {
			s := newShell(t)
			address := realStores[2].address(t, "cli-page", testserver.Need(t, "OMNIBUCKET_TEST_AZURITE"))
			s.run("mb", address)
			return s, address
		},
		remove: true,
	},
	{
		name: "encrypted",
		has:  consoletest.Features{Tags: true, Conditions: true},
		open: func(t *testing.T) (*shell, string) {
			s, _ := newEncryptingShell(t)
			return s, "box:"
		},
	},
	{
		name: "mirrored",
		has:  consoletest.Features{Tags: true, Sign: true, Resume: true, Conditions: true},
		open: func(t *testing.T) (*shell, string) {
			s, _ := newConfiguredShell(t, "locations:\n  first: "+newDirectoryAddress(t)+"\n  second: "+newDirectoryAddress(t)+
				"\n  box:\n    address: "+newDirectoryAddress(t)+"\n    layers: [{mirror: second}]\n")
			return s, "box:"
		},
	},
}

// The page of serve --ui works in a real browser, on each kind of store.
func TestServeUIInABrowser(t *testing.T) {
	testserver.Need(t, "OMNIBUCKET_TEST_CHROMIUM")
	for _, store := range uiStores {
		t.Run(store.name, func(t *testing.T) {
			s, location := store.open(t)
			if store.remove {
				defer s.run("rb", "--force", location)
			}
			page := s.serve("--ui", "--write", location)
			empty := newEmptyFolder(t, location)
			bucket := bucketOfPage(t, page)
			consoletest.Fill(t, func(key, contentType string, content []byte) {
				query := url.Values{"bucket": {bucket}, "key": {key}, "type": {contentType}}
				status, body := askPage(t, "PUT", page+"api/upload?"+query.Encode(), string(content))
				require.Equal(t, http.StatusOK, status, body)
			})

			// The steps in the browser use these facts about the store, and the addresses of
			// further pages.
			about := map[string]any{
				"bucket":  bucket,
				"files":   consoletest.Files(t),
				"emptied": store.emptied,
				// Skip the checks of how the page looks, because the test with a bucket in memory
				// makes them.
				"looked":        true,
				"empty":         s.serve("--ui", "--write", empty),
				"readOnlyEmpty": s.serve("--ui", empty),
				"readOnly":      s.serve("--ui", location),
			}
			for _, steps := range []string{"states", "actions"} {
				consoletest.Browse(t, "../../serve/console/testdata/flow.mjs", steps, store.has, page, about)
			}
		})
	}
}

// newEmptyFolder returns the address of an empty folder in a location. name is an address, or the
// name of a location.
func newEmptyFolder(t *testing.T, name string) string {
	t.Helper()
	const folder = "nothing/"
	if strings.HasSuffix(name, ":") {
		return name + folder
	}
	l, err := location.ParseAddress(name)
	require.NoError(t, err)
	return l.AddressWith(folder)
}
