// Package distribution is a storage driver for the registry of container images
// (github.com/distribution/distribution/v3). It stores the registry's files in a [storage.Bucket]
// that has [storage.OpenUploads].
//
// Import it together with the provider's package of this library. Then write the address of the
// bucket into the registry's configuration:
//
//	storage:
//	  omnibucket:
//	    address: s3://images?region=eu-west-1
//
// A program that creates the registry in its own code can call [New] instead.
//
// # Objects
//
// A file "/a/b" of the registry is the object "a/b". If a name ends in ".", which the name of a tag
// may do, the driver adds a "~". Before an upload is committed, its complete parts are in a
// multipart upload of the store. The remaining bytes are in the object "a/b~upload", which the
// driver does not list. So any number of registries can continue each other's uploads.
//
// # What differs from the registry's own drivers
//
//   - PutContent stores a file either completely or not at all, on every store.
//   - A file may not grow after Commit, unless it is empty.
//   - Close keeps the bytes that were written, even if the request that sent them was canceled.
//   - Walk makes one listing for each folder, and no Stat. It visits files in the order that the
//     registry expects.
//   - Folder markers, which are empty objects such as "a/" from consoles and rclone, are not files.
//     Delete of a folder also removes the markers in the folder.
//   - If the store has no signed URLs, RedirectURL returns "", and the registry sends the bytes
//     itself. HEAD requests are not redirected.
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

// An opener opens the bucket at the address in the registry's configuration.
type opener struct{}

// Create opens the bucket with the address in the parameters, and returns a storage driver for it.
func (opener) Create(ctx context.Context, parameters map[string]any) (registry.StorageDriver, error) {
	address, ok := parameters["address"].(string)
	if !ok || address == "" {
		return nil, newError(storage.InvalidArgument, "parameter address must be the address of a bucket")
	}
	for parameter := range parameters {
		if parameter != "address" {
			return nil, newError(storage.InvalidArgument, fmt.Sprintf("parameter %s is unknown; only address is known", parameter))
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

// newError returns an error of New, or of opening the address in a configuration.
func newError(code storage.Code, text string) error {
	return &storage.Error{Code: code, Op: "distribution.New", Err: errors.New(text)}
}

// New returns a storage driver for the bucket b, without making a request. It fails with
// InvalidArgument if b is nil, and with Unsupported if b lacks [storage.OpenUploads].
func New(b storage.Bucket) (registry.StorageDriver, error) {
	if b == nil {
		return nil, newError(storage.InvalidArgument, "bucket must not be nil")
	}
	if !storage.Supports(b, storage.OpenUploads) {
		return nil, newError(storage.Unsupported, "the bucket must have open uploads")
	}
	return &base.Base{StorageDriver: &driver{b}}, nil
}

// A driver implements the storage driver. base.Base checks all paths before they reach it.
type driver struct{ bucket storage.Bucket }

func (*driver) Name() string { return name }

// keyOf returns the key of a path, or "" for the root. A bucket permits no name that ends in a dot before a slash, so
// "a./b" becomes "a.~/b", which belongs to no other path, because those of a registry contain no "~".
func keyOf(path string) string {
	// The slash at the end lets the last name be escaped like the others.
	names := strings.TrimPrefix(path, "/") + "/"
	escaped := strings.ReplaceAll(names, "./", ".~/")
	return strings.TrimSuffix(escaped, "/")
}

// pathOf returns the path whose key is the given one.
func pathOf(key string) string {
	names := strings.ReplaceAll(key+"/", ".~/", "./")
	return "/" + strings.TrimSuffix(names, "/")
}

// folderPrefix returns the prefix of all keys in a folder.
func folderPrefix(path string) string {
	if path == "/" {
		return ""
	}
	return keyOf(path) + "/"
}

// convertError converts an error of the bucket to the one that a registry expects for the path.
func convertError(path string, err error) error {
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return registry.PathNotFoundError{Path: path}
	}
	return err
}

func (d *driver) GetContent(ctx context.Context, path string) ([]byte, error) {
	content, _, err := storage.ReadAll(ctx, d.bucket, keyOf(path))
	return content, convertError(path, err)
}

func (d *driver) PutContent(ctx context.Context, path string, content []byte) error {
	_, err := d.bucket.Upload(ctx, keyOf(path), bytes.NewReader(content))
	return err
}

// Reader reads a file from an offset to its end. At an offset beyond the end, there is nothing to
// read, which is no error.
func (d *driver) Reader(ctx context.Context, path string, offset int64) (io.ReadCloser, error) {
	r, err := d.bucket.Download(ctx, keyOf(path), storage.WithRange(offset, -1))
	if err == nil {
		return r, nil
	}
	if storage.CodeOf(err) == storage.RangeNotSatisfiable {
		return io.NopCloser(strings.NewReader("")), nil
	}
	return nil, convertError(path, err)
}

// Move moves a file. If the store cannot rename, it copies the object and removes the source.
func (d *driver) Move(ctx context.Context, src, dst string) error {
	_, err := storage.Move(ctx, d.bucket, keyOf(src), keyOf(dst))
	return convertError(src, err)
}

// Delete removes a file, or a folder with everything below it, and aborts the unfinished uploads there.
func (d *driver) Delete(ctx context.Context, path string) error {
	key := keyOf(path)
	hasContent, err := d.deleteBelow(ctx, key)
	if err != nil {
		return err
	}

	isFile, err := d.bucket.Exists(ctx, key)
	if err != nil {
		return err
	}
	if isFile {
		if err := d.bucket.Remove(ctx, key); err != nil {
			return err
		}
	}

	// The file may be unfinished. Even a complete file has the state of an upload if the registry died during Commit.
	hasUpload := d.abort(ctx, key)
	if hasUpload {
		if err := d.bucket.Remove(ctx, key+stateSuffix); err != nil {
			return err
		}
	}

	exists := hasContent || isFile || hasUpload
	if !exists {
		return registry.PathNotFoundError{Path: path}
	}
	return nil
}

// deleteBelow removes everything below a folder, and aborts the unfinished uploads there. It reports whether there was
// anything.
func (d *driver) deleteBelow(ctx context.Context, folder string) (hasContent bool, err error) {
	// The state of an unfinished upload is an object with the suffix stateSuffix, which is removed with the others.
	abortUnfinished := func(entry storage.ListEntry) (mayRemove bool) {
		if file, isState := strings.CutSuffix(entry.Key, stateSuffix); isState {
			d.abort(ctx, file)
		}
		return true
	}
	removed, err := storage.RemoveMatching(ctx, d.bucket, abortUnfinished, storage.WithPrefix(folder+"/"))
	return removed > 0, err
}

// RedirectURL returns a signed URL from which a client can download the file, or "" if the registry
// must serve the file itself.
func (d *driver) RedirectURL(r *http.Request, path string) (string, error) {
	if r.Method != http.MethodGet || !storage.Supports(d.bucket, storage.SignedURLs) {
		return "", nil
	}

	signedURL, err := d.bucket.SignedDownloadURL(r.Context(), keyOf(path))
	if err != nil {
		return "", convertError(path, err)
	}
	// A redirect cannot make the client send headers.
	if len(signedURL.Header) > 0 {
		return "", nil
	}
	return signedURL.URL, nil
}
