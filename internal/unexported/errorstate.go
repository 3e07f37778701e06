package unexported

// An ErrorState is what an error tells beside its exported fields.
type ErrorState struct {
	Absent    bool   // the condition that failed was IfAbsent
	Overtaken error  // nil unless an earlier attempt may have stored the object, before another client's: what Update fails with
	Repeated  bool   // an earlier attempt at the request failed
	Doubted   bool   // Unknown was set for the last attempt, and not only for an earlier one
	Words     string // text in place of the Code; "": the Code
}
