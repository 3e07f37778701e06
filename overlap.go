package storage

import (
	"reflect"
	"strings"
)

// Overlap reports whether a and b are known to reach the same objects: both are of
// one bucket, and neither's prefix (Prefixed) leads away from the other's. They are
// Buckets, or what Ref made of them. One bucket that was opened twice is known again
// where both were opened with one credential; of other types nothing but equal values
// is known: false.
func Overlap(a, b any) bool {
	from, under := reached(a)
	to, over := reached(b)
	return sameBucket(from, to) && (strings.HasPrefix(under, over) || strings.HasPrefix(over, under))
}

// reached is the bucket behind b, and the prefix under which b is in it.
func reached(b any) (bucketBehind any, prefix string) {
	switch b := b.(type) {
	case *bucket:
		return b.core, b.prefix
	case *view:
		return b.to, b.prefix
	}
	return b, ""
}

func sameBucket(a, b any) bool {
	if comparableEqual(a, b) {
		return true
	}
	first, own := a.(*core)
	second, also := b.(*core)
	if !own || !also {
		return false
	}
	from, to := first.driver.Locate(""), second.driver.Locate("")
	return comparableEqual(from.Account, to.Account) && from.Bucket == to.Bucket
}

// comparableEqual is a == b of values that may be of any type, or nil, which is
// equal to nothing.
func comparableEqual(a, b any) bool {
	return a != nil && b != nil && reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable() && a == b
}
