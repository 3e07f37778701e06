package gcs

import (
	"cmp"
	"context"
	"net/http"

	gcs "cloud.google.com/go/storage"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/transport"
)

// Copy is a rewrite of any size, which the server may want to be asked for
// several times. How far it came is kept in the request: another attempt goes on
// there.
func (d *driver) Copy(ctx context.Context, r *storage.CopyRequest) (*storage.Attrs, error) {
	if len(r.Native) > 0 {
		return nil, storage.Unsupported
	}
	source, err := d.sourceAt(r.Source)
	if err != nil {
		return nil, err
	}
	target, err := withCondition(d.handle().Object(r.Key), r.Condition)
	if err != nil {
		return nil, err
	}
	copier := target.CopierFrom(source)
	// The class would not come along, but be the destination bucket's default: it
	// is always said, and with it all else has to be.
	copier.ObjectAttrs = attrsToSet(&r.Properties)
	copier.StorageClass = cmp.Or(r.StorageClass, standardClass)
	copier.ContentType = cmp.Or(r.ContentType, "application/octet-stream") // one is required
	copier.PredefinedACL = predefinedACL(r.PublicRead)
	copier.RewriteToken = r.Resume
	copied, err := rewrite(ctx, copier)
	r.Resume = copier.RewriteToken
	if err != nil {
		return nil, d.sourceError(err)
	}
	return attrsOf(copied), nil
}

// maxRewrites bounds how often one rewrite goes on at once where it failed for a
// moment; each time it must have come further. With one that has not the core
// waits.
const maxRewrites = 8

// rewrite runs a copier to its end. An answer that was lost, and that of a
// later call is not, may have been the last.
func rewrite(ctx context.Context, copier *gcs.Copier) (*gcs.ObjectAttrs, error) {
	ctx = transport.WithAnswer(ctx, transport.DefaultAnswer) // the server works for half a minute
	unknown := false
	for tries := 1; ; tries++ {
		at := copier.RewriteToken
		var copied *gcs.ObjectAttrs
		err := writes(ctx, func(ctx context.Context) (err error) {
			copied, err = copier.Run(ctx)
			return err
		})
		if err == nil {
			return copied, nil
		}
		e := translate(err)
		unknown = unknown || e.Unknown
		if tries == maxRewrites || copier.RewriteToken == at || e.Code != storage.Unavailable || e.RetryAfter > 0 {
			e.Unknown = unknown
			return nil, e
		}
	}
}

// pinned is a source at the generation that is copied. It is named, not made a
// condition: a source that is another now is then a 404, and a 412 is always
// the destination's.
func (d *driver) sourceAt(source storage.ObjectRef) (*gcs.ObjectHandle, error) {
	o := d.handleOf(source.Bucket).Object(source.Key)
	at := source.Version
	if at == "" {
		at = source.Revision
	}
	if at == "" {
		return o, nil
	}
	n, err := parseGeneration("revision", at)
	if err != nil {
		return nil, err
	}
	return o.Generation(n), nil
}

// sourceFailed is what a failed copy means: what is missing was there a moment
// ago.
func (d *driver) sourceError(err error) error {
	e := translate(err)
	if e.Status == http.StatusNotFound && e.Code == storage.ObjectNotFound {
		e.Code = storage.Changed
	}
	return e
}

func predefinedACL(public bool) string {
	if public {
		return "publicRead"
	}
	return ""
}
