package uploads

import "fmt"

// A reason says why a file of an allowed type is refused.
type reason struct {
	code    Code
	message string // %s is the type's name
}

var (
	damaged           = &reason{Damaged, "This is no %s file that can be opened: it is damaged."}
	activeContent     = &reason{ActiveContent, "This %s file has a program in it, and cannot be uploaded."}
	externalReference = &reason{ActiveContent, "This %s file has a link or a reference to elsewhere in it, and cannot be uploaded."}
	tooLong           = &reason{TooLarge, "This %s file is too large to be looked through: at most 1 MiB."}
	headTooLong       = &reason{TooLarge, "This %s file has more than 1 MiB before its picture, as of metadata. Save it without, and send that."}
)

func (r *reason) refusal(mediaType string) *Error {
	return refuse(r.code, fmt.Sprintf(r.message, typeName(mediaType)))
}
