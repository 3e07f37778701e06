// Package bucketupdate helps drivers with requests that change the settings of a bucket.
package bucketupdate

import (
	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// Requested returns a bucket that has only the settings in r. A driver returns it if the update
// succeeded but the bucket could not be read afterwards.
func Requested(r *driver.BucketRequest) *storage.BucketInfo {
	return &storage.BucketInfo{
		Name:             r.Name,
		Public:           valueOf(r.PublicAccess),
		Versioning:       valueOf(r.Versioning),
		CORS:             append([]storage.CORSRule(nil), valueOf(r.CORS)...),
		Lifecycle:        append([]storage.LifecycleRule(nil), valueOf(r.Lifecycle)...),
		ObjectLock:       r.ObjectLock,
		DefaultRetention: valueOf(r.DefaultRetention),
		SoftDelete:       valueOf(r.SoftDelete),
	}
}

func valueOf[T any](setting *T) (v T) {
	if setting != nil {
		v = *setting
	}
	return v
}

// IsEmpty reports whether r changes nothing.
func IsEmpty(r *driver.BucketRequest) bool { return *r == driver.BucketRequest{Name: r.Name} }
