package gcs

import (
	"cmp"
	"context"
	"net/http"
	"strings"

	gcs "cloud.google.com/go/storage"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/providers/internal/components"
)

// An open upload (driver.PutRequest.AnyOrder) is a composite upload whose first object is a marker.
// The marker represents the upload. The XML API has multipart uploads of its own, but they support
// no condition. https://cloud.google.com/storage/docs/multipart-uploads

func (u *compositeUpload) marker() string { return components.Marker(u.prefix) }

// begin stores the marker of an open upload to key, and returns the upload's name. attrs are the
// attributes of the object.
func (cs *composites) begin(ctx context.Context, key string, attrs *gcs.ObjectAttrs) (string, error) {
	if err := refuseMD5(attrs); err != nil {
		return "", err
	}
	// The name of the upload is random, and the keys of the marker and the parts derive from it.
	upload := openMark + newCompositeUpload(attrs.StorageClass)
	name, err := parseCompositeUpload(upload)
	if err != nil {
		// The storage class cannot be part of a name.
		return "", err
	}

	marker := &resource{
		Name:           name.marker(),
		ContentType:    componentType,
		Metadata:       components.MarkerMetadata(key),
		CRC32C:         crc32c.Encode(0),
		EventBasedHold: new(false), // nil would mean the bucket's default hold
	}
	query := cs.bucket.uploadQuery("multipart", &gcs.ObjectAttrs{KMSKeyName: cs.bucket.account.kmsKey})
	stored, err := cs.bucket.put(ctx, &objectUpload{query: query, object: marker, body: http.NoBody})
	if err != nil {
		return "", err
	}
	isKept := stored.KeptUntil != "" // by a retention policy of the bucket
	if isKept {
		return "", &storage.Error{Code: storage.Unsupported, Hint: keptPartsHint}
	}
	return upload, nil
}

// keptPartsHint is the hint for a bucket whose retention policy forbids removing and replacing
// objects. An open upload must remove and replace its parts and its marker.
// https://cloud.google.com/storage/docs/bucket-lock
const keptPartsHint = "the bucket has a retention policy, which keeps the parts of an open upload too: send the body with Upload, or the parts to another bucket"

// hasMarker reports whether the upload has a marker and still accepts parts.
func (cs *composites) hasMarker(ctx context.Context, name *compositeUpload) (bool, error) {
	attrs, err := cs.listMarker(ctx, name)
	return attrs != nil && components.IsOpen(attrs.Metadata), err
}

// listMarker returns the marker of an open upload, or nil if there is none. It lists the marker, which is
// the object that shows that the upload is open.
func (cs *composites) listMarker(ctx context.Context, name *compositeUpload) (*gcs.ObjectAttrs, error) {
	query := &gcs.Query{Prefix: name.marker(), Projection: gcs.ProjectionNoACL}
	attrs, _, err := cs.bucket.page(ctx, query, []string{"Name", "Metadata"}, 1, "")
	if err != nil {
		return nil, err
	}
	if len(attrs) == 0 {
		return nil, nil
	}
	return attrs[0], nil
}

// completeOpen creates the object of an open upload, and then removes all objects of the upload,
// because clients may have sent parts that are not in the object. It does so in the steps of a
// components.Completion, with which concurrent calls make one object.
func (cs *composites) completeOpen(
	ctx context.Context, r *driver.CompleteRequest, name *compositeUpload, c *composition,
) (*storage.Attrs, error) {
	target := cs.bucket.handle().Object(r.Put.Key)
	composeIntermediates := func(ctx context.Context) error {
		if err := c.reduce(ctx); err != nil {
			return cs.joinError(ctx, err, name, r.Put)
		}
		return nil
	}
	createObject := func(ctx context.Context, condition storage.Condition) (*storage.Attrs, error) {
		attrs, err := c.composeTargetIf(ctx, target, condition)
		if err != nil {
			return nil, cs.joinError(ctx, err, name, r.Put)
		}
		return attrs, nil
	}
	removeParts := func(ctx context.Context) error { return cs.remove(ctx, r.Upload) }

	completion := components.Completion{
		Store:   cs.objects,
		Marker:  name.marker(),
		Prepare: composeIntermediates,
		Commit:  createObject,
		Drop:    removeParts,
	}
	return completion.Run(ctx, r)
}

// composeTargetIf sets c.target to the target with this condition, and composes it.
func (c *composition) composeTargetIf(
	ctx context.Context, target *gcs.ObjectHandle, condition storage.Condition,
) (*storage.Attrs, error) {
	target, err := withCondition(c.opts.addKey(target), condition)
	if err != nil {
		return nil, err
	}
	c.target = target
	return c.composeTarget(ctx)
}

