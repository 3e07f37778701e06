// Package distribution makes a storage driver of the registry of container images
// (github.com/distribution/distribution/v3) of any [storage.Bucket] with [storage.OpenUploads].
//
// Import it beside the drivers of the stores. The registry's configuration then has the address of a bucket:
//
//	storage:
//	  omnibucket:
//	    address: s3://images?region=eu-west-1
//
// A program that makes its registry itself calls [New].
//
// # Objects
//
// A file "/a/b" of the registry is the object "a/b", and a name that ends in ".", as a tag may, gets a "~". While
// an upload is not committed, its whole parts are in an open upload of the store, and the bytes after them in the
// object "a/b~upload", which listings of the driver leave out. So any number of registries continue each
// other's uploads.
//
// # What differs from the registry's own drivers
//
//   - PutContent stores a file whole or not at all, on every store.
//   - A file may not grow after Commit, unless it is empty.
//   - Close keeps what was written, even if the request that wrote it was canceled.
//   - Walk takes one listing for each folder, in the order of the registry, and no Stat.
//   - Folder markers, the empty objects "a/" of consoles and rclone, are no files. Delete removes those of its folder.
//   - RedirectURL is empty for a store without signed URLs; the registry then sends the bytes itself.
//     HEAD requests are not redirected.
package distribution

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	registry "github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/distribution/distribution/v3/registry/storage/driver/base"
	"github.com/distribution/distribution/v3/registry/storage/driver/factory"

	"github.com/omnibucket/storage"
)

const name = "omnibucket"

func init() { factory.Register(name, opener{}) }

// An opener opens the bucket of a configuration.
type opener struct{}

func (opener) Create(ctx context.Context, parameters map[string]any) (registry.StorageDriver, error) {
	address, ok := parameters["address"].(string)
	if !ok || address == "" {
		return nil, failed(storage.InvalidArgument, "parameter address must be the address of a bucket")
	}
	for parameter := range parameters {
		if parameter != "address" {
			return nil, failed(storage.InvalidArgument, fmt.Sprintf("parameter %s is unknown; only address is known", parameter))
		}
	}
	b, err := storage.Open(ctx, address)
	if err != nil {
		return nil, err
	}
	d, err := New(b)
	if err != nil {
		return nil, errors.Join(err, storage.Close(b))
	}
	return d, nil
}

func failed(code storage.Code, text string) error {
	return &storage.Error{Code: code, Op: "distribution.New", Err: errors.New(text)}
}

// New returns a storage driver over b. It makes no request. If b is nil, New fails with InvalidArgument.
// If b lacks open uploads, New fails with Unsupported.
func New(b storage.Bucket) (registry.StorageDriver, error) {
	if b == nil {
		return nil, failed(storage.InvalidArgument, "bucket must not be nil")
	}
	if !storage.Supports(b, storage.OpenUploads) {
		return nil, failed(storage.Unsupported, "the bucket must have open uploads")
	}
	return &base.Base{StorageDriver: &driver{b}}, nil
}

// A driver gets paths that base.Base has checked.
type driver struct{ bucket storage.Bucket }

func (*driver) Name() string { return name }

// keyOf returns the key of a path, and "" for the root. A path has no "~".
func keyOf(path string) string {
	return strings.TrimSuffix(strings.ReplaceAll(strings.TrimPrefix(path, "/")+"/", "./", ".~/"), "/")
}

func pathOf(key string) string {
	return "/" + strings.TrimSuffix(strings.ReplaceAll(key+"/", ".~/", "./"), "/")
}

// below returns the prefix of the keys in a folder.
func below(path string) string {
	if path == "/" {
		return ""
	}
	return keyOf(path) + "/"
}

// told translates an error of a call with a path.
func told(path string, err error) error {
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return registry.PathNotFoundError{Path: path}
	}
	return err
}

func (d *driver) GetContent(ctx context.Context, path string) ([]byte, error) {
	content, _, err := storage.ReadAll(ctx, d.bucket, keyOf(path))
	return content, told(path, err)
}

func (d *driver) PutContent(ctx context.Context, path string, content []byte) error {
	_, err := d.bucket.Upload(ctx, keyOf(path), bytes.NewReader(content))
	return err
}

// Reader reads from offset on. At and after the end it returns no bytes.
func (d *driver) Reader(ctx context.Context, path string, offset int64) (io.ReadCloser, error) {
	r, err := d.bucket.Download(ctx, keyOf(path), storage.WithRange(offset, -1))
	switch storage.CodeOf(err) {
	case "":
		return r, nil
	case storage.RangeNotSatisfiable:
		return io.NopCloser(strings.NewReader("")), nil
	}
	return nil, told(path, err)
}

// Move copies, where the store cannot rename.
func (d *driver) Move(ctx context.Context, from, to string) error {
	_, err := storage.Move(ctx, d.bucket, keyOf(from), keyOf(to))
	return told(from, err)
}

// Delete removes a file or a folder with everything below it, and drops unfinished uploads there.
func (d *driver) Delete(ctx context.Context, path string) error {
	key := keyOf(path)
	removed, err := storage.RemoveMatching(ctx, d.bucket, func(entry storage.ListEntry) bool {
		if file, unfinished := strings.CutSuffix(entry.Key, stateSuffix); unfinished {
			d.abort(ctx, file)
		}
		return true
	}, storage.WithPrefix(key+"/"))
	if err != nil {
		return err
	}
	there, err := d.bucket.Exists(ctx, key)
	if err == nil && there {
		removed++
		err = d.bucket.Remove(ctx, key)
	}
	if err == nil && d.abort(ctx, key) { // also beside a file, if a registry died after it was complete
		removed++
		err = d.bucket.Remove(ctx, key+stateSuffix)
	}
	if err == nil && removed == 0 {
		err = registry.PathNotFoundError{Path: path}
	}
	return err
}

// RedirectURL returns a URL that is valid for as long as the store's signatures are by default.
func (d *driver) RedirectURL(r *http.Request, path string) (string, error) {
	if r.Method != http.MethodGet || !storage.Supports(d.bucket, storage.SignedURLs) {
		return "", nil
	}
	signed, err := d.bucket.SignedDownloadURL(r.Context(), keyOf(path))
	if err != nil {
		return "", told(path, err)
	}
	if len(signed.Header) > 0 {
		return "", nil // a redirect carries no headers
	}
	return signed.URL, nil
}
