package seam

// An OptionState is the part of the options of one call that only the library sets and reads. The
// options structs of the root package keep it in an unexported field.
type OptionState struct {
	// View is the prefix of the bucket view. A listing leaves out the view's folder marker, and
	// WithResume continues only uploads under the prefix.
	View string
	// WriteID is the argument of WithWriteID, or "".
	WriteID string
	// Tail has the bytes that Append adds to the source of a copy. It is nil for other operations.
	Tail []byte
	// Taken is set to true by the Core that adds Tail. It is nil if Tail is nil.
	Taken *bool
	// Auxiliary is true if native options that do not fit this read are ignored.
	Auxiliary bool
}
