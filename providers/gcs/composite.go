package gcs

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	gcs "cloud.google.com/go/storage"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/httpheader"
	"github.com/omnibucket/storage/internal/invalid"
	"github.com/omnibucket/storage/internal/parallel"
)

// Parts of a parallel composite upload are objects of their own. Their keys have
// a segment that ends in ".", which no key may have that is written through this
// library; List and ListVersions leave them out.
const (
	reservedPrefix   = ".omnibucket./"
	componentsPrefix = reservedPrefix + "parts/"
	componentType    = "application/octet-stream"

	maxParallel    = 16               // requests beside one another: the store does the work
	discardTimeout = 30 * time.Second // of what is given back at the end
)

// An uploadName is that of a parallel composite upload: where its components
// are, and of which class. What is joined has to be of one class.
type compositeUpload struct {
	prefix string
	class  string // "" is the bucket's
}

var compositeUploads = regexp.MustCompile(`^[0-9a-f]{32}(-[^/]+)?$`) // a class is what was asked for

// newUploadName needs no request.
func newCompositeUpload(class string) string {
	if class == "" {
		return randomName()
	}
	return randomName() + "-" + class
}

func parseCompositeUpload(upload string) (compositeUpload, error) {
	if !compositeUploads.MatchString(upload) { // any other could lead out of the components' prefix
		return compositeUpload{}, invalid.Argument("upload", "must be one that BeginParts named", "")
	}
	id, class, _ := strings.Cut(upload, "-")
	return compositeUpload{prefix: componentsPrefix + id + "/", class: class}, nil
}

func (n *compositeUpload) key(part int) string { return fmt.Sprintf("%s0-%06d", n.prefix, part) }

// putComponent stores one part.
func (d *driver) putComponent(ctx context.Context, r *storage.PartRequest) (storage.Part, error) {
	name, err := parseCompositeUpload(r.Upload)
	if err != nil {
		return storage.Part{}, err
	}
	object := &resource{Name: name.key(r.Number), ContentType: componentType, StorageClass: name.class}
	if r.CRC32C != nil {
		object.CRC32C = httpheader.EncodeCRC32C(*r.CRC32C)
	}
	query := url.Values{"uploadType": {"multipart"}, "fields": {resourceFields}, "prettyPrint": {"false"}}
	attrs, err := d.putRelated(ctx, query, object, r.Body, r.Size)
	if err != nil {
		return storage.Part{}, err
	}
	return storage.Part{Number: r.Number, Tag: attrs.Revision, Size: r.Size, CRC32C: attrs.CRC32C}, nil
}

// completeComponents joins the parts, the last step with the write's condition,
// attributes and checksum, and then removes them. They are left where that step
// failed: it can be tried again, and is aborted else.
func (d *driver) completeComponents(ctx context.Context, r *storage.CompleteRequest) (*storage.Attrs, error) {
	name, err := parseCompositeUpload(r.Upload)
	if err != nil {
		return nil, err
	}
	target, err := withCondition(d.handle().Object(r.Put.Key), r.Put.Condition)
	if err != nil {
		return nil, err
	}
	c := &composition{driver: d, target: target, attrs: attrsToSet(&r.Put.Properties), crc: r.Put.CRC32C, public: r.Put.PublicRead, scratchPrefix: name.prefix}
	for _, part := range r.Parts {
		n, err := parseGeneration("part", part.Tag)
		if err != nil {
			return nil, err
		}
		c.sources = append(c.sources, d.handle().Object(name.key(part.Number)).Generation(n))
	}
	components := slices.Clone(c.sources)
	attrs, err := c.run(ctx)
	if err != nil {
		e := translate(err)
		if e.Code == storage.Changed { // somebody has swept the parts away
			return nil, sessionLostError(e)
		}
		return nil, e
	}
	d.discard(ctx, append(components, c.intermediate...))
	return attrs, nil
}

// removeComponents removes all that an upload stored.
func (d *driver) removeComponents(ctx context.Context, upload string) error {
	name, err := parseCompositeUpload(upload)
	if err != nil {
		return nil // nobody can have such an upload
	}
	_, err = d.sweep(ctx, name.prefix, nil)
	return err
}

// SweepParts removes what parallel composite uploads (Config.ParallelComposite)
// and joins of more than 32 objects left behind in a bucket because their
// process died, where it is older than olderThan: long enough for an upload to
// end. It answers how many objects it removed. The client is
// storage.As[*storage.Client](bucket). Errors are those of listing and removing,
// each with its Code.
func SweepParts(ctx context.Context, client *gcs.Client, bucket string, olderThan time.Duration) (removed int, err error) {
	d := &driver{account: &account{client: client, sdkClient: client}, bucket: bucket}
	before := time.Now().Add(-olderThan)
	return d.sweep(ctx, componentsPrefix, func(o *gcs.ObjectAttrs) bool { return o.Created.Before(before) })
}

// sweep removes what lies under a prefix and is stale; nil: all of it. Where the
// bucket keeps versions, those go too: a part that was sent twice left one.
func (d *driver) sweep(ctx context.Context, prefix string, stale func(*gcs.ObjectAttrs) bool) (removed int, err error) {
	token := ""
	for {
		found, next, err := d.listPage(ctx, &gcs.Query{Prefix: prefix, Versions: true, Projection: gcs.ProjectionNoACL}, []string{"Name", "Generation", "Created"}, maxPage, token)
		if err != nil {
			return removed, err
		}
		found = slices.DeleteFunc(found, func(o *gcs.ObjectAttrs) bool { return stale != nil && !stale(o) })
		err = parallel.Each(ctx, len(found), maxParallel, func(ctx context.Context, i int) error {
			return d.Delete(ctx, &storage.DeleteRequest{Key: found[i].Name, Version: decimal(found[i].Generation)})
		})
		if err != nil {
			return removed, translate(err)
		}
		removed += len(found)
		if next == "" {
			return removed, nil
		}
		if next == token {
			return removed, errRepeatedPage
		}
		token = next
	}
}

// discard removes objects of this package's own, on a context of its own: the
// caller's is often done by then. What is left, SweepParts finds.
func (d *driver) discard(ctx context.Context, objects []*gcs.ObjectHandle) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), discardTimeout)
	defer cancel()
	_ = parallel.Each(ctx, len(objects), maxParallel, func(ctx context.Context, i int) error {
		_ = objects[i].Delete(ctx)
		return nil
	})
}
