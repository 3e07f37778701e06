// Package bucketupdate reads requests that change the settings of a bucket.
package bucketupdate

import (
	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// Requested returns the settings that r asks for as the bucket's. A driver
// returns it if the update succeeded and reading the bucket afterwards failed.
func Requested(r *driver.BucketRequest) *storage.BucketInfo {
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
	info.ObjectLock = r.ObjectLock
	if r.DefaultRetention != nil {
		info.DefaultRetention = *r.DefaultRetention
	}
	if r.SoftDelete != nil {
		info.SoftDelete = *r.SoftDelete
	}
	return info
}

// IsEmpty reports whether r changes nothing.
func IsEmpty(r *driver.BucketRequest) bool {
	return r.PublicAccess == nil && r.Versioning == nil && r.CORS == nil && r.Lifecycle == nil && !r.ObjectLock && r.DefaultRetention == nil && r.SoftDelete == nil
}
