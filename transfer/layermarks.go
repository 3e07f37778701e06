package transfer

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/metadata"
	"github.com/omnibucket/storage/internal/objectkey"
	"github.com/omnibucket/storage/internal/serving"
	"github.com/omnibucket/storage/transfer/internal/ends"
)

// hasMarkerSize reports whether size is the size of a marker with a key of b. A marker is a small
// object of an overlay.
func hasMarkerSize(b any, key string, size int64) bool {
	return objectkey.HasOverlayMarkerSize(serving.Prefix(b)+key, size)
}

// skipMarker skips an object of the source that is a marker of an overlay, and reports whether it did. A
// marker says where the overlay finds an object, or that it was removed, and must not replace a file of
// the destination.
func (j *job) skipMarker(ctx context.Context, t task) (bool, error) {
	src, ok := j.src.(*ends.Objects)
	if !ok || !hasMarkerSize(src.Source, t.src.Key, t.src.Size) {
		return false, nil
	}

	// Only with this context do the attributes contain the metadata of layers.
	attrs, err := src.Source.Attrs(metadata.WithLayers(ctx), t.src.Key)
	if err != nil {
		if storage.CodeOf(err) == storage.ObjectNotFound {
			// The transfer will report the missing object.
			return false, nil
		}
		return false, err
	}

	isMarker := attrs.Size == t.src.Size && attrs.Metadata[objectkey.OverlayMarker] != ""
	if isMarker {
		j.ignore(t)
	}
	return isMarker, nil
}

// hideMarkers sets IsDeleteMarker in each version that is a marker of an overlay, so that the job does
// not restore it as an object. It does not change a current marker that says that the object is still in
// the overlay's old store. Without that marker, the overlay would not find the object.
func (r *reverter) hideMarkers(ctx context.Context, versions []storage.VersionEntry) error {
	for i := range versions {
		v := &versions[i]
		isHidden, err := r.hidesMarker(ctx, v)
		if err != nil {
			return err
		}
		if isHidden {
			v.IsDeleteMarker = true
			// Without a version, the job does not remove the marker either.
			v.Version = ""
		}
	}
	return nil
}

// hidesMarker reports whether a version is a marker of an overlay that hideMarkers hides.
func (r *reverter) hidesMarker(ctx context.Context, v *storage.VersionEntry) (bool, error) {
	if v.IsDeleteMarker || !hasMarkerSize(r.bucket, v.Key, v.Size) {
		return false, nil
	}
	// A soft-deleted version cannot be read.
	if !v.SoftDeletedUntil.IsZero() {
		return false, nil
	}

	kind, _, err := r.markerOf(ctx, v.Key, v.Version)
	if err != nil || kind == "" {
		return false, err
	}
	refersToOldStore := kind != objectkey.OverlayRemoved
	isNeeded := v.Current && refersToOldStore
	return !isNeeded, nil
}

// markerOf returns the kind of overlay marker that a version is, or "" if it is none, and its revision. An
// empty version means the current object.
func (r *reverter) markerOf(ctx context.Context, key, version string) (kind, revision string, err error) {
	var opts []storage.AttrsOption
	if version != "" {
		opts = append(opts, storage.WithVersion(version))
	}
	// Without WithLayers, the metadata would lack the name that marks it.
	attrs, err := r.bucket.Attrs(metadata.WithLayers(ctx), key, opts...)
	if storage.CodeOf(err) == storage.ObjectNotFound {
		// The version was removed meanwhile.
		return "", "", nil
	}
	if err != nil || !hasMarkerSize(r.bucket, key, attrs.Size) {
		return "", "", err
	}
	return attrs.Metadata[objectkey.OverlayMarker], attrs.Revision, nil
}

// restore restores the newest soft-deleted version of an object that is not a marker of an overlay. It
// removes markers again, because only a restored version shows whether it is one.
func (r *reverter) restore(ctx context.Context, rev reversion) error {
	newestFirst := append([]storage.VersionEntry{rev.version}, rev.below...)
	for _, v := range newestFirst {
		// The version is not soft-deleted, so it cannot be restored.
		if v.SoftDeletedUntil.IsZero() {
			break
		}

		opts := []storage.RestoreOption{storage.WithSoftDeleted()}
		if v.Version != "" {
			opts = append(opts, storage.WithVersion(v.Version))
		}
		if err := storage.Restore(ctx, r.bucket, v.Key, opts...); err != nil {
			return err
		}
		wasMarker, err := r.removeMarker(ctx, v)
		if err != nil || !wasMarker {
			return err
		}
	}

	// Each restored version was a marker and was removed again, so that nothing has changed.
	return storage.PreconditionFailed
}

// removeMarker removes a restored version if it is a marker of an overlay, and reports whether it was.
func (r *reverter) removeMarker(ctx context.Context, v storage.VersionEntry) (bool, error) {
	if !hasMarkerSize(r.bucket, v.Key, v.Size) {
		return false, nil
	}
	kind, revision, err := r.markerOf(ctx, v.Key, "")
	if err != nil || kind == "" {
		return false, err
	}

	var opts []storage.RemoveOption
	if storage.Supports(r.bucket, storage.ConditionalRemove) {
		// Another program may have replaced the marker meanwhile.
		opts = append(opts, storage.IfRevision(revision))
	}
	return true, r.bucket.Remove(ctx, v.Key, opts...)
}
