//go:build omnibucket_sdks

package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// The store enforces what was announced.
func TestUploadIsEnforcedByTheStore(t *testing.T) {
	c := newClient(t, settings{})
	o := c.offer(fmt.Sprintf(`{"size": %d, "type": "image/gif"}`, len(tinyGIF)))
	require.GreaterOrEqual(t, c.put(o.Request, tinyGIF+tinyGIF, nil), 400, "a longer body")
	require.GreaterOrEqual(t, c.put(o.Request, tinyGIF, http.Header{"Content-Type": {"text/html"}}), 400, "another type")

	status, words := c.refused("POST", "api/uploads/"+o.ID, `{"name": "a.gif"}`)
	require.Equal(t, http.StatusNotFound, status)
	require.Contains(t, words, "has not arrived")
	require.Equal(t, http.StatusOK, c.put(o.Request, tinyGIF, nil))
	require.Equal(t, http.StatusPreconditionFailed, c.put(o.Request, tinyGIF, nil), "what is being checked cannot be replaced")
}

// Azure signs no header and no size, so that a browser can send something else than the image it announced. Only the
// program's check of what has arrived protects the gallery.
func TestUploadIsCheckedByTheProgram(t *testing.T) {
	c := newClient(t, settings{bucket: azuriteBucket(t), create: true})
	tests := []struct {
		name, content string
		wantStatus    int
	}{
		{
			name:       "a page as its type says",
			content:    "<html><script>",
			wantStatus: http.StatusUnsupportedMediaType,
		},
		{
			name:       "an image that is too large",
			content:    tinyGIF + strings.Repeat("x", maxBytes),
			wantStatus: http.StatusRequestEntityTooLarge,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// Announce a small image, and send other content of another type. The store takes it.
			o := c.offer(fmt.Sprintf(`{"size": %d, "type": "image/gif"}`, len(tinyGIF)))
			htmlType := http.Header{"Content-Type": {"text/html"}, "X-Ms-Blob-Content-Type": {"text/html"}}
			status := c.put(o.Request, tt.content, htmlType)
			require.Equal(t, http.StatusCreated, status)
			attrs, err := c.site.incoming.Attrs(t.Context(), o.ID)
			require.NoError(t, err)
			require.Equal(t, "text/html", attrs.ContentType)

			// Content that is being checked cannot be replaced.
			secondStatus := c.put(o.Request, tinyGIF, nil)
			require.GreaterOrEqual(t, secondStatus, 400)

			// The program refuses the content.
			status, words := c.refused("POST", "api/uploads/"+o.ID, `{"name": "a.gif"}`)
			require.Equal(t, tt.wantStatus, status)
			require.Contains(t, words, "was not taken")
			require.Empty(t, keys(t, c.site.images))
		})
	}
}

// An image is shown only after the page has finished its upload, because this checks the image.
func TestImageIsShownAfterItsCheck(t *testing.T) {
	c := newClient(t, settings{})
	o := c.offer(fmt.Sprintf(`{"size": %d, "type": "image/gif"}`, len(tinyGIF)))
	require.Equal(t, http.StatusOK, c.put(o.Request, tinyGIF, nil))
	require.Empty(t, c.images("").Images)

	// If the first response is lost, the page finishes the upload again.
	const fileName = `{"name": "C:\\été.gif"}`
	var first, second galleryImage
	require.Equal(t, http.StatusOK, c.call("POST", "api/uploads/"+o.ID, fileName, &first))
	require.Equal(t, http.StatusOK, c.call("POST", "api/uploads/"+o.ID, fileName, &second))
	require.Equal(t, first.ID, second.ID)
	require.Equal(t, "été.gif", first.Name)
	require.EqualValues(t, len(tinyGIF), first.Size)

	// The gallery has one image, with the type that the check found.
	require.Equal(t, []string{o.ID}, keys(t, c.site.images))
	require.Len(t, c.images("").Images, 1)
	attrs, err := c.site.images.Attrs(t.Context(), o.ID)
	require.NoError(t, err)
	require.Equal(t, "image/gif", attrs.ContentType)
	require.Contains(t, attrs.CacheControl, "immutable")
}

