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

// equalRevisions is a store in memory with equal revisions and ETags for equal content, as on S3. The
// wrapped driver gives every object a revision of its own, the inner revision. Callers see the content
// revision in its place, which consists of the checksum and the size of the content.
type equalRevisions struct {
	driver.Driver
	known sync.Map // inner revision -> content revision
}

// noRevision is an inner revision that no object has.
const noRevision = "memory:0"

// Describe removes UniqueRevisions from the description of the wrapped driver.
func (d *equalRevisions) Describe() driver.Description {
	desc := d.Driver.Describe()
	desc.Features &^= storage.UniqueRevisions
	return desc
}

// contentRevision returns the content revision of an object with the given inner revision. It reads the
// object to compute it, unless it has done so before. If it cannot read that revision, for example because
// the object has changed, it returns the inner revision.
func (d *equalRevisions) contentRevision(ctx context.Context, key, version, inner string) string {
	if revision, ok := d.known.Load(inner); ok {
		return revision.(string)
	}

	attrs, body, err := d.Driver.Get(ctx, &driver.GetRequest{Key: key, Version: version, Length: -1})
	if err != nil {
		return inner
	}
	defer body.Close()
	data, err := io.ReadAll(body)
	if err != nil {
		return inner
	}

	// The revisions of every store in memory begin with "memory:".
	revision := fmt.Sprintf("memory:%08x-%x", crc32c.Sum(data), len(data))
	d.known.Store(attrs.Revision, revision)
	if attrs.Revision != inner {
		// The object has changed meanwhile, so this is the content revision of another state.
		return inner
	}
	return revision
}

// withContentRevision returns the result of a call on the inner driver. In the attributes, the revision and
// the ETag are replaced by a revision that is equal for equal content.
func (d *equalRevisions) withContentRevision(
	ctx context.Context, attrs *storage.Attrs, err error,
) (*storage.Attrs, error) {
	if err != nil {
		return nil, err
	}
	attrs.Revision = d.contentRevision(ctx, attrs.Key, attrs.Version, attrs.Revision)
	attrs.ETag = `"` + attrs.Revision + `"`
	return attrs, nil
}

// innerRevision returns the inner driver's revision of an object that has this content revision, or
// noRevision if the object has another one or is missing. For the revision "", it returns "".
func (d *equalRevisions) innerRevision(ctx context.Context, key, version, revision string) string {
	if revision == "" {
		return ""
	}

	attrs, err := d.Driver.Head(ctx, &driver.GetRequest{Key: key, Version: version, Length: -1})
	if err == nil && d.contentRevision(ctx, key, version, attrs.Revision) == revision {
		return attrs.Revision
	}
	return noRevision
}

// innerCondition returns c with inner revisions in place of content revisions.
func (d *equalRevisions) innerCondition(
	ctx context.Context, key, version string, c storage.Condition,
) storage.Condition {
	c.Revision = d.innerRevision(ctx, key, version, c.Revision)
	c.NotRevision = d.innerRevision(ctx, key, version, c.NotRevision)
	return c
}

// innerSource returns ref with an inner revision in place of a content revision.
func (d *equalRevisions) innerSource(ctx context.Context, ref driver.ObjectRef) driver.ObjectRef {
	ref.Revision = d.innerRevision(ctx, ref.Key, ref.Version, ref.Revision)
	return ref
}

// Put replaces the content revisions in the condition by the inner ones during the call. It changes the
// request itself and no copy, because the engine sets the checksum there while the body is read.
func (d *equalRevisions) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	original := r.Condition
	defer func() {
		r.Condition = original
	}()
	r.Condition = d.innerCondition(ctx, r.Key, "", r.Condition)
	attrs, err := d.Driver.Put(ctx, r)
	return d.withContentRevision(ctx, attrs, err)
}

// Get accepts content revisions in the condition of the request, and returns the content revision of
// the object.
func (d *equalRevisions) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	inner := *r
	inner.Condition = d.innerCondition(ctx, r.Key, r.Version, r.Condition)
	attrs, body, err := d.Driver.Get(ctx, &inner)
	attrs, err = d.withContentRevision(ctx, attrs, err)
	return attrs, body, err
}

