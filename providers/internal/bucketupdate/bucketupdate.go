// Package bucketupdate helps drivers with requests that change the settings of a bucket.
package bucketupdate

import (
	"slices"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/sdkerror"
)

// Requested returns a bucket that has only the settings in r, which a driver returns if the update
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

// A Setting is what one request reads: fields of a [storage.BucketInfo].
type Setting struct {
	Fields []string // names of the fields
	Right  string   // the provider's name of the permission to read them
}

// Denied records in info.Unread the fields of settings that could not be read, and returns an error
// PermissionDenied that names the missing permissions and wraps cause, the provider's error.
func Denied(info *storage.BucketInfo, cause error, settings ...Setting) error {
	var rights []string
	for _, s := range settings {
		info.Unread = append(info.Unread, s.Fields...)
		rights = append(rights, s.Right)
	}
	hint := "the credentials may not read " + strings.Join(info.Unread, ", ") + ": permit " +
		strings.Join(rights, ", ") + "; the other settings are returned, too"
	return sdkerror.WithHint(cause, hint)
}

// valueOf returns the value of a setting, or its zero value if the setting is nil.
func valueOf[T any](setting *T) T {
	if setting != nil {
		return *setting
	}
	var zero T
	return zero
}

// ForgetRequested removes from info.Unread the fields that r has set, because their values are known.
func ForgetRequested(info *storage.BucketInfo, r *driver.BucketRequest) {
	isSet := map[string]bool{
		"Public":           r.PublicAccess != nil,
		"Versioning":       r.Versioning != nil,
		"CORS":             r.CORS != nil,
		"Lifecycle":        r.Lifecycle != nil,
		"ObjectLock":       r.ObjectLock,
		"DefaultRetention": r.DefaultRetention != nil,
		"SoftDelete":       r.SoftDelete != nil,
	}
	info.Unread = slices.DeleteFunc(info.Unread, func(field string) bool { return isSet[field] })
}

// IsEmpty reports whether r changes nothing.
func IsEmpty(r *driver.BucketRequest) bool { return *r == driver.BucketRequest{Name: r.Name} }