// An image in the gallery has no attribute that the page set, because a page could send harmful ones.
func TestImageHasNoAttributesOfThePage(t *testing.T) {
	c := newClient(t, settings{})
	o := c.offer(fmt.Sprintf(`{"size": %d, "type": "image/gif"}`, len(tinyGIF)))

	// The page has sent these attributes with the file.
	_, err := c.site.incoming.Upload(
		t.Context(), o.ID, strings.NewReader(tinyGIF),
		storage.WithContentDisposition(`attachment; filename="photo.hta"`),
		storage.WithContentEncoding("gzip"),
		storage.WithContentLanguage("de"),
		storage.WithCacheControl("max-age=1"),
		storage.WithStorageClass("COLD"),
		storage.WithMetadata(map[string]string{"name": "evil", "other": "evil"}),
	)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, c.call("POST", "api/uploads/"+o.ID, `{"name": "a.gif"}`, nil))

	// The image has only those of the program.
	attrs, err := c.site.images.Attrs(t.Context(), o.ID)
	require.NoError(t, err)
	require.Equal(t, storage.Properties{
		ContentType:  "image/gif",
		CacheControl: "max-age=31536000, immutable",
		Metadata:     map[string]string{"name": "a.gif"},
	}, attrs.Properties)
}

// An image does not change after it was accepted or refused.
func TestImageDoesNotChange(t *testing.T) {
	c := newClient(t, settings{})

	content := func(id string) string {
		data, _, err := storage.ReadAll(t.Context(), c.site.images, id)
		require.NoError(t, err)
		return string(data)
	}
	finish := func(id string) int {
		return c.call("POST", "api/uploads/"+id, `{"name": "a"}`, nil)
	}

	// The other image has the same length, and is twice as wide and high.
	another := strings.Replace(tinyGIF, "\x01\x00\x01", "\x02\x00\x02", 1)
	require.Len(t, another, len(tinyGIF))

	t.Run("signed request sent again after the image was accepted", func(t *testing.T) {
		o := c.offer(fmt.Sprintf(`{"size": %d, "type": "image/gif"}`, len(tinyGIF)))
		require.Equal(t, http.StatusOK, c.put(o.Request, tinyGIF, nil))
		require.Equal(t, http.StatusOK, finish(o.ID))

		require.Equal(t, http.StatusPreconditionFailed, c.put(o.Request, another, nil))
		require.Equal(t, http.StatusOK, finish(o.ID))
		require.Equal(t, tinyGIF, content(o.ID))
	})

	t.Run("signed request sent again after the content was refused", func(t *testing.T) {
		o := c.offer(`{"size": 4, "type": "image/gif"}`)
		require.Equal(t, http.StatusOK, c.put(o.Request, "text", nil))
		require.Equal(t, http.StatusUnsupportedMediaType, finish(o.ID))

		require.Equal(t, http.StatusPreconditionFailed, c.put(o.Request, "more", nil))
	})

	t.Run("store whose signed requests can replace", func(t *testing.T) {
		img := c.upload("a.gif")

		// The write stands for such a request.
		_, err := c.site.incoming.Upload(t.Context(), img.ID, strings.NewReader(another))
		require.NoError(t, err)

		require.Equal(t, http.StatusOK, finish(img.ID))
		require.Equal(t, tinyGIF, content(img.ID))
	})
}

// replaced is the Core of a store whose signed requests can replace. The
// file is replaced as soon as it was checked.
type replaced struct {
	storage.Core
	by string
}

func (r replaced) Download(ctx context.Context, key string, o *storage.DownloadOptions) (*storage.Reader, error) {
	reader, err := r.Core.Download(ctx, key, o)
	var none storage.UploadOptions
	if err == nil {
		err = none.Apply()
	}
	if err == nil {
		_, err = r.Upload(ctx, key, strings.NewReader(r.by), &none)
	}
	return reader, err
}

