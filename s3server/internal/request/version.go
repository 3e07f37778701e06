package request

import (
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// Bucket returns the request's bucket as it was at the first call. The caller must not modify it.
func (r *Request) Bucket() (b *state.Bucket, err error) {
	if r.found == nil {
		r.found, err = r.Server.Store.Bucket(r.HTTP.Context(), r.Target.Bucket)
	}
	return r.found, err
}

// VersionID returns the query parameter versionId, or "" if there is none. It fails if the id is invalid.
func (r *Request) VersionID() (string, error) {
	if !r.Has("versionId") {
		return "", nil
	}

	id := r.Query.Get("versionId")
	if id == "" {
		return "", s3error.New("InvalidArgument", "ArgumentName", "versionId", "ArgumentValue", "").
			WithMessage("Version id cannot be the empty string")
	}
	if !r.Server.Store.ValidID(id) {
		return "", s3error.New("InvalidArgument", "ArgumentName", "versionId", "ArgumentValue", id).
			WithMessage("Invalid version id specified")
	}
	return id, nil
}

// Find returns the version with this name, or the current one if the name has no id. It fails if there is
// no such version, or if it is a delete marker. The caller must release v even if Find fails.
func (r *Request) Find(name state.VersionName) (v *state.Version, versionID string, err error) {
	v, versionID, err = r.LookupVersion(name)
	// The caller releases the version, so the end of the request must not release it again.
	r.lookup = versionLookup{}

	if err == nil {
		err = state.Readable(v, name)
	}
	return v, versionID, err
}

// A versionLookup is the result of a lookup that checked permissions. It is kept for the read that
// follows.
type versionLookup struct {
	name      state.VersionName
	version   *state.Version
	versionID string
	err       error
}

// LookupVersion looks up a version and keeps the result, so that the check of permissions and the later
// read use the same version and open it only once. It must not be called concurrently, as DeleteObjects
// would for its keys.
func (r *Request) LookupVersion(name state.VersionName) (v *state.Version, versionID string, err error) {
	if r.lookup.name != name {
		r.Server.Store.Release(r.lookup.version)
		v, versionID, err = r.Server.Store.Find(r.HTTP.Context(), name)
		r.lookup = versionLookup{name: name, version: v, versionID: versionID, err: err}
	}
	return r.lookup.version, r.lookup.versionID, r.lookup.err
}
