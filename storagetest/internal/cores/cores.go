// Package cores has Cores as a user of the library might write them. The suite wraps a bucket in
// them.
package cores

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/omnibucket/storage"
)

// A Hiding is a Core that hides some objects from listings. It overrides List and ListPage.
type Hiding struct{ storage.Core }

// isHidden reports whether a Hiding hides an entry.
func isHidden(entry storage.ListEntry) bool { return strings.HasSuffix(entry.Key, "hidden") }

// List leaves out hidden objects.
func (h Hiding) List(ctx context.Context, o *storage.ListOptions) iter.Seq2[storage.ListEntry, error] {
	return func(yield func(storage.ListEntry, error) bool) {
		for entry, err := range h.Core.List(ctx, o) {
			if !isHidden(entry) && !yield(entry, err) {
				return
			}
		}
	}
}

// ListPage leaves out hidden objects, so that a page may have fewer entries than the store
// returned.
func (h Hiding) ListPage(ctx context.Context, token string, o *storage.ListOptions) (*storage.Page, error) {
	page, err := h.Core.ListPage(ctx, token, o)
	if err != nil {
		return nil, err
	}
	page.Entries = slices.DeleteFunc(page.Entries, isHidden)
	return page, nil
}

// A Refusing is a Core whose Remove fails with PermissionDenied and wraps Err.
type Refusing struct {
	storage.Core
	Err error
}

// Remove removes nothing.
func (c Refusing) Remove(_ context.Context, key string, _ *storage.RemoveOptions) error {
	refusal := &storage.Error{Code: storage.PermissionDenied, Op: "Remove", Key: key}
	return fmt.Errorf("no more today: %w: %w", c.Err, refusal)
}

// A Shortening is a Core whose readers end after one byte, without an error.
type Shortening struct{ storage.Core }

// Download returns a Reader that claims the whole range but has only the first byte.
func (c Shortening) Download(ctx context.Context, key string, o *storage.DownloadOptions) (*storage.Reader, error) {
	r, err := c.Core.Download(ctx, key, o)
	if err != nil {
		return nil, err
	}
	body := shortened{Reader: io.LimitReader(r, 1), Closer: r}
	offset, length := r.Range()
	return storage.NewReader(r.Attrs(), offset, length, body), nil
}

// A shortened reads from one value and closes another.
type shortened struct {
	io.Reader
	io.Closer
}

// A Taking is a Core for tests of CopyFrom. Its CopyFrom copies nothing. The field From records the
// source, and the field Text records the content of the source.
type Taking struct {
	storage.Core
	From storage.CopySource
	Text string
}

// CopyFrom keeps the source and its content in c, and stores nothing.
func (c *Taking) CopyFrom(
	ctx context.Context, key string, src storage.CopySource, _ *storage.CopyOptions,
) (*storage.Attrs, error) {
	c.From = src
	r, err := src.Download(ctx, &storage.DownloadOptions{Length: -1})
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(r)
	c.Text = string(text)
	return r.Attrs(), errors.Join(err, r.Close())
}

// A Straying is a Core whose listings yield the whole bucket, even if the caller asks for a prefix.
type Straying struct{ storage.Core }

// List passes on only AnyOrder.
func (c Straying) List(ctx context.Context, o *storage.ListOptions) iter.Seq2[storage.ListEntry, error] {
	return c.Core.List(ctx, &storage.ListOptions{AnyOrder: o.AnyOrder})
}

// ListPage passes on only AnyOrder.
func (c Straying) ListPage(ctx context.Context, token string, o *storage.ListOptions) (*storage.Page, error) {
	return c.Core.ListPage(ctx, token, &storage.ListOptions{AnyOrder: o.AnyOrder})
}

// An Empty is a Core whose methods return neither results nor errors.
type Empty struct{ storage.Core }

func (Empty) Upload(context.Context, string, io.Reader, *storage.UploadOptions) (*storage.Attrs, error) {
	return nil, nil
}

func (Empty) Download(context.Context, string, *storage.DownloadOptions) (*storage.Reader, error) {
	return nil, nil
}

func (Empty) Attrs(context.Context, string, *storage.DownloadOptions) (*storage.Attrs, error) {
	return nil, nil
}

func (Empty) List(context.Context, *storage.ListOptions) iter.Seq2[storage.ListEntry, error] {
	return nil
}

func (Empty) ListPage(context.Context, string, *storage.ListOptions) (*storage.Page, error) {
	return nil, nil
}

// A Failing is a Core that fails with Err when it should remove objects.
type Failing struct {
	storage.Core
	Err error
}

func (c Failing) Remove(context.Context, string, *storage.RemoveOptions) error { return c.Err }

func (c Failing) RemoveAll(context.Context, iter.Seq[string]) (int, error) { return 0, c.Err }
