// Package equal compares values of any type.
package equal

import "reflect"

// Values reports whether a == b, for values of any type. A nil value is equal to nothing.
func Values(a, b any) bool {
	return a != nil && b != nil && reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable() && a == b
}
