package seam

// An ErrorState is the state that an *Error of the root package keeps for the engine in unexported
// fields.
type ErrorState struct {
	Absent      bool   // true if the condition that failed was IfAbsent
	Overwritten error  // error that Update returns if an earlier attempt may have stored the object, or nil
	Repeated    bool   // true if an earlier attempt at the same request failed
	LastUnknown bool   // value of Unknown after the last attempt
	Text        string // text that is shown in place of the Code, or ""
}
