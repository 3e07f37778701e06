package piecemeal

// Errors returns the errors that err joins, if it is a result of [errors.Join] or of another type
// with the method Unwrap() []error. Otherwise it returns a slice that contains only err, or nil if
// err is nil.
func Errors(err error) []error {
	if err == nil {
		return nil
	}
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		return several.Unwrap()
	}
	return []error{err}
}
