//go:build omnibucket_sdks

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

const tinyGIF = "GIF89a\x01\x00\x01\x00\x00\x00\x00;"

// A client acts as the page, without a browser.
type client struct {
	t    *testing.T
	site *site
	url  string
}

// newClient returns a client of a new site. By default, the site has a bucket in memory.
func newClient(t *testing.T, set settings) *client {
	t.Helper()
	if set.bucket == "" {
		set.bucket = memoryBucket(t)
	}
	s, err := open(t.Context(), set)
	require.NoError(t, err)
	handler, err := s.handler()
	require.NoError(t, err)
	server := httptest.NewServer(handler)
	t.Cleanup(func() {
		server.Close()
		require.NoError(t, s.Close())
	})
	return &client{t, s, server.URL + "/"}
}

// call sends a request, and returns the status of the response. If result is not nil, the JSON is decoded into it.
func (c *client) call(method, path, body string, result any) int {
	c.t.Helper()
	request, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, strings.NewReader(body))
	require.NoError(c.t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(c.t, err)
	defer func() {
		_ = response.Body.Close()
	}()
	text, err := io.ReadAll(response.Body)
	require.NoError(c.t, err)
	if result != nil {
		require.NoError(c.t, json.Unmarshal(text, result), "%s", text)
	}
	return response.StatusCode
}

// refused sends a request, and returns the status and the message that the user of the page sees.
func (c *client) refused(method, path, body string) (status int, words string) {
	c.t.Helper()
	var answer struct{ Error string }
	status = c.call(method, path, body, &answer)
	return status, answer.Error
}

// offer asks for a signed request for an upload, which body describes in JSON.
func (c *client) offer(body string) offer {
	c.t.Helper()
	var o offer
	require.Equal(c.t, http.StatusOK, c.call("POST", "api/uploads", body, &o))
	return o
}

// put sends the signed request with other headers and a body, and returns the status.
func (c *client) put(signedURL *storage.SignedURL, body string, header http.Header) int {
	c.t.Helper()
	request, err := signedURL.Request(c.t.Context(), strings.NewReader(body))
	require.NoError(c.t, err)
	for name := range header {
		request.Header.Set(name, header.Get(name))
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(c.t, err)
	require.NoError(c.t, response.Body.Close())
	return response.StatusCode
}

// upload uploads tinyGIF under a name, and returns the accepted image.
func (c *client) upload(name string) galleryImage {
	c.t.Helper()
	o := c.offer(fmt.Sprintf(`{"size": %d, "type": "image/gif"}`, len(tinyGIF)))
	require.Equal(c.t, http.StatusOK, c.put(o.Request, tinyGIF, nil))
	var img galleryImage
	require.Equal(c.t, http.StatusOK, c.call("POST", "api/uploads/"+o.ID, `{"name": "`+name+`"}`, &img))
	return img
}

// images returns a page of the gallery. The first one is "".
func (c *client) images(page string) gallery {
	c.t.Helper()
	var g gallery
	require.Equal(c.t, http.StatusOK, c.call("GET", "api/images?page="+url.QueryEscape(page), "", &g))
	return g
}

// keys returns the keys of a bucket.
func keys(t *testing.T, b storage.Lister) []string {
	t.Helper()
	var all []string
	for entry, err := range b.List(t.Context()) {
		require.NoError(t, err)
		all = append(all, entry.Key)
	}
	return all
}

// An impossible upload is refused before signing.
func TestOfferRefusesImpossibleUploads(t *testing.T) {
	c := newClient(t, settings{})
	tests := []struct {
		name, body string
		wantStatus int
		wantWords  string
	}{
		{
			name:       "another type",
			body:       `{"size": 1, "type": "text/html"}`,
			wantStatus: http.StatusUnsupportedMediaType,
			wantWords:  "Only JPEG, PNG",
		},
		{
			name:       "an image that can carry scripts",
			body:       `{"size": 1, "type": "image/svg+xml"}`,
			wantStatus: http.StatusUnsupportedMediaType,
			wantWords:  "Only JPEG, PNG",
		},
		{
			name:       "no type",
			body:       `{"size": 1}`,
			wantStatus: http.StatusUnsupportedMediaType,
			wantWords:  "Only JPEG, PNG",
		},
		{
			name:       "an empty file",
			body:       `{"size": 0, "type": "image/png"}`,
			wantStatus: http.StatusUnprocessableEntity,
			wantWords:  "empty",
		},
		{
			name:       "a negative size",
			body:       `{"size": -1, "type": "image/png"}`,
			wantStatus: http.StatusUnprocessableEntity,
			wantWords:  "empty",
		},
		{
			name:       "one byte too many",
			body:       `{"size": 10485761, "type": "image/png"}`,
			wantStatus: http.StatusRequestEntityTooLarge,
			wantWords:  "larger than 10 MiB",
		},
		{
			name:       "a key of the client's own",
			body:       `{"size": 1, "type": "image/png", "key": "../x"}`,
			wantStatus: http.StatusBadRequest,
			wantWords:  "not understood",
		},
		{name: "no JSON", body: `size=1`, wantStatus: http.StatusBadRequest, wantWords: "not understood"},
		{
			name:       "a document without an end",
			body:       `{"size": 1, "type": "` + strings.Repeat("x", 1<<20),
			wantStatus: http.StatusBadRequest,
			wantWords:  "not understood",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, words := c.refused("POST", "api/uploads", tt.body)
			require.Equal(t, tt.wantStatus, status)
			require.Contains(t, words, tt.wantWords)
		})
	}
}

