package transfer

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/metadata"
	"github.com/omnibucket/storage/internal/objectkey"
	"github.com/omnibucket/storage/internal/serving"
	"github.com/omnibucket/storage/transfer/internal/ends"
	"github.com/omnibucket/storage/transfer/internal/journal"
)

// hasMarkerSize reports whether size is the size of a marker with a key of b. A marker is a small
// object of an overlay.
func hasMarkerSize(b any, key string, size int64) bool {
	return objectkey.HasOverlayMarkerSize(serving.Prefix(b)+key, size)
}

// skipMarker reports whether a file of the source is a marker of an overlay, and counts it as ignored.
// A marker says where the overlay finds an object, or that it was removed, and must not replace a file
// of the destination.
func (j *job) skipMarker(ctx context.Context, t task) (bool, error) {
	src, ok := j.src.(*ends.Objects)
	if !ok || !hasMarkerSize(src.Source, t.src.Key, t.src.Size) {
		return false, nil
	}

	attrs, err := src.Source.Attrs(metadata.WithLayers(ctx), t.src.Key)
	if storage.CodeOf(err) == storage.ObjectNotFound {
		// The transfer will report the missing object.
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if attrs.Size != t.src.Size || attrs.Metadata[objectkey.OverlayMarker] == "" {
		return false, nil
	}

	j.reporter.countPassed(func(r *Report) {
		r.Ignored++
	})
	j.settings.journal.End(t.step, journal.Counts{Ignored: 1})
	return true, nil
}

// hideMarkers sets IsDeleteMarker in each version that is a marker of an overlay, so that the job does
// not restore it as an object. A current marker that refers to the overlay's old store stays, because
// the overlay needs it.
func (r *reverter) hideMarkers(ctx context.Context, versions []storage.VersionEntry) error {
	for i := range versions {
		v := &versions[i]
		if !hasMarkerSize(r.bucket, v.Key, v.Size) || v.IsDeleteMarker || !v.SoftDeletedUntil.IsZero() {
			continue
		}
		kind, _, err := r.markerOf(ctx, v.Key, v.Version)
		if err != nil {
			return err
		}
		isNeeded := v.Current && kind != objectkey.OverlayRemoved
		if kind != "" && !isNeeded {
			v.IsDeleteMarker = true
			v.Version = ""
		}
	}
	return nil
}

// markerOf returns the kind of overlay marker that a version is, or "" if it is none, and the revision.
func (r *reverter) markerOf(ctx context.Context, key, version string) (kind, revision string, err error) {
	var opts []storage.AttrsOption
	if version != "" {
		opts = append(opts, storage.WithVersion(version))
	}
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
	key := rev.version.Key
	for _, v := range append([]storage.VersionEntry{rev.version}, rev.below...) {
		// The version is not soft-deleted, so it cannot be restored.
		if v.SoftDeletedUntil.IsZero() {
			break
		}

		opts := []storage.RestoreOption{storage.WithSoftDeleted()}
		if v.Version != "" {
			opts = append(opts, storage.WithVersion(v.Version))
		}

		// A version whose size is not that of a marker is the object itself.
		if err := storage.Restore(ctx, r.bucket, key, opts...); err != nil || !hasMarkerSize(r.bucket, key, v.Size) {
			return err
		}

		kind, revision, err := r.markerOf(ctx, key, "")
		if err != nil || kind == "" {
			return err
		}

		var removeOpts []storage.RemoveOption
		if storage.Supports(r.bucket, storage.ConditionalRemove) {
			removeOpts = append(removeOpts, storage.IfRevision(revision))
		}
		if err := r.bucket.Remove(ctx, key, removeOpts...); err != nil {
			return err
		}
	}

	// Each restored version was a marker and was removed again, so that nothing has changed.
	return storage.PreconditionFailed
}
