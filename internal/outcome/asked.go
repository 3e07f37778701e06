package outcome

import "github.com/omnibucket/storage"

// Asked returns what a bucket is known to be after an update, as far as r asked
// for it: a look that fails afterwards is no failure of the update.
func Asked(r *storage.BucketRequest) *storage.BucketInfo {
	info := &storage.BucketInfo{Name: r.Name}
	if r.PublicAccess != nil {
		info.Public = *r.PublicAccess
	}
	if r.Versioning != nil {
		info.Versioning = *r.Versioning
	}
	if r.CORS != nil && len(*r.CORS) > 0 {
		info.CORS = *r.CORS
	}
	if r.Lifecycle != nil && len(*r.Lifecycle) > 0 {
		info.Lifecycle = *r.Lifecycle
	}
	return info
}

// Asks reports whether r asks for any change.
func Asks(r *storage.BucketRequest) bool {
	return r.PublicAccess != nil || r.Versioning != nil || r.CORS != nil || r.Lifecycle != nil
}
