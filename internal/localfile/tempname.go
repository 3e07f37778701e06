package localfile

import (
	"strings"

	"github.com/omnibucket/storage/internal/hexid"
)

// TempPrefix is the beginning of the name of every temporary file.
const TempPrefix = ".omnibucket-"

// TempName returns a name for a file that is renamed when it is complete. Jobs do not treat such a file as an object.
func TempName() string { return TempPrefix + hexid.New(8) }

// IsTempName reports whether name is a result of [TempName], optionally followed by a hyphen and a
// number. Jobs do not treat files with such names as objects. The name does not tell which program
// made the file.
func IsTempName(name string) bool {
	rest, ok := strings.CutPrefix(name, TempPrefix)
	if !ok {
		return false
	}
	const digits = 16 // of an ID, and at most of a number
	id, number, hasNumber := strings.Cut(rest, "-")
	if len(id) != digits || !isHex(id) {
		return false
	}
	if !hasNumber {
		return true
	}
	return number != "" && len(number) <= digits && isHex(number)
}

func isHex(text string) bool { return strings.Trim(text, "0123456789abcdef") == "" }
