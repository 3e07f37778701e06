package evidence

import "reflect"

// EqualValues reports whether a == b, for values of any type. It returns false for nil, and for values
// that cannot be compared.
func EqualValues(a, b any) bool {
	return a != nil && b != nil && reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable() && a == b
}
