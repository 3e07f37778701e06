// Package equal compares values of any type.
package equal

import "reflect"

// Values is a == b of values that may be of any type, or nil, which is equal to nothing.
func Values(a, b any) bool {
	return a != nil && b != nil && reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable() && a == b
}