// Head accepts content revisions in the condition of the request, and returns the content revision of
// the object.
func (d *equalRevisions) Head(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	inner := *r
	inner.Condition = d.innerCondition(ctx, r.Key, r.Version, r.Condition)
	attrs, err := d.Driver.Head(ctx, &inner)
	return d.withContentRevision(ctx, attrs, err)
}

// List calls the inner driver's List, and replaces the revision and the ETag of each object by its content
// revision.
func (d *equalRevisions) List(ctx context.Context, r *driver.ListRequest) (*storage.Page, error) {
	page, err := d.Driver.List(ctx, r)
	if err != nil {
		return nil, err
	}
	for i := range page.Entries {
		entry := &page.Entries[i]
		if entry.IsPrefix {
			continue
		}
		entry.Revision = d.contentRevision(ctx, entry.Key, "", entry.Revision)
		entry.ETag = `"` + entry.Revision + `"`
	}
	return page, nil
}

// ListVersions calls the inner driver's ListVersions, and replaces the revision and the ETag of each
// version by its content revision. A delete marker has none.
func (d *equalRevisions) ListVersions(ctx context.Context, r *driver.ListRequest) (*driver.VersionPage, error) {
	page, err := d.Driver.ListVersions(ctx, r)
	if err != nil {
		return nil, err
	}
	for i := range page.Entries {
		entry := &page.Entries[i]
		if entry.IsPrefix || entry.Revision == "" {
			continue
		}
		entry.Revision = d.contentRevision(ctx, entry.Key, entry.Version, entry.Revision)
		entry.ETag = `"` + entry.Revision + `"`
	}
	return page, nil
}

// Delete takes a content revision as its condition.
func (d *equalRevisions) Delete(ctx context.Context, r *driver.DeleteRequest) error {
	inner := *r
	inner.Condition = d.innerCondition(ctx, r.Key, r.Version, r.Condition)
	return d.Driver.Delete(ctx, &inner)
}

// DeleteBatch calls Delete for each request, because the condition of a request may have a content
// revision.
func (d *equalRevisions) DeleteBatch(ctx context.Context, reqs []driver.DeleteRequest) []error {
	errs := make([]error, len(reqs))
	for i := range reqs {
		errs[i] = d.Delete(ctx, &reqs[i])
	}
	return errs
}

// CompleteParts replaces the content revisions in the condition during the call. Like Put, it changes the
// request itself and no copy.
func (d *equalRevisions) CompleteParts(ctx context.Context, r *driver.CompleteRequest) (*storage.Attrs, error) {
	original := r.Put.Condition
	defer func() {
		r.Put.Condition = original
	}()
	r.Put.Condition = d.innerCondition(ctx, r.Put.Key, "", r.Put.Condition)
	attrs, err := d.Driver.CompleteParts(ctx, r)
	return d.withContentRevision(ctx, attrs, err)
}

// Copy takes the content revisions of the source and of the object that it replaces.
func (d *equalRevisions) Copy(ctx context.Context, r *driver.CopyRequest) (*storage.Attrs, error) {
	inner := *r
	inner.Source = d.innerSource(ctx, r.Source)
	inner.Condition = d.innerCondition(ctx, r.Key, "", r.Condition)
	attrs, err := d.Driver.Copy(ctx, &inner)
	return d.withContentRevision(ctx, attrs, err)
}

// Compose replaces the content revisions of the sources and in the condition by the inner ones.
func (d *equalRevisions) Compose(ctx context.Context, r *driver.ComposeRequest) (*storage.Attrs, error) {
	inner := *r
	inner.Sources = nil
	for _, ref := range r.Sources {
		inner.Sources = append(inner.Sources, d.innerSource(ctx, ref))
	}
	inner.Condition = d.innerCondition(ctx, r.Key, "", r.Condition)
	attrs, err := d.Driver.Compose(ctx, &inner)
	return d.withContentRevision(ctx, attrs, err)
}

// Move takes the content revision of the object that it replaces.
func (d *equalRevisions) Move(ctx context.Context, r *driver.MoveRequest) (*storage.Attrs, error) {
	inner := *r
	inner.Condition = d.innerCondition(ctx, r.Key, "", r.Condition)
	attrs, err := d.Driver.Move(ctx, &inner)
	return d.withContentRevision(ctx, attrs, err)
}
