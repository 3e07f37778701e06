package transfer

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/layerkeys"
	"github.com/omnibucket/storage/internal/metadata"
)

// passMarkers makes delete markers without a version of the versions that are markers of an overlay, so that
// none becomes an object. One that says that an object is being copied stays if it is current: an overlay is using it.
func (r *reverting) passMarkers(ctx context.Context, versions []storage.VersionEntry) error {
	for i := range versions {
		v := &versions[i]
		if v.Size != layerkeys.MarkerSize(v.Key) || v.IsDeleteMarker || !v.SoftDeletedUntil.IsZero() {
			continue
		}
		kind, _, err := r.markerOf(ctx, v.Key, v.Version)
		if err != nil {
			return err
		}
		if kind == layerkeys.RemovedMarker || kind != "" && !v.Current {
			v.IsDeleteMarker, v.Version = true, ""
		}
	}
	return nil
}

// markerOf returns the kind of marker that a version is, or "", and its revision.
func (r *reverting) markerOf(ctx context.Context, key, version string) (kind, revision string, err error) {
	var opts []storage.AttrsOption
	if version != "" {
		opts = append(opts, storage.WithVersion(version))
	}
	attrs, err := r.bucket.Attrs(metadata.WithLayers(ctx), key, opts...)
	if storage.CodeOf(err) == storage.ObjectNotFound { // it was removed meanwhile
		return "", "", nil
	}
	if err != nil || attrs.Size != layerkeys.MarkerSize(key) {
		return "", "", err
	}
	return attrs.Metadata[layerkeys.MarkerName], attrs.Revision, nil
}

// restore restores a soft-deleted object. If that is a marker of an overlay, it is removed again, and the next older one
// is restored.
func (r *reverting) restore(ctx context.Context, what reversion) error {
	key := what.version.Key
	for _, v := range append([]storage.VersionEntry{what.version}, what.below...) {
		if v.SoftDeletedUntil.IsZero() {
			break
		}
		opts := []storage.RestoreOption{storage.WithSoftDeleted()}
		if v.Version != "" {
			opts = append(opts, storage.WithVersion(v.Version))
		}
		if err := storage.Restore(ctx, r.bucket, key, opts...); err != nil || v.Size != layerkeys.MarkerSize(v.Key) {
			return err
		}
		kind, revision, err := r.markerOf(ctx, key, "")
		if err != nil || kind == "" {
			return err
		}
		var remove []storage.RemoveOption
		if storage.Supports(r.bucket, storage.ConditionalRemove) {
			remove = append(remove, storage.IfRevision(revision))
		}
		if err := r.bucket.Remove(ctx, key, remove...); err != nil {
			return err
		}
	}
	return storage.PreconditionFailed // nothing but markers: it stays as it was
}
