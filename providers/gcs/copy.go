package gcs

import (
	"context"
	"net/http"

	gcs "cloud.google.com/go/storage"

	"github.com/omnibucket/storage"
)

// Copy is a rewrite of any size, which the server may want to be asked for
// several times.
func (d *driver) Copy(ctx context.Context, r *storage.CopyRequest) (*storage.Attrs, error) {
	if len(r.Native) > 0 {
		return nil, storage.Unsupported
	}
	source, err := d.pinned(r.Source)
	if err != nil {
		return nil, err
	}
	target, err := when(d.handle().Object(r.Key), r.Condition)
	if err != nil {
		return nil, err
	}
	copier := target.CopierFrom(source)
	// Attributes come along where none is given, but for the class, which is the
	// destination's default then: with one, all are said again.
	if r.Replace || r.StorageClass != "" {
		copier.ObjectAttrs = attrsToSet(&r.Properties)
		if copier.ContentType == "" {
			copier.ContentType = "application/octet-stream" // one is required
		}
	}
	copier.PredefinedACL = predefinedACL(r.PublicRead)
	var copied *gcs.ObjectAttrs
	err = writes(ctx, func(ctx context.Context) (err error) {
		copied, err = copier.Run(ctx)
		return err
	})
	if err != nil {
		return nil, d.sourceFailed(err)
	}
	return attrsOf(copied), nil
}

// pinned is a source at the generation that is copied. It is named, not made a
// condition: a source that is another now is then a 404, and a 412 is always
// the destination's.
func (d *driver) pinned(source storage.ObjectRef) (*gcs.ObjectHandle, error) {
	o := d.handleOf(source.Bucket).Object(source.Key)
	at := source.Version
	if at == "" {
		at = source.Revision
	}
	if at == "" {
		return o, nil
	}
	n, err := generation("revision", at)
	if err != nil {
		return nil, err
	}
	return o.Generation(n), nil
}

// sourceFailed is what a failed copy means: what is missing was there a moment
// ago.
func (d *driver) sourceFailed(err error) error {
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