// The gallery lists its images on pages, the newest first. It leaves out objects that are no images.
func TestGalleryPagesNewestFirst(t *testing.T) {
	c := newClient(t, settings{})

	// The bucket has the images of a full page, three more, and two other objects.
	startTime := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var want []string
	for i := range pageSize + 3 {
		id := newID(startTime.Add(time.Duration(i)*time.Millisecond)) + ".gif"
		_, err := c.site.images.Upload(t.Context(), id, strings.NewReader(tinyGIF))
		require.NoError(t, err)
		want = append([]string{id}, want...)
	}
	for _, other := range []string{"notes.txt", "folder/a.gif"} {
		_, err := c.site.images.Upload(t.Context(), other, strings.NewReader("x"))
		require.NoError(t, err)
	}

	// Get all pages. Images that were put there by hand have their IDs as their names.
	var got []string
	pages := 0
	for page := ""; pages == 0 || page != ""; pages++ {
		g := c.images(page)
		for _, img := range g.Images {
			got = append(got, img.ID)
			require.Equal(t, img.ID, img.Name)
		}
		page = g.Next
	}
	require.Equal(t, want, got)
	require.Equal(t, 2, pages)

	status, _ := c.refused("GET", "api/images?page=made-up", "")
	require.Equal(t, http.StatusBadRequest, status)
}

// The link to an image leads to its bytes, and expires unless the bucket is public. A deleted image has no link.
func TestLinks(t *testing.T) {
	for _, public := range []bool{false, true} {
		t.Run(fmt.Sprintf("public %t", public), func(t *testing.T) {
			c := newClient(t, settings{public: public})
			img := c.upload("a.gif")

			var l link
			require.Equal(t, http.StatusOK, c.call("GET", "api/images/"+img.ID+"/link", "", &l))
			require.Equal(t, public, l.ExpiresAt == nil)
			require.Equal(t, public, !strings.Contains(l.URL, "?"))

			response, err := http.Get(l.URL)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			require.Equal(t, http.StatusOK, response.StatusCode)

			require.Equal(t, http.StatusNoContent, c.call("DELETE", "api/images/"+img.ID, "", nil))
			require.Equal(t, http.StatusNoContent, c.call("DELETE", "api/images/"+img.ID, "", nil), "twice is no error")
			status, words := c.refused("GET", "api/images/"+img.ID+"/link", "")
			require.Equal(t, http.StatusNotFound, status)
			require.Contains(t, words, "not there any more")
		})
	}
}

// No ID of an image leads to an object outside the gallery.
func TestGalleryReachesNothingElse(t *testing.T) {
	c := newClient(t, settings{})
	for _, key := range []string{"private.gif", "incoming/a.gif"} {
		_, err := c.site.bucket.Upload(t.Context(), key, strings.NewReader(tinyGIF))
		require.NoError(t, err)
	}

	ids := []string{
		"..%2Fprivate.gif",
		"..%2Fincoming%2Fa.gif",
		"%2E%2E%2Fprivate.gif",
		"%2Fprivate.gif",
		"private.gif",
	}
	for _, id := range ids {
		c.call("DELETE", "api/images/"+id, "", nil)
		require.GreaterOrEqual(t, c.call("GET", "api/images/"+id+"/link", "", nil), 400, id)
		require.GreaterOrEqual(t, c.call("POST", "api/uploads/"+id, `{"name": "a"}`, nil), 400, id)
	}

	// DELETE has removed nothing.
	require.Equal(t, []string{"incoming/a.gif", "private.gif"}, keys(t, c.site.bucket))
}

// The page of another site is refused.
func TestRequestsOfOtherSites(t *testing.T) {
	c := newClient(t, settings{})
	img := c.upload("a.gif")

	// A browser sends this header with a request of such a page.
	request, err := http.NewRequestWithContext(t.Context(), "DELETE", c.url+"api/images/"+img.ID, nil)
	require.NoError(t, err)
	request.Header.Set("Sec-Fetch-Site", "cross-site")
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())

	require.Equal(t, http.StatusForbidden, response.StatusCode)
	require.Len(t, c.images("").Images, 1, "the image is not deleted")
}

// A failure of the store reveals nothing.
func TestErrorsRevealNothing(t *testing.T) {
	dir := filepath.ToSlash(filepath.Join(t.TempDir(), "secret-name"))
	c := newClient(t, settings{bucket: fileAddress(dir)})
	require.NoError(t, removeAll(dir))
	status, words := c.refused("GET", "api/images", "")
	require.GreaterOrEqual(t, status, 500)
	require.NotContains(t, words, "secret-name")
	require.NotEmpty(t, words)
}

// The page loads only its own files, and connects only to itself and to the store of the uploads.
func TestPageLoadsOnlyItsOwnFiles(t *testing.T) {
	c := newClient(t, settings{})
	response, err := http.Get(c.url)
	require.NoError(t, err)
	defer func() {
		_ = response.Body.Close()
	}()

	// The policy permits no other place.
	policy := response.Header.Get("Content-Security-Policy")
	require.Contains(t, policy, "default-src 'none'")
	require.Contains(t, policy, "connect-src 'self' "+c.site.server.URL)
	require.NotContains(t, policy, "unsafe")
	require.NotContains(t, policy, "*")

	// The page has no address but that of the bucket, which is a text for the user.
	page, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NotContains(t, strings.ReplaceAll(string(page), c.site.name, ""), "://")
}
