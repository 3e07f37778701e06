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

// Copy makes a rewrite, which may take several requests. The request keeps the
// rewrite token, so another attempt resumes there.
func (d *objectDriver) Copy(ctx context.Context, r *driver.CopyRequest) (*storage.Attrs, error) {
	source, err := d.account.sourceAt(r.Source)
	if err != nil {
		return nil, err
	}
	c := callOf(r.Native)
	target, err := withCondition(c.on(d.bucket.handle().Object(r.Key)), r.Condition)
	if err != nil {
		return nil, err
	}
	controls := r.Controls
	if !r.ReplaceTags {
		controls.Tags = nil // Google copies the tags of the source
	}
	attrs, err := d.account.attrsToSet(r.Key, &r.Properties, &controls, c)
	if err != nil {
		return nil, err
	}
	if err := checkJoined(attrs); err != nil {
		return nil, err
	}
	keepCustomTime(attrs, r.Source)
	ctx = with(ctx, c)
	if r.ReplaceTags && attrs.Contexts == nil && (r.Source.Attrs == nil || r.Source.Attrs.TagCount > 0) {
		ctx = adding(ctx, nil, url.Values{dropContexts: {customContexts}})
	}
	copier := target.CopierFrom(callOf(r.Source.Native).on(source))
	// Without a class the copy would get the default of the destination bucket. A
	// request with a class must have all other attributes too.
	copier.ObjectAttrs = *attrs
	copier.Name = ""
	copier.StorageClass = cmp.Or(attrs.StorageClass, httpheader.StandardClass)
	copier.ContentType = cmp.Or(attrs.ContentType, "application/octet-stream") // the content type is required
	copier.DestinationKMSKeyName = attrs.KMSKeyName
	copier.RewriteToken = r.Resume
	copied, err := rewrite(ctx, copier)
	r.Resume = copier.RewriteToken
	if err != nil {
		return nil, d.bucket.lockError(ctx, sourceError(err), r.Condition, &r.Controls)
	}
	return attrsOf(copied), nil
}

// keepCustomTime keeps the custom time of a source, from which lifecycle rules count, if the core has read it: Google
// copies no attribute if the request has any. https://cloud.google.com/storage/docs/json_api/v1/objects/rewrite
func keepCustomTime(attrs *gcs.ObjectAttrs, source driver.ObjectRef) {
	if source.Attrs == nil {
		return
	}
	if own, is := source.Attrs.Native.(*gcs.ObjectAttrs); is {
		attrs.CustomTime = cmp.Or(attrs.CustomTime, own.CustomTime)
	}
}

// Move makes one request. It has no condition on the source, so that a 412 is always about the
// destination.
func (d *objectDriver) Move(ctx context.Context, r *driver.MoveRequest) (*storage.Attrs, error) {
	to, err := conditionsOf(r.Condition)
	if err != nil {
		return nil, err
	}
	moved, err := write(ctx, func(ctx context.Context) (*gcs.ObjectAttrs, error) {
		return d.bucket.handle().Object(r.From).Move(ctx, gcs.MoveObjectDestination{Object: r.Key, Conditions: to})
	})
	if err == nil {
		return attrsOf(moved), nil
	}
	e := translate(err)
	if e.Unknown { // a gateway's 404 proves nothing
		return nil, e
	}
	return nil, d.bucket.notFound(ctx, e)
}

// maxRewrites bounds how often a rewrite resumes at once after a temporary
// failure. It must have made progress each time; otherwise the core waits.
const maxRewrites = 8

// rewrite runs a copier to its end. Its outcome is unknown if any of its
// responses was lost: that may have been the last one.
func rewrite(ctx context.Context, copier *gcs.Copier) (*gcs.ObjectAttrs, error) {
	ctx = transport.WithAnswer(ctx, transport.DefaultAnswer) // the server works on one request for up to half a minute
	unknown := false
	for tries := 1; ; tries++ {
		at := copier.RewriteToken
		copied, err := write(ctx, copier.Run)
		if err == nil {
			return copied, nil
		}
		e := translate(err)
		unknown = unknown || e.Unknown
		if e.Status == http.StatusGone {
			copier.RewriteToken = "" // the token has expired: the rewrite begins again
		}
		if tries == maxRewrites || copier.RewriteToken == at || e.Code != storage.Unavailable || e.RetryAfter > 0 {
			e.Unknown = unknown
			return nil, e
		}
	}
}

// sourceAt returns the source at the generation to copy. The generation is not a condition: if
// the source has changed, the response is 404, so that a 412 is always about the destination.
func (a *account) sourceAt(source driver.ObjectRef) (*gcs.ObjectHandle, error) {
	o := a.handleOf(source.Bucket).Object(source.Key)
	at := cmp.Or(source.Version, source.Revision)
	if at == "" {
		return o, nil
	}
	n, err := parseGeneration("revision", at)
	if err != nil {
		return nil, err
	}
	return o.Generation(n), nil
}

// sourceError returns the error for a failed copy. A missing source existed a
// moment ago, so it is Changed.
func sourceError(err error) error {
	e := translate(err)
	if e.Status == http.StatusNotFound && e.Code == storage.ObjectNotFound {
		e.Code = storage.Changed
	}
	return e
}
