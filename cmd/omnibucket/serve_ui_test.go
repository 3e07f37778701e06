package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// askPage sends a request with the header that the page's script sends.
func askPage(t *testing.T, method, address, body string) (status int, answer string) {
	t.Helper()
	r := request(t, method, address, body)
	r.Header.Set("X-Console", "1")
	return ask(t, r)
}

// bucketOfPage returns the id of the bucket that a page shows. The page shows only one.
func bucketOfPage(t *testing.T, page string) string {
	t.Helper()
	_, body := askPage(t, "GET", page+"api/info", "")
	var info struct{ One string }
	require.NoError(t, json.Unmarshal([]byte(body), &info))
	return info.One
}

// serve --ui serves a page under a path that nobody can guess. Without --write, the page changes nothing.
func TestServeUI(t *testing.T) {
	s := newShell(t)
	bucket := newDirectoryAddress(t)
	s.put(bucket+"#2026/a.txt", "text")

	page := s.serve("--ui", bucket)
	require.Regexp(t, `^http://127\.0\.0\.1:\d+/[A-Z2-7]{26}/$`, page)

	status, body := get(t, page)
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, "<!doctype html>")

	// The page lists the folders of its bucket.
	_, body = askPage(t, "GET", page+"api/info", "")
	var info struct {
		One   string // name of the only bucket
		Write bool
	}
	require.NoError(t, json.Unmarshal([]byte(body), &info))
	require.False(t, info.Write)
	query := "bucket=" + url.QueryEscape(info.One)
	_, body = askPage(t, "GET", page+"api/list?"+query, "")
	require.Contains(t, body, `"2026/"`)

	// An upload needs --write.
	status, _ = askPage(t, "PUT", page+"api/upload?key=b&"+query, "x")
	require.Equal(t, http.StatusForbidden, status)

	// Outside of the page's path, the server finds nothing.
	pageURL, err := url.Parse(page)
	require.NoError(t, err)
	for _, path := range []string{"/", "/api/info", "/x/", "/2026/a.txt"} {
		status, _ = askPage(t, "GET", "http://"+pageURL.Host+path, "")
		require.Equal(t, http.StatusNotFound, status, "%s without the token", path)
	}
}

// Without --write, the page of serve --ui refuses to create a link. It also does not write the
// signing key that links need.
func TestServeUIReadOnlyWritesNothing(t *testing.T) {
	s := newShell(t)
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"a.txt": "text"})
	page := s.serve("--ui", dir)

	bucket := bucketOfPage(t, page)
	require.Equal(t, filepath.Base(dir), bucket, "must not show where the directory is")
	_, body := askPage(t, "GET", page+"api/bucket?bucket="+url.QueryEscape(bucket), "")
	require.Contains(t, body, `"sign":false`)

	linkRequest, err := json.Marshal(map[string]any{"bucket": bucket, "key": "a.txt", "seconds": 60})
	require.NoError(t, err)
	status, _ := askPage(t, "POST", page+"api/link", string(linkRequest))
	require.GreaterOrEqual(t, status, http.StatusBadRequest)
	require.NoDirExists(t, filepath.Join(dir, ".omnibucket"))
}

// The page of a folder changes only the folder.
func TestServeUIOfAFolder(t *testing.T) {
	s := newShell(t)
	bucket := newDirectoryAddress(t)
	s.put(bucket+"#public/a.txt", "text")
	s.put(bucket+"#secret.txt", "secret")
	page := s.serve("--ui", "--write", bucket+"#public/")
	query := "bucket=" + url.QueryEscape(bucketOfPage(t, page))

	// The page lists only its folder.
	_, body := askPage(t, "GET", page+"api/list?"+query, "")
	require.Contains(t, body, `"a.txt"`)
	require.NotContains(t, body, "secret")

	// An upload goes into the folder.
	status, _ := askPage(t, "PUT", page+"api/upload?key=b.txt&"+query, "new")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "new", s.run("cat", bucket+"#public/b.txt"))

	// An upload to a key outside of the folder is refused.
	outside := url.QueryEscape("../secret.txt")
	status, _ = askPage(t, "PUT", page+"api/upload?key="+outside+"&replace=1&"+query, "new")
	require.Equal(t, http.StatusBadRequest, status)
	require.Equal(t, "secret", s.run("cat", bucket+"#secret.txt"))
}

// A link of the page also works for people who cannot open the page itself.
func TestServeUILinks(t *testing.T) {
	s := newShell(t)
	bucket := newDirectoryAddress(t)
	s.put(bucket+"#public/a.txt", "text")
	page := s.serve("--ui", "--write", bucket+"#public/")

	// Ask for a link that is valid for a minute.
	linkRequest, err := json.Marshal(map[string]any{"bucket": bucketOfPage(t, page), "key": "a.txt", "seconds": 60})
	require.NoError(t, err)
	status, body := askPage(t, "POST", page+"api/link", string(linkRequest))
	require.Equal(t, http.StatusOK, status, body)
	var link struct{ URL string }
	require.NoError(t, json.Unmarshal([]byte(body), &link))

	// The URL of the page is http://host/token/. The link does not show this token.
	token := strings.Split(page, "/")[3]
	require.NotContains(t, link.URL, token)

	// The link returns the object.
	status, body = get(t, link.URL)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "text", body)
}

// The page shows an object from an origin that is not the page's. So scripts in the object cannot
// use the page.
func TestServeUIBytesOfAnotherOrigin(t *testing.T) {
	s := newShell(t)
	bucket := newDirectoryAddress(t)
	s.put(bucket+"#a.pdf", "%PDF-1.7")
	page := s.serve("--ui", bucket)

	// Ask for the URL that shows the object.
	query := "key=a.pdf&bucket=" + url.QueryEscape(bucketOfPage(t, page))
	_, body := askPage(t, "GET", page+"api/object?"+query, "")
	var object struct{ View string }
	require.NoError(t, json.Unmarshal([]byte(body), &object))

	// The URL has another host and port than the page.
	pageURL, err := url.Parse(page)
	require.NoError(t, err)
	viewURL, err := url.Parse(object.View)
	require.NoError(t, err)
	require.NotEqual(t, pageURL.Host, viewURL.Host)

	status, body := get(t, object.View)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "%PDF-1.7", body)
}

// serve refuses flags and arguments that do not fit --ui.
func TestServeUIRefusesFlags(t *testing.T) {
	s := newShell(t)
	bucket := newDirectoryAddress(t)
	for _, args := range [][]string{
		{"--write", bucket},
		{"--ui", "--listing", bucket},
		{"--ui", "--s3"},
		{"--ui", "--write", "--read-only", bucket},
		{"--ui", "--create", "photos", bucket},
		{"--ui"},
	} {
		s.requireExit(exitUsage, append([]string{"serve"}, args...)...)
	}
}
