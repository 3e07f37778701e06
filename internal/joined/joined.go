// Package joined splits joined errors.
package joined

// Errors returns the errors that [errors.Join], or another type with the method Unwrap() []error,
// has joined. It returns nil for nil, and a slice with only err for any other error.
func Errors(err error) []error {
	if err == nil {
		return nil
	}
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		return several.Unwrap()
	}
	return []error{err}
}
