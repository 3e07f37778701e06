package faults

import "strings"

// Calls is a set of the calls of a storage.Driver: faults.Put|faults.PutPart.
type Calls uint32

// The calls that an Injector sees. Describe, Locate, Native and Close make no
// request and pass it by.
const (
	Put Calls = 1 << iota
	Get
	Head
	List
	Delete
	BeginParts
	PutPart
	CompleteParts
	AbortParts
	DeleteBatch
	Copy
	Compose
	ListVersions
	Sign
	SignForm

	afterLast

	// Reads change nothing.
	Reads = Get | Head | List | ListVersions
	// Writes may change what is stored.
	Writes = Put | Delete | BeginParts | PutPart | CompleteParts | AbortParts | DeleteBatch | Copy | Compose
	// Signs hand out addresses.
	Signs = Sign | SignForm
	// Any is every call.
	Any = afterLast - 1
)

var callNames = [...]string{
	"Put", "Get", "Head", "List", "Delete",
	"BeginParts", "PutPart", "CompleteParts", "AbortParts", "DeleteBatch",
	"Copy", "Compose", "ListVersions", "Sign", "SignForm",
}

// String is the names of the calls, as the methods of storage.Driver are
// called, or the name of the set: "Put|PutPart", "Writes".
func (c Calls) String() string {
	switch c {
	case Any:
		return "Any"
	case Reads:
		return "Reads"
	case Writes:
		return "Writes"
	case Signs:
		return "Signs"
	}
	var names []string
	for i, name := range callNames {
		if c&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, "|")
}
