package uploads_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

// onlyRead hides all methods of a reader but Read.
type onlyRead struct{ io.Reader }

// Store derives the extension and the type of a file from its content, and not from what the sender claims.
func TestStoreNamesFileByContent(t *testing.T) {
	everything := append(rules.Pictures(), "image/svg+xml", "application/pdf", "text/plain")
	tests := []struct {
		name            string
		content         string
		wantExtension   string
		wantContentType string
	}{
		{name: "JPEG", content: newJPEG(), wantExtension: ".jpg", wantContentType: "image/jpeg"},
		{name: "PNG", content: newPNG(), wantExtension: ".png", wantContentType: "image/png"},
		{name: "GIF", content: newGIF(3, 2), wantExtension: ".gif", wantContentType: "image/gif"},
		{name: "WebP", content: newWebP(), wantExtension: ".webp", wantContentType: "image/webp"},
		{name: "AVIF", content: newAVIF(3, 2), wantExtension: ".avif", wantContentType: "image/avif"},
		{name: "SVG without a script", content: svgFile, wantExtension: ".svg", wantContentType: "image/svg+xml"},
		{
			name:            "PDF",
			content:         "%PDF-1.7\n1 0 obj\n<<>>\nendobj\n",
			wantExtension:   ".pdf",
			wantContentType: "application/pdf",
		},
		{name: "text", content: "all is well", wantExtension: ".txt", wantContentType: "text/plain; charset=utf-8"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bucket := memstore.New()
			s := newService(t, bucket, uploads.Config{Rules: rules.Rules{Types: everything}, Key: "{random}{ext}"})

			file, err := s.Store(t.Context(), uploads.Upload{
				Body:        onlyRead{strings.NewReader(tt.content)},
				Name:        "page.html",
				ClaimedType: "text/html",
			})
			require.NoError(t, err)
			require.Regexp(t, `^[a-z2-7]{26}\`+tt.wantExtension+`$`, file.Key)
			require.Equal(t, tt.wantContentType, file.ContentType)
			require.Equal(t, "page.html", file.Name)

			data, attrs, err := storage.ReadAll(t.Context(), bucket, file.Key)
			require.NoError(t, err)
			require.Equal(t, tt.content, string(data))
			require.Equal(t, tt.wantContentType, attrs.ContentType)
		})
	}
}

// The result of Store describes the file, and has a signed link to it.
func TestStoreResultDescribesFile(t *testing.T) {
	// By UTC, it is April already.
	west := time.FixedZone("west", -2*60*60)
	lastHourOfMarch := time.Date(2026, 3, 31, 23, 0, 0, 0, west)
	const linkTTL = 10 * time.Minute
	runOnBuckets(t, func(t *testing.T, bucket storage.Bucket) {
		s := newService(t, bucket, uploads.Config{
			Key:     "users/{user}/avatars/{yyyy}/{mm}/{random}{ext}",
			Link:    uploads.SignedLink,
			LinkTTL: linkTTL,
			Now:     func() time.Time { return lastHourOfMarch },
		})
		content := newPNG()
		start := time.Now()

		file, err := s.Store(t.Context(), uploads.Upload{
			Body: strings.NewReader(content),
			Name: `C:\photos\me.PNG`,
			User: uploads.User{ID: "42"},
		})
		require.NoError(t, err)
		require.Regexp(t, `^users/42/avatars/2026/04/[a-z2-7]{26}\.png$`, file.Key, "the month of UTC")
		require.Equal(t, "me.PNG", file.Name)
		require.Equal(t, int64(len(content)), file.Size)
		require.Equal(t, 3, file.Width)
		require.Equal(t, 2, file.Height)
		require.True(t, file.CRC32C.Known)
		require.False(t, file.Modified.IsZero())
		require.WithinDuration(t, start.Add(linkTTL), file.ExpiresAt, time.Minute)

		// The link leads to the content and its headers.
		answer, err := client.Get(file.Location)
		require.NoError(t, err)
		defer answer.Body.Close()

		got, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		require.Equal(t, content, string(got))
		require.Equal(t, "image/png", answer.Header.Get("Content-Type"))
		require.Equal(t, "private, max-age=31536000, immutable", answer.Header.Get("Cache-Control"))
	})
}

// Store streams a large file from a reader that cannot seek, whether or not the sender claims a size.
func TestStoreStreamsLargeFile(t *testing.T) {
	runOnBuckets(t, func(t *testing.T, bucket storage.Bucket) {
		s := newService(t, bucket, uploads.Config{Rules: rules.Rules{MaxSize: 20 << 20}})
		content := newPNG() + strings.Repeat("past the end", 1<<20)
		const unknownSize = 0
		for _, claimed := range []int64{unknownSize, int64(len(content))} {
			file, err := s.Store(t.Context(), uploads.Upload{Body: onlyRead{strings.NewReader(content)}, Size: claimed})
			require.NoError(t, err)
			data, _, err := storage.ReadAll(t.Context(), bucket, file.Key)
			require.NoError(t, err)
			require.True(t, content == string(data), "the stored bytes differ")
		}
	})
}

// Concurrent uploads with the same name become separate objects.
func TestStoreSameNameTwice(t *testing.T) {
	runOnBuckets(t, func(t *testing.T, bucket storage.Bucket) {
		s := newService(t, bucket, uploads.Config{})
		const uploaders = 200
		content := newPNG()
		var group sync.WaitGroup
		errs := make([]error, uploaders)
		for i := range uploaders {
			group.Go(func() {
				_, errs[i] = s.Store(t.Context(), uploads.Upload{Body: strings.NewReader(content), Name: "avatar.png"})
			})
		}
		group.Wait()
		require.NoError(t, errors.Join(errs...))

		require.Len(t, listKeys(t, bucket), uploaders)
	})
}

// constantRandom returns the same bytes in each draw.
type constantRandom struct{}

func (constantRandom) Read(p []byte) (int, error) {
	return copy(p, bytes.Repeat([]byte{7}, len(p))), nil
}

// Store does not overwrite an existing object.
func TestStoreKeyExists(t *testing.T) {
	tests := []struct{ name, content string }{
		{name: "small", content: newPNG() + "second"},
		{name: "large", content: newPNG() + strings.Repeat("x", 2<<20)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The random part of each key is the same.
			bucket := memstore.New()
			s := newService(t, bucket, uploads.Config{Random: constantRandom{}})
			first, err := s.Store(t.Context(), uploads.Upload{Body: strings.NewReader(newPNG())})
			require.NoError(t, err)

			_, err = s.Store(t.Context(), uploads.Upload{Body: strings.NewReader(tt.content)})
			require.Equal(t, uploads.StoreFailed, uploads.CodeOf(err))
			require.ErrorIs(t, err, fs.ErrExist)

			// The first file is still there.
			data, _, err := storage.ReadAll(t.Context(), bucket, first.Key)
			require.NoError(t, err)
			require.Equal(t, newPNG(), string(data))
		})
	}
}

// An interrupted upload leaves no object, wherever its body breaks.
func TestStoreInterruptedLeavesNothing(t *testing.T) {
	broken := errors.New("the line went dead")
	tests := []struct {
		name string
		body io.Reader
	}{
		{name: "at once", body: iotest.ErrReader(broken)},
		{
			name: "in the first bytes",
			body: io.MultiReader(strings.NewReader(newPNG()[:20]), iotest.ErrReader(broken)),
		},
		{
			name: "in the middle",
			body: io.MultiReader(strings.NewReader(newPNG()+strings.Repeat("x", 3<<20)), iotest.ErrReader(broken)),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bucket := memstore.New()
			_, err := newService(t, bucket, uploads.Config{}).Store(t.Context(), uploads.Upload{Body: tt.body})
			require.Equal(t, uploads.Interrupted, uploads.CodeOf(err))
			require.ErrorIs(t, err, broken)
			require.ErrorIs(t, err, storage.BodyFailed)
			require.Empty(t, listKeys(t, bucket))
		})
	}
}

// withFailing makes every call of an operation fail with Unavailable.
func withFailing(operation string) storage.OpenOption {
	return storage.WithHook(func(
		ctx context.Context, op storage.Operation,
	) (context.Context, func(storage.Outcome), error) {
		if op.Name == operation {
			return ctx, nil, storage.Unavailable
		}
		return ctx, nil, nil
	})
}

// If the URL of a stored file cannot be signed, Store fails and removes the file.
func TestStoreLinkCannotBeSigned(t *testing.T) {
	bucket := openMemory(t, withFailing("SignedDownloadURL"))
	s := newService(t, bucket, uploads.Config{Link: uploads.SignedLink})
	_, err := s.Store(t.Context(), uploads.Upload{Body: strings.NewReader(newPNG())})
	require.Equal(t, uploads.StoreFailed, uploads.CodeOf(err))
	require.Empty(t, listKeys(t, bucket))
}

// A hesitantReader returns no bytes every other time, as readers may.
type hesitantReader struct {
	from  io.Reader
	turns int
}

// Read returns no bytes and one byte in turn.
func (h *hesitantReader) Read(p []byte) (int, error) {
	h.turns++
	if h.turns%2 == 1 {
		return 0, nil
	}
	return h.from.Read(p[:min(1, len(p))])
}

// If a read of the body returns no bytes and no error, Store reads again.
func TestStoreWaitsForSlowReader(t *testing.T) {
	s := newService(t, memstore.New(), uploads.Config{})
	body := &hesitantReader{from: strings.NewReader(newPNG())}
	_, err := s.Store(t.Context(), uploads.Upload{Body: body})
	require.NoError(t, err)
}

// If the bucket fails, Store fails with StoreFailed, and the error also matches the code of the bucket's error.
func TestStoreReportsErrorOfBucket(t *testing.T) {
	bucket := memstore.New(withFailing("Upload"))
	s := newService(t, bucket, uploads.Config{})
	_, err := s.Store(t.Context(), uploads.Upload{Body: strings.NewReader(newPNG()), Name: "a/b.png"})
	uploadErr, ok := errors.AsType[*uploads.Error](err)
	require.True(t, ok)
	require.Equal(t, uploads.StoreFailed, uploadErr.Code)
	require.Equal(t, "b.png", uploadErr.Name)
	require.ErrorIs(t, err, storage.Unavailable)
}

// A cancelingReader cancels a call with its first bytes, and then returns more bytes.
type cancelingReader struct{ cancel context.CancelFunc }

func (c cancelingReader) Read(p []byte) (int, error) {
	c.cancel()
	return copy(p, "GIF89a\x01\x00\x01\x00\x00\x00\x00"+strings.Repeat("\x21\xfe\x00", 100)), nil
}

// Store ends with its context, even while it inspects the file.
func TestStoreEndsWithContextWhileJudging(t *testing.T) {
	s := newService(t, memstore.New(), uploads.Config{})

	// The body cancels the context, and then continues.
	ctx, cancel := context.WithCancel(t.Context())
	_, err := s.Store(ctx, uploads.Upload{Body: cancelingReader{cancel}})
	uploadErr, ok := errors.AsType[*uploads.Error](err)
	require.True(t, ok)
	require.Equal(t, uploads.Interrupted, uploadErr.Code)
	require.Equal(t, http.StatusServiceUnavailable, uploadErr.HTTPStatus())
	require.ErrorIs(t, err, storage.Canceled)
	require.ErrorIs(t, err, context.Canceled)
}
