package main

import (
	"net/http/httptest"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/pagetest"
	"github.com/omnibucket/storage/providers/local"
)

// The page in a browser stores the picture of the user, and no file that is refused.
func TestPageInABrowser(t *testing.T) {
	// The site and its store are at one address.
	server := httptest.NewUnstartedServer(nil)
	origin := "http://" + server.Listener.Addr().String()
	bucket, err := local.Open(t.TempDir(), local.Config{}, storage.WithSigningBaseURL(origin+"/store"))
	require.NoError(t, err)
	server.Config.Handler, err = handler(bucket)
	require.NoError(t, err)
	server.Start()
	t.Cleanup(func() {
		server.Close()
		require.NoError(t, storage.Close(bucket))
	})

	// The flow sends a picture and other files.
	dir := t.TempDir()
	pagetest.Landscapes(t, dir, "Lake at dawn.jpg")
	pagetest.Run(t, "avatars", "testdata/flow.mjs", map[string]any{"url": origin, "files": dir})

	var keys []string
	for entry, err := range bucket.List(t.Context(), storage.WithPrefix("users/")) {
		require.NoError(t, err)
		keys = append(keys, entry.Key)
	}
	require.Len(t, keys, 1, "what was refused has left nothing")
	require.Regexp(t, `^users/eva/[a-z2-7]{26}\.jpg$`, keys[0])
}

// The guide has the page.
func TestGuideHasThePage(t *testing.T) {
	guide, err := os.ReadFile("../../docs/files-of-users.md")
	require.NoError(t, err)
	require.Contains(t, string(guide), "```html\n"+string(page)+"```")
}
