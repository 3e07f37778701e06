package main

import (
	"context"
	"crypto/rand"
	"log/slog"
	"mime"
	"net/http"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

// Large files, and uploads that must survive a lost connection, are sent in parts. The page does
// that with page/large.js and the script of package uploads. The handler is that of package
// uploads.
const (
	largestFile = 50 << 30
	largePrefix = "large/"
)

// openLarge creates the handler that signs the parts of large files.
func (s *site) openLarge() (err error) {
	states := storage.ReadWriter(s.bucket)
	if !storage.Supports(s.bucket, storage.ConditionalCreate|storage.ConditionalUpdate) {
		// Unfinished uploads are then lost when this process ends.
		states = memstore.New()
	}
	s.large, err = uploads.New(s.bucket, uploads.Config{
		Authorize: func(*http.Request) (uploads.User, error) { return uploads.User{ID: "visitor"}, nil }, // no users
		Begin:     s.beginLarge,
		Stored:    s.linkLarge,
		Rules:     rules.Any(largestFile),
		Unguarded: true, // safe, because each file has a random key
		States:    uploads.BucketStates(states),
		OnError: func(r *http.Request, err error) {
			slog.Error("request failed", "method", r.Method, "path", r.URL.Path, "error", err)
		},
	})
	return err
}

// beginLarge decides where a file is stored and how it is served. It is always served as a
// download, because its content is not checked.
func (s *site) beginLarge(_ *http.Request, _ uploads.User, file uploads.Request) (*uploads.Target, error) {
	return &uploads.Target{
		Key:                largePrefix + strings.ToLower(rand.Text()),
		Overwrite:          true, // safe, because each file has a random key
		ContentType:        "application/octet-stream",
		ContentDisposition: mime.FormatMediaType("attachment", map[string]string{"filename": cleanName(file.Name)}),
	}, nil
}

// linkLarge sets the URL at which the page finds the complete file.
func (s *site) linkLarge(ctx context.Context, u *uploads.File) error {
	link, err := s.bucket.SignedDownloadURL(ctx, u.Key, storage.WithTTL(linkTTL))
	if err != nil {
		return err
	}
	u.Location = link.URL
	return nil
}

// sweepLarge removes unfinished uploads that have expired.
func (s *site) sweepLarge(ctx context.Context) error {
	_, err := s.large.Sweep(ctx)
	return err
}

// partHeaders lists the headers that signed requests for parts have. Each store uses some of them.
// The CORS rule permits all of them.
var partHeaders = []string{"x-amz-checksum-crc32c", "x-goog-hash", "x-goog-content-length-range", "x-ms-blob-type"}
