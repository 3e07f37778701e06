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

// Files that do not fit into one request, or that must survive a lost connection, are sent
// in parts: page/large.js, the script of package uploads, and its handler.
const (
	largestFile = 50 << 30
	largePrefix = "large/"
)

// openLarge makes the handler that signs the parts.
func (s *site) openLarge() (err error) {
	states := storage.ReadWriter(s.bucket)
	if !storage.Supports(s.bucket, storage.ConditionalCreate|storage.ConditionalUpdate) {
		states = memstore.New() // lost when this process ends
	}
	s.large, err = uploads.New(s.bucket, uploads.Config{
		Authorize: func(*http.Request) (uploads.User, error) { return uploads.User{ID: "visitor"}, nil }, // this page knows no users
		Begin:     s.beginLarge,
		Stored:    s.linkLarge,
		Rules:     rules.Any(largestFile),
		Unguarded: true, // no other file has its key
		States:    uploads.BucketStates(states),
		OnError: func(r *http.Request, err error) {
			slog.Error("request failed", "method", r.Method, "path", r.URL.Path, "error", err)
		},
	})
	return err
}

// beginLarge chooses where a file is stored, and how it is served: as a download, whatever
// it contains.
func (s *site) beginLarge(_ *http.Request, _ uploads.User, file uploads.Request) (*uploads.Target, error) {
	return &uploads.Target{
		Key:                largePrefix + strings.ToLower(rand.Text()),
		Overwrite:          true, // no other file has this key
		ContentType:        "application/octet-stream",
		ContentDisposition: mime.FormatMediaType("attachment", map[string]string{"filename": cleanName(file.Name)}),
	}, nil
}

// linkLarge gives the page an address of the complete file.
func (s *site) linkLarge(ctx context.Context, u *uploads.File) error {
	signed, err := s.bucket.SignedDownloadURL(ctx, u.Key, storage.WithTTL(linkTTL))
	if err != nil {
		return err
	}
	u.Location = signed.URL
	return nil
}

// sweepLarge removes uploads that nobody finished.
func (s *site) sweepLarge(ctx context.Context) error {
	_, err := s.large.Sweep(ctx)
	return err
}

// partHeaders are the headers of signed parts on all stores, for the CORS rule. A store has
// some of them.
var partHeaders = []string{"x-amz-checksum-crc32c", "x-goog-hash", "x-goog-content-length-range", "x-ms-blob-type"}