// A file that replaces a checked image is not shown, because its copy is checked, too.
func TestImageUncheckedIsNotShown(t *testing.T) {
	tests := []struct {
		name        string
		replacement string // content that replaces the image
		wantStatus  int
	}{
		{name: "a page", replacement: "<html><script>alert(1)</script>", wantStatus: http.StatusUnsupportedMediaType},
		{
			name:        "a larger image",
			replacement: tinyGIF + strings.Repeat("x", maxBytes),
			wantStatus:  http.StatusRequestEntityTooLarge,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// An image was sent, and other content replaces it after its check.
			c := newClient(t, settings{})
			_, err := c.site.incoming.Upload(t.Context(), "a.gif", strings.NewReader(tinyGIF))
			require.NoError(t, err)
			changing, err := storage.Wrap(c.site.bucket, func(core storage.Core) storage.Core {
				return replaced{core, tt.replacement}
			})
			require.NoError(t, err)
			c.site.incoming = storage.Prefixed(changing, "incoming/")

			status, words := c.refused("POST", "api/uploads/a.gif", `{"name": "a"}`)
			require.Equal(t, tt.wantStatus, status)
			require.Contains(t, words, "was not taken")
			require.Empty(t, keys(t, c.site.images))
		})
	}
}

// A sweep removes incoming files only when they are older than any signed request, because such a request could still
// be in use. It leaves the images that were accepted.
func TestSweepAfterRequestsExpire(t *testing.T) {
	// One image was accepted, and its incoming file is still there. A second upload was offered, and never sent.
	c := newClient(t, settings{})
	img := c.upload("a.gif")
	c.offer(`{"size": 4, "type": "image/gif"}`)

	sweeps := []struct {
		after        time.Duration
		wantIncoming []string
	}{
		{after: 0, wantIncoming: []string{img.ID}},
		{after: uploadTTL, wantIncoming: []string{img.ID}},
		{after: incomingAge + time.Minute, wantIncoming: nil},
	}
	for _, tt := range sweeps {
		now := time.Now().Add(tt.after)
		c.site.now = func() time.Time { return now }
		require.NoError(t, c.site.sweep(t.Context()))
		require.Equal(t, tt.wantIncoming, keys(t, c.site.incoming), "after %s", tt.after)
		require.Equal(t, []string{img.ID}, keys(t, c.site.images))
	}

	// If the page got no answer, it finishes the upload again. This succeeds even after the sweeps.
	status := c.call("POST", "api/uploads/"+img.ID, `{"name": "a"}`, nil)
	require.Equal(t, http.StatusOK, status)
}

// Only images are accepted.
func TestImageRefusesOtherFiles(t *testing.T) {
	c := newClient(t, settings{})
	tests := []struct {
		name, id, content string
		wantStatus        int
	}{
		{name: "words", id: "a.png", content: "These are words.", wantStatus: http.StatusUnsupportedMediaType},
		{name: "HTML", id: "a.gif", content: "<html><script>", wantStatus: http.StatusUnsupportedMediaType},
		{name: "an image of another type", id: "a.png", content: tinyGIF, wantStatus: http.StatusUnsupportedMediaType},
		{name: "nothing", id: "a.png", wantStatus: http.StatusUnsupportedMediaType},
		{
			name:       "too large, from a store that enforces no size",
			id:         "a.gif",
			content:    tinyGIF + strings.Repeat("x", maxBytes),
			wantStatus: http.StatusRequestEntityTooLarge,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := c.site.incoming.Upload(t.Context(), tt.id, strings.NewReader(tt.content))
			require.NoError(t, err)
			status, words := c.refused("POST", "api/uploads/"+tt.id, `{"name": "a"}`)
			require.Equal(t, tt.wantStatus, status)
			require.Contains(t, words, "was not taken")
			require.Empty(t, keys(t, c.site.images))
			require.NoError(t, c.site.incoming.Remove(t.Context(), tt.id))
		})
	}
}
