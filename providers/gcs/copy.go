package gcs

import (
	"cmp"
	"context"
	"net/http"
	"net/url"

	gcs "cloud.google.com/go/storage"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/transport"
	"github.com/omnibucket/storage/providers/internal/httpheader"
)

// Copy makes a rewrite, which may take several requests. The operation keeps the rewrite token, so
// another attempt resumes the rewrite.
func (d *objectDriver) Copy(ctx context.Context, r *driver.CopyRequest) (*storage.Attrs, error) {
	source, err := d.account.sourceAt(r.Source)
	if err != nil {
		return nil, err
	}
	opts := newCallOptions(r.Native)
	target, err := withCondition(opts.addKey(d.bucket.handle().Object(r.Key)), r.Condition)
	if err != nil {
		return nil, err
	}

	controls := r.Controls
	if !r.ReplaceTags {
		// The tags are nil, because Google copies the source's tags.
		controls.Tags = nil
	}
	attrs, err := d.account.attrsToSet(r.Key, &r.Properties, &controls, opts)
	if err != nil {
		return nil, err
	}
	if err := refuseMD5(attrs); err != nil {
		return nil, err
	}
	keepCustomTime(attrs, r.Source)

	// Google calls tags contexts, and copies those of the source unless a parameter drops them.
	ctx = withCallOptions(ctx, opts)
	mayHaveTags := r.Source.Attrs == nil || r.Source.Attrs.TagCount > 0
	removesTags := r.ReplaceTags && attrs.Contexts == nil
	if removesTags && mayHaveTags {
		ctx = withRequestFields(ctx, nil, url.Values{dropContexts: {customContexts}})
	}

	// r.Resume has the token of an earlier attempt, and gets that of this one.
	copier := target.CopierFrom(newCallOptions(r.Source.Native).addKey(source))
	setCopyAttrs(copier, attrs)
	copier.RewriteToken = r.Resume
	obj, err := rewrite(ctx, copier)
	r.Resume = copier.RewriteToken
	if err != nil {
		return nil, d.bucket.lockError(ctx, sourceError(err), r.Condition, &r.Controls)
	}
	return attrsOf(obj), nil
}

// setCopyAttrs sets the attributes of the copy that copier makes.
func setCopyAttrs(copier *gcs.Copier, attrs *gcs.ObjectAttrs) {
	copier.ObjectAttrs = *attrs
	copier.Name = "" // the target has it already

	// Without a class, the copy would have the default class of the destination bucket. A request
	// with a class must also have all other attributes, and the content type is required.
	copier.StorageClass = cmp.Or(attrs.StorageClass, httpheader.StandardClass)
	copier.ContentType = cmp.Or(attrs.ContentType, "application/octet-stream")
	copier.DestinationKMSKeyName = attrs.KMSKeyName
}

// keepCustomTime gives the copy the custom time of the source, because lifecycle rules may count
// from that time. Google itself copies no attribute of the source if the request sets any. If the
// engine has not read the source's attributes, keepCustomTime does nothing.
// https://cloud.google.com/storage/docs/json_api/v1/objects/rewrite
func keepCustomTime(attrs *gcs.ObjectAttrs, source driver.ObjectRef) {
	if source.Attrs == nil {
		return
	}
	if object, ok := source.Attrs.Native.(*gcs.ObjectAttrs); ok {
		attrs.CustomTime = cmp.Or(attrs.CustomTime, object.CustomTime)
	}
}

// Move makes one request, which renames the object in its bucket. Its only condition is that on the
// destination, so a response with status 412 means that this condition is false.
func (d *objectDriver) Move(ctx context.Context, r *driver.MoveRequest) (*storage.Attrs, error) {
	conds, err := conditionsOf(r.Condition)
	if err != nil {
		return nil, err
	}
	moved, err := write(ctx, func(ctx context.Context) (*gcs.ObjectAttrs, error) {
		return d.bucket.handle().Object(r.From).Move(ctx, gcs.MoveObjectDestination{Object: r.Key, Conditions: conds})
	})
	if err != nil {
		storageErr := translate(err)
		if storageErr.Unknown {
			// The response may come from a gateway, so the object may have been renamed, even after a 404.
			return nil, storageErr
		}
		return nil, d.bucket.notFound(ctx, storageErr)
	}
	return attrsOf(moved), nil
}

// maxRewrites limits how often a rewrite resumes without a pause after a temporary failure. The
// rewrite resumes only if it has made progress. Otherwise the engine waits and retries.
const maxRewrites = 8

// rewrite runs a copier to its end by one request after another. If any response was lost, the
// outcome is unknown, because the lost response may have been the last.
func rewrite(ctx context.Context, copier *gcs.Copier) (*gcs.ObjectAttrs, error) {
	// The server may work on one request for half a minute.
	ctx = transport.WithAnswer(ctx, transport.DefaultAnswer)
	isUnknown := false
	for attempt := 1; ; attempt++ {
		oldToken := copier.RewriteToken
		attrs, err := write(ctx, copier.Run)
		if err == nil {
			return attrs, nil
		}

		storageErr := translate(err)
		if storageErr.Unknown {
			isUnknown = true
		}
		if storageErr.Status == http.StatusGone {
			// The token has expired, so the rewrite begins again.
			copier.RewriteToken = ""
		}

		// Continue here only if requests succeeded before the error, or if the rewrite begins again. Otherwise
		// the engine decides.
		hasProgress := copier.RewriteToken != oldToken
		isTemporary := storageErr.Code == storage.Unavailable && storageErr.RetryAfter <= 0
		if hasProgress && isTemporary && attempt < maxRewrites {
			continue
		}
		storageErr.Unknown = isUnknown
		return nil, storageErr
	}
}

// sourceAt returns the source of a copy at its generation, which is the version or the revision of source.
// The generation is no condition, so if the source has changed, Google responds with status 404. Status
// 412 always means that the condition on the destination failed.
func (a *account) sourceAt(source driver.ObjectRef) (*gcs.ObjectHandle, error) {
	object := a.handleOf(source.Bucket).Object(source.Key)
	id := cmp.Or(source.Version, source.Revision)
	if id == "" {
		return object, nil
	}
	generation, err := parseGeneration("revision", id)
	if err != nil {
		return nil, err
	}
	return object.Generation(generation), nil
}

// sourceError returns the error for a failed copy. If the source is missing, the error is Changed,
// because the source existed when the engine read its attributes.
func sourceError(err error) error {
	storageErr := translate(err)
	if storageErr.Status == http.StatusNotFound && storageErr.Code == storage.ObjectNotFound {
		storageErr.Code = storage.Changed
	}
	return storageErr
}