// listedParts are the fields that a listing of parts requests.
var listedParts = []string{"Name", "Metadata", "Size", "Generation", "Etag", "MD5", "CRC32C", "CustomerKeySHA256"}

// ListParts makes one request. The response for the first page begins with the marker, the object
// whose metadata shows whether the upload is still open.
func (d *objectDriver) ListParts(ctx context.Context, r *driver.ListPartsRequest) (*driver.PartPage, error) {
	name, err := parseCompositeUpload(r.Upload)
	if err != nil {
		return nil, err
	}

	isFirstPage := r.After == 0
	query := &gcs.Query{Prefix: name.prefix, StartOffset: name.marker(), Projection: gcs.ProjectionNoACL}
	limit := r.Limit + 1 // the marker and the parts
	if !isFirstPage {
		query.StartOffset = name.key(r.After + 1)
		limit = r.Limit
	}
	attrs, token, err := d.bucket.page(ctx, query, listedParts, limit, "")
	if err != nil {
		return nil, err
	}

	if isFirstPage {
		// Without an open marker, the upload was completed or aborted.
		if len(attrs) == 0 || attrs[0].Name != name.marker() || !components.IsOpen(attrs[0].Metadata) {
			return nil, components.ErrEnded
		}
		attrs = attrs[1:]
	}

	page := &driver.PartPage{More: token != ""}
	for _, object := range attrs {
		number, ok := components.Number(name.prefix, object.Name)
		if !ok {
			// This is an intermediate object, which sorts after all parts.
			page.More = false
			break
		}
		part := attrsOf(object)
		page.Parts = append(page.Parts, driver.Part{
			Number: number,
			Tag:    part.Revision,
			ETag:   part.ETag,
			Size:   part.Size,
			CRC32C: part.CRC32C,
		})
	}
	return page, nil
}

// partsLostError returns the error for a composition that did not find all parts:
//
//   - If the upload is not an open upload, the error makes the engine restart the upload.
//   - If the upload is an open upload that no longer exists, the error is ErrEnded.
//   - If the open upload still exists, another process has replaced a part, and the error is cause.
func (cs *composites) partsLostError(ctx context.Context, cause *storage.Error, name *compositeUpload) error {
	if !name.open {
		return sessionLostError(cause.Err)
	}
	open, err := cs.hasMarker(ctx, name)
	if err != nil {
		return err
	}
	if !open {
		return components.ErrEnded
	}
	return cause
}

// ListUploads lists the prefixes of open uploads, and reads for each prefix the marker, which has
// the key of the object. If there are objects but no marker, as after a killed process, the prefix
// itself is returned as the key. Resumable sessions, which end after a week, are not listed, because
// Google cannot list them.
func (d *objectDriver) ListUploads(ctx context.Context, r *driver.ListUploadsRequest) (*driver.UploadPage, error) {
	query := &gcs.Query{Prefix: componentsPrefix, Delimiter: "/", Projection: gcs.ProjectionNoACL}
	attrs, token, err := d.bucket.page(ctx, query, []string{"Name"}, r.Limit, r.Token)
	if err != nil {
		return nil, err
	}

	uploads, err := components.Uploads(
		ctx, len(attrs), r.Prefix,
		func(ctx context.Context, i int) (*storage.UploadEntry, error) {
			name := strings.TrimPrefix(attrs[i].Prefix, componentsPrefix)
			return d.composites.entry(ctx, strings.TrimSuffix(name, "/"))
		},
	)
	if err != nil {
		return nil, translate(err)
	}
	return &driver.UploadPage{Uploads: uploads, Token: token}, nil
}

// entry returns the entry of an upload, or nil if the upload does not exist, or no longer exists.
func (cs *composites) entry(ctx context.Context, upload string) (*storage.UploadEntry, error) {
	name, err := parseCompositeUpload(upload)
	if err != nil {
		return nil, nil // the name is not from this package
	}

	// The marker, if it exists, is the first object with the prefix.
	query := &gcs.Query{Prefix: name.prefix, Projection: gcs.ProjectionNoACL}
	attrs, _, err := cs.bucket.page(ctx, query, []string{"Name", "Created", "Metadata"}, 1, "")
	if err != nil {
		return nil, err
	}
	if len(attrs) == 0 {
		return nil, nil
	}
	first := attrs[0]
	return &storage.UploadEntry{
		Key:    cmp.Or(components.Key(first.Metadata), strings.TrimSuffix(name.prefix, "/")),
		Upload: upload,
		Begun:  first.Created,
	}, nil
}
