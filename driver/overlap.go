package driver

import "github.com/omnibucket/storage/internal/serving"

// Overlap reports, without a request, whether a and b, each a [storage.Bucket] or a result of
// [storage.Ref] or [storage.Prefixed], are known to reach the same objects. Prefixes overlap if one
// begins with the other, directories if one lies in the other, also by symbolic links. A bucket that
// is opened twice is recognized by its credential, a type of your own if it is equal or a
// [storage.Unwrapper]. It is for what has two stores: a layer, a job.
func Overlap(a, b any) bool {
	if _, ok := serving.Below(a, b); ok {
		return true
	}
	_, ok := serving.Below(b, a)
	return ok
}
