package seam

// An ErrorState has what the engine reads of an error besides the exported fields.
type ErrorState struct {
	Absent      bool   // whether the condition that failed was IfAbsent
	Overwritten error  // what Update fails with if an earlier attempt may have stored the object before another client's; else nil
	Repeated    bool   // whether an earlier attempt at the request failed
	LastUnknown bool   // whether Unknown was set for the last attempt, and not only for an earlier one
	Text        string // the text in place of the Code; "" for the Code
}
