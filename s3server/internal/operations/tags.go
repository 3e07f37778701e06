package s3server

import (
	"net/http"

	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/tagging"
)

func putTagging(r *request) error {
	var doc tagging.Document
	if err := r.readVouched(&doc); err != nil {
		return err
	}
	tags, err := doc.Tags()
	if err != nil {
		return err
	}
	if err := r.authorizeWith(r.in.Header, tags); err != nil {
		return err
	}
	return changeVersion(r, http.StatusOK, func(_ *state.Bucket, v *state.Version) error {
		v.Object.Properties.Tags = tags
		return nil
	})
}

func deleteTagging(r *request) error {
	return changeVersion(r, http.StatusNoContent, func(_ *state.Bucket, v *state.Version) error {
		v.Object.Properties.Tags = nil
		return nil
	})
}

// showVersion returns a handler that responds with an XML element with this name. f returns the
// element's content for the version that the request names. f must not modify the version.
func showVersion(name string, f func(*state.Version) (any, error)) handler {
	return func(r *request) error {
		v, err := findVersion(r)
		if err != nil {
			return err
		}
		document, err := f(v)
		r.server.store.Release(v)
		if err != nil {
			return err
		}
		return r.writeXML(name, document)
	}
}

// changeVersion calls replaceVersion, and responds with this status.
func changeVersion(r *request, status int, f func(*state.Bucket, *state.Version) error) error {
	if err := replaceVersion(r, f); err != nil {
		return err
	}
	return r.done(status)
}

// replaceVersion replaces a version by a modified copy. The request names the version, and f
// modifies the copy.
func replaceVersion(r *request, f func(*state.Bucket, *state.Version) error) error {
	id, err := r.versionID()
	if err != nil {
		return err
	}
	v, versionID, err := r.server.store.Change(r.in.Context(),
		state.VersionName{Bucket: r.target.bucket, Key: r.target.key, ID: id}, f)
	if err != nil {
		return err
	}
	r.note(v, versionID)
	r.showID(versionID)
	return nil
}

func getBucketTagging(b *state.Bucket) (any, error) {
	if len(b.Tags) == 0 {
		return nil, s3error.New("NoSuchTagSet", "BucketName", b.Name)
	}
	return tagging.DocumentOf(b.Tags), nil
}

func putBucketTagging(r *request) error {
	var doc tagging.Document
	if err := r.readVouched(&doc); err != nil {
		return err
	}
	tags, err := doc.List()
	if err != nil {
		return err
	}
	if err := tagging.CheckBucket(tags); err != nil {
		return err
	}
	return r.setting(http.StatusNoContent, func(b *state.Bucket) error {
		b.Tags = tags
		return nil
	})
}
