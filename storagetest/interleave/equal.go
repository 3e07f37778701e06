package interleave

import (
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/crc32c"
)

// equalRevisions is a store in memory with equal revisions and ETags for equal content, as on S3. A
// revision is the checksum and the size of the content.
type equalRevisions struct {
	driver.Driver
	known sync.Map // the revision of memory -> the revision of the content
}

func (d *equalRevisions) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.Features &^= storage.UniqueRevisions
	return desc
}

// content returns the revision of the content that an object has.
func (d *equalRevisions) content(ctx context.Context, key, version, revision string) string {
	if text, ok := d.known.Load(revision); ok {
		return text.(string)
	}
	attrs, body, err := d.Driver.Get(ctx, &driver.GetRequest{Key: key, Version: version, Length: -1})
	if err != nil {
		return revision
	}
	defer body.Close()
	data, err := io.ReadAll(body)
	if err != nil {
		return revision
	}
	text := fmt.Sprintf("memory:%08x-%x", crc32c.Sum(data), len(data))
	d.known.Store(attrs.Revision, text)
	if attrs.Revision != revision {
		return revision
	}
	return text
}

// show replaces the revision of memory in attributes.
func (d *equalRevisions) show(ctx context.Context, a *storage.Attrs, err error) (*storage.Attrs, error) {
	if err != nil {
		return nil, err
	}
	a.Revision = d.content(ctx, a.Key, a.Version, a.Revision)
	a.ETag = `"` + a.Revision + `"`
	return a, nil
}

// current returns the revision of memory if the object has this content, and otherwise one that no object has.
func (d *equalRevisions) current(ctx context.Context, key, version, revision string) string {
	if revision == "" {
		return ""
	}
	attrs, err := d.Driver.Head(ctx, &driver.GetRequest{Key: key, Version: version, Length: -1})
	if err == nil && d.content(ctx, key, version, attrs.Revision) == revision {
		return attrs.Revision
	}
	return "memory:0"
}

func (d *equalRevisions) condition(ctx context.Context, key, version string, c storage.Condition) storage.Condition {
	c.Revision = d.current(ctx, key, version, c.Revision)
	c.NotRevision = d.current(ctx, key, version, c.NotRevision)
	return c
}

func (d *equalRevisions) source(ctx context.Context, ref driver.ObjectRef) driver.ObjectRef {
	ref.Revision = d.current(ctx, ref.Key, ref.Version, ref.Revision)
	return ref
}

// Put changes the request and not a copy of it, because the engine sets the checksum while the body is read.
func (d *equalRevisions) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	original := r.Condition
	defer func() {
		r.Condition = original
	}()
	r.Condition = d.condition(ctx, r.Key, "", r.Condition)
	attrs, err := d.Driver.Put(ctx, r)
	return d.show(ctx, attrs, err)
}

func (d *equalRevisions) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	q := *r
	q.Condition = d.condition(ctx, r.Key, r.Version, r.Condition)
	attrs, body, err := d.Driver.Get(ctx, &q)
	attrs, err = d.show(ctx, attrs, err)
	return attrs, body, err
}

func (d *equalRevisions) Head(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	q := *r
	q.Condition = d.condition(ctx, r.Key, r.Version, r.Condition)
	attrs, err := d.Driver.Head(ctx, &q)
	return d.show(ctx, attrs, err)
}

func (d *equalRevisions) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	page, err := d.Driver.List(ctx, r)
	if err != nil {
		return nil, err
	}
	for i := range page.Entries {
		e := &page.Entries[i]
		if e.IsPrefix {
			continue
		}
		e.Revision = d.content(ctx, e.Key, "", e.Revision)
		e.ETag = `"` + e.Revision + `"`
	}
	return page, nil
}

func (d *equalRevisions) ListVersions(ctx context.Context, r *driver.ListRequest) (*driver.VersionPage, error) {
	page, err := d.Driver.ListVersions(ctx, r)
	if err != nil {
		return nil, err
	}
	for i := range page.Entries {
		e := &page.Entries[i]
		if e.IsPrefix || e.Revision == "" {
			continue
		}
		e.Revision = d.content(ctx, e.Key, e.Version, e.Revision)
		e.ETag = `"` + e.Revision + `"`
	}
	return page, nil
}

func (d *equalRevisions) Delete(ctx context.Context, r *driver.DeleteRequest) error {
	q := *r
	q.Condition = d.condition(ctx, r.Key, r.Version, r.Condition)
	return d.Driver.Delete(ctx, &q)
}

func (d *equalRevisions) DeleteBatch(ctx context.Context, r []driver.DeleteRequest) []error {
	errs := make([]error, len(r))
	for i := range r {
		errs[i] = d.Delete(ctx, &r[i])
	}
	return errs
}

func (d *equalRevisions) CompleteParts(ctx context.Context, r *driver.CompleteRequest) (*storage.Attrs, error) {
	original := r.Put.Condition
	defer func() {
		r.Put.Condition = original
	}()
	r.Put.Condition = d.condition(ctx, r.Put.Key, "", r.Put.Condition)
	attrs, err := d.Driver.CompleteParts(ctx, r)
	return d.show(ctx, attrs, err)
}

func (d *equalRevisions) Copy(ctx context.Context, r *driver.CopyRequest) (*storage.Attrs, error) {
	q := *r
	q.Source = d.source(ctx, r.Source)
	q.Condition = d.condition(ctx, r.Key, "", r.Condition)
	attrs, err := d.Driver.Copy(ctx, &q)
	return d.show(ctx, attrs, err)
}

func (d *equalRevisions) Compose(ctx context.Context, r *driver.ComposeRequest) (*storage.Attrs, error) {
	q := *r
	q.Sources = nil
	for _, ref := range r.Sources {
		q.Sources = append(q.Sources, d.source(ctx, ref))
	}
	q.Condition = d.condition(ctx, r.Key, "", r.Condition)
	attrs, err := d.Driver.Compose(ctx, &q)
	return d.show(ctx, attrs, err)
}

func (d *equalRevisions) Move(ctx context.Context, r *driver.MoveRequest) (*storage.Attrs, error) {
	q := *r
	q.Condition = d.condition(ctx, r.Key, "", r.Condition)
	attrs, err := d.Driver.Move(ctx, &q)
	return d.show(ctx, attrs, err)
}
