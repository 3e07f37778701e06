package faults

import "strings"

// Calls is a set of the calls of a [driver.Driver], such as faults.Put|faults.PutPart.
type Calls uint32

// These are the calls that an [Injector] sees. Describe, Locate, Native and Close make
// no request and are not recorded.
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
	Tags
	SetTags
	SetRetention
	SetLegalHold
	Restore
	ListParts
	ListUploads
	SignPart
	Move
	Vend

	afterLast

	// Reads are the calls that change nothing.
	Reads = Get | Head | List | ListVersions | Tags | ListParts | ListUploads
	// Writes are the calls that may change what is stored.
	Writes = Put | Delete | BeginParts | PutPart | CompleteParts | AbortParts | DeleteBatch | Copy | Compose | Move | SetTags | SetRetention | SetLegalHold | Restore
	// Signs are the calls that make signed URLs or vended credentials.
	Signs = Sign | SignForm | SignPart | Vend
	// Any is the set of all calls.
	Any = afterLast - 1
)

var callNames = [...]string{
	"Put", "Get", "Head", "List", "Delete",
	"BeginParts", "PutPart", "CompleteParts", "AbortParts", "DeleteBatch",
	"Copy", "Compose", "ListVersions", "Sign", "SignForm",
	"Tags", "SetTags", "SetRetention", "SetLegalHold", "Restore",
	"ListParts", "ListUploads", "SignPart", "Move", "Vend",
}

// String returns the name of the set, such as "Writes", or the names of its calls, such as
// "Put|PutPart".
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
