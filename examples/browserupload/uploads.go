package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"time"
	"unicode"

	"github.com/omnibucket/storage"
)

const (
	maxBytes  = 10 << 20
	uploadTTL = 15 * time.Minute // time within which an upload must start; it may then take longer
	sniffed   = 512              // number of bytes that http.DetectContentType reads
)

// types maps the types that may be uploaded to the extensions of their keys. SVG is not allowed,
// because it can contain scripts.
var types = map[string]string{
	"image/gif":  ".gif",
	"image/jpeg": ".jpg",
	"image/png":  ".png",
	"image/webp": ".webp",
}

// An offer is a signed request that the page sends to upload one file.
type offer struct {
	ID      string             `json:"id"`
	Request *storage.SignedURL `json:"request"`
}

// startUpload signs the upload of one file. It checks the size and type that the page announces.
// The signature covers both, so that the store enforces them.
func (s *site) startUpload(r *http.Request) (any, error) {
	var file struct {
		Size int64  `json:"size"`
		Type string `json:"type"`
	}
	if err := readJSON(r, &file); err != nil {
		return nil, err
	}
	extension, ok := types[file.Type]
	if !ok {
		return nil, &failure{http.StatusUnsupportedMediaType, "Only JPEG, PNG, GIF and WebP images can be uploaded."}
	}
	if file.Size < 1 {
		return nil, &failure{http.StatusUnprocessableEntity, "The file is empty."}
	}
	if file.Size > maxBytes {
		return nil, &failure{http.StatusRequestEntityTooLarge, "The file is larger than 10 MiB."}
	}
	id := newID(s.now()) + extension
	request, err := s.signUpload(r.Context(), id, file.Type, file.Size)
	if err != nil {
		return nil, err
	}
	return offer{ID: id, Request: request}, nil
}

// signUpload signs an upload with every condition that the store can enforce. The page knows the
// file's size, so the exact size is signed, which is stricter than the range of a form. If the
// store cannot enforce a size (Azure), only finishUpload checks it.
func (s *site) signUpload(ctx context.Context, id, mediaType string, size int64) (*storage.SignedURL, error) {
	opts := []storage.SignedUploadOption{storage.WithTTL(uploadTTL), storage.WithContentType(mediaType)}
	if storage.Supports(s.incoming, storage.SignedSize) {
		opts = append(opts, storage.WithSize(size))
	}
	if storage.Supports(s.incoming, storage.SignedIfAbsent) {
		// The file cannot change after it was checked.
		opts = append(opts, storage.IfAbsent())
	}
	return s.incoming.SignedUploadURL(ctx, id, opts...)
}

// newID returns a random name that nobody can guess. It begins with a number that decreases with
// time, so that a listing, which is sorted by key, begins with the newest image.
func newID(now time.Time) string {
	return fmt.Sprintf("%011x-%s", 1<<44-1-now.UnixMilli(), strings.ToLower(rand.Text()))
}

// finishUpload checks a file that has arrived. If the file is an image, finishUpload copies it to
// the gallery. It reads only the first bytes of the file. If the response is lost, the page may
// call finishUpload again.
//
// The file stays in incoming. A store with the feature SignedIfAbsent accepts the signed request
// only while the file does not exist. If finishUpload removed the file, the browser could send
// another file with the same request.
//
// On a store without the feature SignedIfAbsent, the browser can replace the file between the check
// and the copy. finishUpload therefore also checks the copy. A later call never replaces the copy.
func (s *site) finishUpload(r *http.Request) (any, error) {
	ctx := r.Context()
	id := r.PathValue("id")

	var file struct {
		Name string `json:"name"`
	}
	if err := readJSON(r, &file); err != nil {
		return nil, err
	}

	mediaType, err := check(ctx, s.incoming, id)
	if errors.Is(err, storage.ObjectNotFound) {
		// An earlier call may have finished the upload, and a sweep may have removed the file since.
		finished, err := s.image(ctx, id)
		if err == nil {
			return finished, nil
		}
		return nil, &failure{http.StatusNotFound, "The file has not arrived in the store."}
	}
	if err != nil {
		return nil, err
	}

	// If an earlier call has already made the copy, Copy fails with PreconditionFailed.
	opts := s.copyOptions(mediaType, cleanName(file.Name))
	_, err = storage.Copy(ctx, s.images, id, s.incoming, id, opts...)
	if err != nil && !errors.Is(err, storage.PreconditionFailed) {
		return nil, err
	}

	if _, err := check(ctx, s.images, id); err != nil {
		var refused *failure
		if errors.As(err, &refused) {
			err = errors.Join(err, s.images.Remove(ctx, id))
		}
		return nil, err
	}
	return s.image(ctx, id)
}

// copyOptions returns options that set every attribute of an image in the gallery. Otherwise the
// copy would keep the attributes that the browser has chosen.
func (s *site) copyOptions(mediaType, name string) []storage.CopyOption {
	opts := []storage.CopyOption{
		storage.WithContentDisposition(""),
		storage.WithContentEncoding(""),
		storage.WithContentLanguage(""),
		storage.WithStorageClass(""),
		storage.WithContentType(mediaType),
		storage.WithCacheControl("max-age=31536000, immutable"), // the content of a key never changes
		storage.WithMetadata(map[string]string{"name": name}),
	}
	if storage.Supports(s.images, storage.ConditionalCreate) {
		opts = append(opts, storage.IfAbsent())
	}
	if s.public {
		opts = append(opts, storage.WithPublicRead())
	}
	return opts
}

// check returns the media type of a file. It fails if the file is too large, or if its first bytes are
// not those of the type that the id names.
func check(ctx context.Context, b storage.Bucket, id string) (mediaType string, err error) {
	r, err := b.Download(ctx, id, storage.WithRange(0, sniffed))
	if err != nil {
		return "", err
	}
	defer func() { _ = r.Close() }()

	if r.Attrs().Size > maxBytes {
		return "", &failure{http.StatusRequestEntityTooLarge, "The file is larger than 10 MiB, and was not taken."}
	}
	head, err := io.ReadAll(r)
	if err != nil {
		return "", err
	}
	mediaType = http.DetectContentType(head)
	if types[mediaType] != path.Ext(id) {
		return "", &failure{
			http.StatusUnsupportedMediaType, "The file is not the image that its name says, and was not taken.",
		}
	}
	return mediaType, nil
}

// cleanName returns the name that the client has sent, in a form that is safe to show. Use the
// result for nothing else.
func cleanName(name string) string {
	name = strings.ToValidUTF8(name, "")
	name = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1 // removes the character
		}
		return r
	}, name)

	// The name may be a path on the machine of the visitor. Keep only its end.
	name = strings.TrimSpace(name[strings.LastIndexAny(name, `/\`)+1:])
	if runes := []rune(name); len(runes) > 100 {
		name = strings.TrimSpace(string(runes[:100]))
	}
	if name == "" {
		return "image"
	}
	return name
}
