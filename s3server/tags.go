package s3server

import (
	"net/http"

	"github.com/omnibucket/storage/s3server/internal/tagging"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

func getTagging(r *request) error {
	response := tagging.Document{Xmlns: xmldoc.Namespace}
	err := viewVersion(r, func(v *version) error {
		response.Set(v.object.properties.tags)
		return nil
	})
	if err != nil {
		return err
	}
	return r.writeXML(response)
}

func putTagging(r *request) error {
	if err := r.needDigest(); err != nil {
		return err
	}
	var asked tagging.Document
	if err := r.readXML(&asked); err != nil {
		return err
	}
	tags, err := asked.Tags()
	if err != nil {
		return err
	}
	if err := r.authorizeWith(r.Header, tags); err != nil {
		return err
	}
	return changeVersion(r, http.StatusOK, func(_ *bucket, v *version) error {
		v.object.properties.tags = tags
		return nil
	})
}

func deleteTagging(r *request) error {
	return changeVersion(r, http.StatusNoContent, func(_ *bucket, v *version) error {
		v.object.properties.tags = nil
		return nil
	})
}

// viewVersion calls f with the version that the request names, which f must not change.
func viewVersion(r *request, f func(*version) error) error {
	v, err := findVersion(r)
	if err != nil {
		return err
	}
	defer r.server.store.release(v)
	return f(v)
}

// changeVersion is replaceVersion, and returns this status.
func changeVersion(r *request, status int, f func(*bucket, *version) error) error {
	if err := replaceVersion(r, f); err != nil {
		return err
	}
	return r.done(status)
}

// replaceVersion replaces the version that the request names by a copy that f has changed.
func replaceVersion(r *request, f func(*bucket, *version) error) error {
	id, err := r.versionID()
	if err != nil {
		return err
	}
	v, shown, err := r.server.store.change(r.Context(), versionName{r.target.bucket, r.target.key, id}, f)
	if err != nil {
		return err
	}
	r.note(v, shown)
	r.showID(shown)
	return nil
}
