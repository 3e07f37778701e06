package uploads

import "fmt"

// A reason says why a file of an allowed type is refused.
type reason struct {
	code    Code
	message string // %s is the type's name
}

var (
	damaged           = &reason{Damaged, "This %s file is damaged and cannot be opened."}
	activeContent     = &reason{ActiveContent, "This %s file has a program in it, and cannot be uploaded."}
	externalReference = &reason{ActiveContent, "This %s file has a link or an external reference in it, and cannot be uploaded."}
	tooLong           = &reason{TooLarge, "This %s file is too large to be checked: at most 1 MiB is allowed."}
	headTooLong       = &reason{TooLarge, "This %s file has more than 1 MiB of metadata before its picture. Save it without metadata and send it again."}
)

func (r *reason) refusal(mediaType string) *Error {
	return refuse(r.code, fmt.Sprintf(r.message, typeName(mediaType)))
}
