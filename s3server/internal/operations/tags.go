package operations

import (
	"net/http"

	"github.com/omnibucket/storage/s3server/internal/access"
	"github.com/omnibucket/storage/s3server/internal/request"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
	"github.com/omnibucket/storage/s3server/internal/tagging"
)

// putTagging replaces the tags of a version. It checks the permission itself, because this may depend on the new tags.
func putTagging(r *request.Request) error {
	var doc tagging.Document
	if err := r.ReadXMLWithDigest(&doc); err != nil {
		return err
	}
	tags, err := doc.Tags()
	if err != nil {
		return err
	}
	if err := access.AuthorizeWith(r, r.HTTP.Header, tags); err != nil {
		return err
	}

	return changeVersion(r, http.StatusOK, func(_ *state.Bucket, v *state.Version) error {
		v.Object.Properties.Tags = tags
		return nil
	})
}

// deleteTagging removes the tags of a version.
func deleteTagging(r *request.Request) error {
	return changeVersion(r, http.StatusNoContent, func(_ *state.Bucket, v *state.Version) error {
		v.Object.Properties.Tags = nil
		return nil
	})
}

// getFromVersion returns a handler that responds with an XML element of this name. f returns its content
// for the version that the request names, which it must not modify.
func getFromVersion(name string, f func(*state.Version) (any, error)) handler {
	return func(r *request.Request) error {
		return writeFromVersion(r, name, f)
	}
}

// writeFromVersion responds with an XML element of this name. f returns its content for the version that the request
// names, which it must not modify.
func writeFromVersion(r *request.Request, name string, f func(*state.Version) (any, error)) error {
	v, err := findVersion(r)
	if err != nil {
		return err
	}
	document, err := f(v)
	r.Server.Store.Release(v)
	if err != nil {
		return err
	}
	return r.WriteXML(name, document)
}

// changeVersion changes the version that the request names with f, and responds with this status.
func changeVersion(r *request.Request, status int, f func(*state.Bucket, *state.Version) error) error {
	if err := replaceVersion(r, f); err != nil {
		return err
	}
	return r.Done(status)
}

// replaceVersion lets f modify a copy of the version that the request names, and stores the copy in its place. It then
// prepares the event of the change, and sets the header with the version's id.
func replaceVersion(r *request.Request, f func(*state.Bucket, *state.Version) error) error {
	id, err := r.VersionID()
	if err != nil {
		return err
	}
	v, versionID, err := r.Server.Store.Change(r.HTTP.Context(),
		state.VersionName{Bucket: r.Target.Bucket, Key: r.Target.Key, ID: id}, f)
	if err != nil {
		return err
	}

	prepareEvent(r, v, versionID)
	setVersionIDHeader(r, versionID)
	return nil
}

// getBucketTagging returns the tags of the bucket, or fails if it has none.
func getBucketTagging(b *state.Bucket) (any, error) {
	if len(b.Tags) == 0 {
		return nil, s3error.New("NoSuchTagSet", "BucketName", b.Name)
	}
	return tagging.DocumentOf(b.Tags), nil
}

// putBucketTagging replaces the tags of the bucket.
func putBucketTagging(r *request.Request) error {
	var doc tagging.Document
	if err := r.ReadXMLWithDigest(&doc); err != nil {
		return err
	}
	tags, err := doc.List()
	if err != nil {
		return err
	}
	if err := tagging.CheckBucket(tags); err != nil {
		return err
	}

	return changeSettings(r, http.StatusNoContent, func(b *state.Bucket) error {
		b.Tags = tags
		return nil
	})
}
