// Package effect has the table of what each operation does to a bucket. The root package, the
// engine and their tests use it, so that no list of effects is written by hand.
package effect

// A Set has one bit for each effect.
type Set uint16

// The effects. Package storage has a constant for each.
const (
	Read Set = 1 << iota
	Write
	Remove
	List
	Describe
	Sign
	Vend
	Administer
)

// everything is what the holder of a client or of the credentials of an account can do.
const everything = Read | Write | Remove | List | Describe

// Operations has the name of each operation that a hook is called for, and its effects. Vend has
// only those effects that its rights permit (see [Vended]).
var Operations = map[string]Set{
	"Upload":    Write,
	"Download":  Read,
	"Attrs":     Describe,
	"Exists":    Describe,
	"Remove":    Remove,
	"List":      List,
	"ListPage":  List,
	"Versions":  List,
	"RemoveAll": Remove,

	"RemoveVersions": Remove,

	"Copy":    Write,
	"Compose": Read | Write,
	"Move":    Read | Write | Remove,

	"Tags":         Describe,
	"SetTags":      Write,
	"SetRetention": Write,
	"SetLegalHold": Write,
	"Restore":      Write,

	"SignedUploadURL":   Sign | Write,
	"SignedUploadForm":  Sign | Write,
	"SignedDownloadURL": Sign | Read,
	"SignedRemoveURL":   Sign | Remove,
	"PublicURL":         Sign | Read,
	"Vend":              Vend | everything,
	"As":                Vend | everything,

	"BeginUpload":          Write,
	"ContinueUpload":       Write,
	"ContinueListedUpload": Write,
	"ListUploads":          List,
	"PutPart":              Write,
	"SignPart":             Sign | Write,
	"Parts":                Describe,
	"CompleteUpload":       Write,
	"AbortUpload":          Write,
	"AbandonUpload":        Write,

	"CreateBucket": Administer,
	"UpdateBucket": Administer,
	"DeleteBucket": Administer | Remove,
	"BucketInfo":   Administer | Describe,
	"Buckets":      Administer | List,
	"Credentials":  Administer | Vend | everything,
}

// Vended returns the effects of vending credentials with these rights. The right to read includes
// reading the attributes of objects.
func Vended(read, list, write, remove bool) Set {
	set := Vend
	if read {
		set |= Read | Describe
	}
	if list {
		set |= List
	}
	if write {
		set |= Write
	}
	if remove {
		set |= Remove
	}
	return set
}
